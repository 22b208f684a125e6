"""The web page as its visitors use it: its logic without a browser, and a real Chromium that clicks through it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("streamlit", reason="the web page needs Streamlit: pip install -e '.[web]'")

from streamlit.testing.v1 import AppTest
from web_visits import CONFIGS, PATIENCE, QUIET, finished, look_closely_at_the_last, opened, real_browser, served, visit

from overpaint.cli.entry import explain, train
from overpaint.web.look import NAME as LOOK
from overpaint.web.look import NEVER
from overpaint.web.repaint_page import NAME as REPAINT

SMALL = [
    *("data.train_count=96", "data.val_count=40", "data.test_count=16"),
    *("model.dcgan.base_channels=2", "model.classifier.max_epochs=1", "model.dcgan.max_epochs=2"),
    *QUIET,
]
FAST = ["methods=[center,grad_cam]", "metrics=[deletion]", "limit=3", "search.num_variants=4", "search.steps=2"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs; one that is there already where OVERPAINT_WEB_OUTPUTS names it, for nicer screenshots."""
    if "OVERPAINT_WEB_OUTPUTS" in os.environ:
        return Path(os.environ["OVERPAINT_WEB_OUTPUTS"]).resolve()
    folder = tmp_path_factory.mktemp("web") / "outputs"
    train(CONFIGS, [*SMALL, f"output={folder / 'digits'}"])
    explain(CONFIGS, [*FAST, *QUIET, f"output={folder / 'digits'}"])
    return folder


def test_what_is_chosen_is_explained_refined_and_shown_with_its_command(outputs: Path) -> None:
    app = opened(outputs)
    app.multiselect(key="methods").set_value(["rise", "grad_cam"]).run()
    app.number_input(key="form.rise.queries").set_value(256).run()
    app.button(key="explain").click().run()
    finished(app)
    _, look = app.session_state["visitor"].results[LOOK]
    assert list(look.maps) == ["rise", "grad_cam"]
    assert look.maps["rise"].queries == 256
    assert look.sections["rise"]["stop_at"] == NEVER
    said = " ".join(code.value for code in app.code)
    assert "saliency.rise.queries=256 saliency.rise.stop_at=1e-06" in said
    assert "op.explain(" in said
    app.slider(key="share").set_value(40).run()
    assert app.session_state["visitor"].results[LOOK][1] is look


def test_a_wrong_setting_is_a_sentence_and_nothing_starts(outputs: Path) -> None:
    app = opened(outputs)
    app.multiselect(key="methods").set_value(["rise"]).run()
    app.number_input(key="form.rise.keep").set_value(1.0).run()
    assert [error.value for error in app.error] == ["keep=1 must lie in (0, 1)"]
    app.button(key="explain").click().run()
    assert [error.value for error in app.error] == [
        "keep=1 must lie in (0, 1)",
        "saliency.rise.keep=1.0 must lie in (0, 1)",
    ]
    assert app.session_state["visitor"].job is None


def test_uploads_are_read_or_refused_in_a_sentence(outputs: Path, tmp_path: Path) -> None:
    app = opened(outputs)
    app.segmented_control(key="image.from").set_value("upload").run()
    app.file_uploader(key="image.file").set_value(("junk.png", b"no picture", "image/png")).run()
    assert "junk.png" in app.error[0].value
    Image.fromarray(np.full((40, 30, 3), 99, dtype=np.uint8)).save(tmp_path / "photo.png")
    content = (tmp_path / "photo.png").read_bytes()
    app.file_uploader(key="image.file").set_value(("photo.png", content, "image/png")).run()
    assert not app.error
    assert app.button(key="explain").disabled is False


def test_a_broken_checkpoint_and_one_that_runs_code_are_sentences(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "classifier.ckpt").write_bytes(b"nothing of use")
    app = opened(tmp_path)
    assert "can't be loaded" in app.error[0].value
    app.selectbox(key="classifier").set_value("another: a path or word").run()
    app.text_input(key="classifier.word").set_value("os:system").run()
    assert "--allow-code" in app.error[0].value
    app.text_input(key="classifier.word").set_value(str(outputs / "digits" / "classifier.ckpt")).run()
    assert not app.error


def _upload(app: AppTest, key: str, name: str, content: bytes) -> AppTest:
    app.selectbox(key=key).set_value("upload a file").run()
    return app.file_uploader(key=f"{key}.file").set_value((name, content, "application/octet-stream")).run()


def test_uploaded_checkpoints_are_opened_and_others_are_sentences(outputs: Path) -> None:
    classifier, generator = ((outputs / "digits" / name).read_bytes() for name in ("classifier.ckpt", "dcgan.ckpt"))
    app = _upload(opened(outputs), "classifier", "mine.ckpt", classifier)
    assert not app.error
    assert "Upload" not in app.info[0].value
    app = _upload(opened(outputs), "generator", "mine.ckpt", generator)
    assert not app.error
    app = _upload(opened(outputs), "generator", "mine.ckpt", classifier)
    assert "mine.ckpt" in app.error[0].value


class Harmful:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_no_code_of_an_upload_runs_unless_it_is_allowed(outputs: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": Harmful(tmp_path / "mark")}, tmp_path / "bad.ckpt")
    for key in ("classifier", "generator"):
        app = _upload(opened(outputs), key, "bad.ckpt", (tmp_path / "bad.ckpt").read_bytes())
        assert "bad.ckpt" in app.error[0].value
    assert not (tmp_path / "mark").exists()
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    torch.jit.save(torch.jit.trace(network, torch.rand(1, 3, 32, 32)), tmp_path / "net.pt")
    content = (tmp_path / "net.pt").read_bytes()
    app = _upload(opened(outputs), "classifier", "net.pt", content)
    assert "classifier=net.pt (torchscript) runs the code that it holds" in app.error[0].value
    app = _upload(opened(outputs, allow_code=True), "classifier", "net.pt", content)
    assert "does not say how large its images are" in app.error[0].value


def test_two_visitors_have_work_of_their_own(outputs: Path) -> None:
    first, second = opened(outputs), opened(outputs)
    for app, methods in ((first, ["center"]), (second, ["edges"])):
        app.multiselect(key="methods").set_value(methods).run()
        app.button(key="explain").click().run()
    for app, methods in ((first, ["center"]), (second, ["edges"])):
        finished(app)
        assert list(app.session_state["visitor"].results[LOOK][1].maps) == methods


def test_a_region_is_repainted_and_a_map_is_judged(outputs: Path) -> None:
    app = opened(outputs)
    app.multiselect(key="methods").set_value(["center"]).run()
    app.button(key="explain").click().run()
    finished(app)
    app.session_state["tab"] = "Repaint"
    app.run()
    app.segmented_control(key="region.way").set_value("by hand").run()
    app.segmented_control(key="region.tool").set_value("box of numbers").run()
    app.slider(key="region.rows.32x32").set_value((4, 12)).run()
    app.slider(key="variants").set_value(8).run()
    app.button(key="repaint").click().run()
    finished(app)
    _, repaint = app.session_state["visitor"].results[REPAINT]
    assert repaint.explanation.region[0].any(1).nonzero().flatten().tolist() == list(range(4, 12))
    assert any("different variants keep the class" in text.value for text in app.markdown)
    assert any('np.load("region.npy")' in code.value for code in app.code)
    app.session_state["tab"] = "Judge"
    app.run()
    app.checkbox(key="boxed").set_value(True).run()
    app.button(key="judge").click().run()
    finished(app)
    table = app.dataframe[0].value
    assert table["method"].tolist() == ["center"]
    assert {"insertion", "deletion", "pointing_game", "iou"} <= set(table.columns)
    assert any("ground_truth=box" in code.value for code in app.code)


def _variants_script(variants: "dict[str, Any]", done: bool) -> None:
    import numpy as np
    import torch

    from overpaint.web.chosen import ChosenInput
    from overpaint.web.image_view import ImageView
    from overpaint.web.variant_gallery import show_variants

    image = ChosenInput("image", "image.png", torch.full((1, 3, 8, 8), 0.2))
    show_variants(ImageView(), image, variants, np.ones((8, 8), dtype=bool), ["a", "b"], 0, done)


def test_a_click_on_a_variant_shows_it_closely_and_all_of_its_kind_on_demand() -> None:
    levels = np.array([0.2, 0.21, *np.linspace(0.4, 1, 7), 0.9])
    variants = {
        "images": np.ones((10, 3, 8, 8)) * levels[:, None, None, None],
        "accepted": np.arange(10) < 9,
        "duplicate": np.zeros(10, dtype=bool),
        "confidences": np.linspace(1, 0, 10),
        "predictions": np.array([0] * 9 + [1]),
    }
    app = AppTest.from_function(_variants_script, args=(variants, False), default_timeout=PATIENCE).run()
    assert {button.disabled for button in app.button} == {True}
    app = AppTest.from_function(_variants_script, args=(variants, True), default_timeout=PATIENCE).run()
    assert len(app.button) == 9
    app.button(key="variant.kind.9").click().run()
    assert any(text.value == "**Variant 9** closely" for text in app.markdown)
    assert any("only one of its kind" in caption.value for caption in app.caption)
    app.button(key="variant.kind.0").click().run()
    app.checkbox(key="variant.members").check().run()
    assert [b.label for b in app.button if "member" in (b.key or "")] == ["0: a · 100%", "1: a · 89%"]
    app.button(key="variant.member.1").click().run()
    assert any(text.value == "**Variant 1** closely" for text in app.markdown)
    assert len(app.button) == 11


def test_a_run_is_a_gallery_from_its_files_and_its_training_is_seen(outputs: Path) -> None:
    app = opened(outputs, "Runs")
    names = [button.label for button in app.button if (button.key or "").startswith("runs.open.")]
    assert len(names) >= 3
    app.button(key=f"runs.open.{names[0]}").click().run()
    assert any(names[0] in text.value for text in app.markdown)
    app.multiselect(key="runs.only").set_value(["flat maps"]).run()
    assert any(caption.value.startswith("0 of") for caption in app.caption)
    app.session_state["tab"] = "Train"
    app.run()
    assert not app.error
    assert any("dcgan: " in caption.value for caption in app.caption)


@pytest.fixture(scope="module")
def address(outputs: Path) -> Iterator[str]:
    """A page that is served; it ends with the tests."""
    with served(outputs) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with real_browser() as found:
        yield found


def _explain(page: Any) -> None:
    page.get_by_role("button", name="Explain", exact=True).click()
    page.get_by_alt_text("map of grad_cam").first.wait_for()
    page.get_by_role("button", name="Find the decisive region").first.wait_for()


def _draw(page: Any, corners: list[tuple[float, float]]) -> None:
    """Draws on the canvas from corner to corner, which are shares of its size."""
    from playwright.sync_api import expect

    canvas = page.locator("canvas[role=img]")
    expect(canvas).to_have_count(1)
    expect(canvas).to_have_js_property("width", 384)  # the picture is on it
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [(box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


@pytest.mark.slow
def test_a_visitor_with_a_real_browser(browser: Any, address: str, outputs: Path, tmp_path: Path) -> None:
    screenshots = Path(os.environ.get("OVERPAINT_WEB_SCREENSHOTS", tmp_path))
    page = visit(browser, address)
    _explain(page)
    page.set_viewport_size({"width": 1280, "height": 1100})
    page.screenshot(path=screenshots / "look.png")
    with page.expect_download() as loaded:
        page.get_by_role("button", name="Arrays (npz)").first.click()
    with np.load(loaded.value.path()) as arrays:
        assert {"image", "map_grad_cam", "map_surrogate", "error_surrogate"} <= set(arrays.files)

    page.get_by_role("slider", name="Region, % of the image").press("ArrowRight")  # without a mouse
    page.get_by_text("Amber: the 11 %").wait_for()

    page.get_by_role("tab", name="Repaint").click()
    page.get_by_text("by hand").click()
    _draw(page, [(0.25, 0.25), (0.75, 0.75)])
    page.get_by_text("256 of 1024 pixels are drawn").wait_for()
    page.get_by_role("button", name="Repaint", exact=True).click()
    page.get_by_text("Make it again").first.wait_for()
    look_closely_at_the_last(page)
    page.get_by_alt_text("difference of variant").first.wait_for()
    page.screenshot(path=screenshots / "repaint.png")
    page.get_by_text("lasso").click()
    page.get_by_text("Draw on the image.").wait_for()
    _draw(page, [(0.1, 0.1), (0.9, 0.1), (0.5, 0.9), (0.3, 0.5)])
    page.wait_for_function("() => /[2-4][0-9][0-9] of 1024 pixels are drawn/.test(document.body.innerText)")

    page.get_by_role("tab", name="Runs").click()
    page.get_by_alt_text("image, maps and variants of").first.wait_for()
    page.screenshot(path=screenshots / "runs.png")
    page.get_by_role("tab", name="Train").click()
    page.get_by_alt_text("losses of the GAN").first.wait_for()
    page.screenshot(path=screenshots / "train.png")
    page.reload()
    page.get_by_role("button", name="Explain", exact=True).wait_for()
    assert all(url.startswith((address, "data:", "blob:")) for url in page.asked)
    assert not page.locator("img:not([alt])").count()


@pytest.mark.slow
def test_a_narrow_dark_screen_a_broken_file_and_a_second_tab(browser: Any, address: str, tmp_path: Path) -> None:
    screenshots = Path(os.environ.get("OVERPAINT_WEB_SCREENSHOTS", tmp_path))
    page, other = visit(browser, address, 400, dark=True), visit(browser, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    _explain(page)
    page.get_by_alt_text("map of grad_cam").first.scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "narrow.png")
    other.get_by_text("upload", exact=True).first.click()
    (tmp_path / "junk.png").write_text("no picture")
    other.locator("input[type=file]").first.set_input_files(tmp_path / "junk.png")
    other.get_by_text("junk.png can't be read").first.wait_for()
    Image.fromarray(np.full((90, 120, 3), 99, dtype=np.uint8)).save(tmp_path / "photo.jpg")
    other.locator("input[type=file]").first.set_input_files(tmp_path / "photo.jpg")
    _explain(other)
    assert page.get_by_alt_text("map of grad_cam").count()
    other.get_by_text("camera", exact=True).first.click()
    # The button is there before the camera's first picture, and a click then takes nothing.
    other.wait_for_function("document.querySelector('video')?.readyState >= 2")
    other.get_by_role("button", name="Take Photo").click()
    other.get_by_alt_text("the image photograph").first.wait_for()
