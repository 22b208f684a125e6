"""The web page on time series, alone and beside images: its logic without a browser, and a real Chromium."""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("streamlit", reason="the web page needs Streamlit: pip install -e '.[web]'")

from streamlit.testing.v1 import AppTest
from web_visits import CONFIGS, PATIENCE, QUIET, finished, look_closely_at_the_last, opened, real_browser, served, visit

import overpaint as op
from overpaint.cli.entry import explain, train
from overpaint.core.files import read_arrays
from overpaint.web.judge_page import NAME as JUDGE
from overpaint.web.look import NAME as LOOK
from overpaint.web.repaint_page import NAME as REPAINT
from overpaint.web.visitor import Visitor

pytestmark = pytest.mark.slow  # three runs are trained

TINY = [
    *("model.dcgan.base_channels=2", "model.classifier.max_epochs=1", "model.dcgan.max_epochs=2"),
    *("model.dcgan.batch_size=16", *QUIET),
]
COUNTS = ["data.train_count=96", "data.val_count=40", "data.test_count=20"]
FAST = ["methods=[center,grad_cam]", "metrics=[deletion]", "limit=3", "search.num_variants=4", "search.steps=2"]


def _table(path: Path) -> Path:
    """Writes a data set of two classes, ``up`` and ``down``, of 24 steps, with values around 100."""
    values = np.random.default_rng(0).normal(100, 5, size=(80, 24)).round(3)
    values[:40, 8:16] += 30
    lines = [",".join(["up" if i < 40 else "down", *map(str, row)]) for i, row in enumerate(values)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of bundled series, of a file of series, and of images."""
    if "OVERPAINT_WEB_OUTPUTS" in os.environ:
        return Path(os.environ["OVERPAINT_WEB_OUTPUTS"]).resolve()
    folder = tmp_path_factory.mktemp("web_series") / "outputs"
    table = _table(tmp_path_factory.getbasetemp() / "beats.csv")
    train(CONFIGS, ["data=series", *COUNTS, *TINY, f"output={folder / 'series'}"])
    explain(CONFIGS, [*FAST, *QUIET, f"output={folder / 'series'}"])
    words = ["data=series_file", f"data.root={table}", "data.epoch=80"]
    train(CONFIGS, [*words, *TINY, f"output={folder / 'file'}"])
    train(CONFIGS, [*COUNTS, *TINY, f"output={folder / 'images'}"])
    return folder


def _at(outputs: Path, run: str, tab: str = "Look") -> AppTest:
    """Opens the page with the classifier of a run chosen."""
    return _switch(opened(outputs, tab), outputs, run)


def _switch(app: AppTest, outputs: Path, run: str) -> AppTest:
    app.selectbox(key="classifier").set_value(str(outputs / run / "classifier.ckpt")).run()
    assert not app.exception
    assert not app.error
    return app


def _explain(app: AppTest, *methods: str) -> Any:
    app.multiselect(key="methods").set_value(list(methods)).run()
    app.button(key="explain").click().run()
    finished(app)
    return app.session_state["visitor"].results[LOOK][1]


def _tab(app: AppTest, name: str) -> AppTest:
    app.session_state["tab"] = name
    return app.run()


def _upload(app: AppTest, name: str, content: bytes) -> AppTest:
    app.segmented_control(key="series.from").set_value("upload").run()
    return app.file_uploader(key="series.file").set_value((name, content, "application/octet-stream")).run()


def _npy(values: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, dtype=np.float32))
    return buffer.getvalue()


def test_a_series_is_explained_and_both_its_command_and_its_python_make_it_again(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _at(outputs, "series")
    assert app.selectbox(key="generator").value == str(outputs / "series" / "dcgan.ckpt")
    assert "camera" not in app.segmented_control(key="series.from").options
    assert len([button for button in app.button if (button.key or "").startswith("gallery.")]) == 8
    app.button(key="gallery.test-00003").click().run()
    look = _explain(app, "rise", "occlusion")
    chosen = look.question.image
    assert chosen.name == "test-00003"
    assert "Opacity of the map" not in [slider.label for slider in app.slider]
    assert any("Amber: the 10 % of the steps" in caption.value for caption in app.caption)

    own = look.question.view.file_of(chosen)
    (tmp_path / own.name).write_bytes(own.content)
    monkeypatch.chdir(tmp_path)
    line, python = (code.value for code in app.code)
    assert f"images={own.name}" in line
    words = [word for word in shlex.split(line) if "=" in word]
    explain(CONFIGS, [*words, *QUIET, f"output={tmp_path / 'again'}"])
    (saliency,) = (tmp_path / "again" / "explain").glob("test-00003@*/saliency.npz")
    arrays = read_arrays(saliency)
    scope: dict[str, Any] = {}
    exec(python, scope)
    again: op.Explanation = scope["explanation"]
    for name, maps in look.maps.items():
        np.testing.assert_array_equal(arrays[f"map_{name}"], maps.maps[0].numpy())
        assert torch.equal(again.maps[name], maps.maps)


def test_a_file_of_series_is_a_gallery_with_its_own_classes_and_units(outputs: Path) -> None:
    app = _at(outputs, "file")
    assert {option.split(" · ")[0] for option in app.radio[0].options} == {"up", "down"}
    look = _explain(app, "grad_cam")
    chosen = look.question.image
    assert re.fullmatch(r"beats-\d{5}", chosen.name)
    assert chosen.size == (24,)
    assert 80 < float(chosen.values.mean()) < 130
    assert float(chosen.pixels.mean()) < 1


def test_a_stretch_is_repainted_and_a_variant_is_looked_at(outputs: Path, tmp_path: Path) -> None:
    app = _at(outputs, "series")
    _explain(app, "center")
    _tab(app, "Repaint")
    app.segmented_control(key="region.way").set_value("by hand").run()
    app.slider(key="region.steps.128").set_value((40, 72)).run()
    assert any(caption.value == "Steps 40 to 71: 32 of 128" for caption in app.caption)
    app.slider(key="variants").set_value(8).run()
    app.checkbox(key="controls").set_value(True).run()
    app.button(key="repaint").click().run()
    finished(app)
    _, repaint = app.session_state["visitor"].results[REPAINT]
    assert repaint.explanation.region[0].nonzero().flatten().tolist() == list(range(40, 72))
    assert "controls" in repaint.explanation.probes
    assert any("different variants keep the class" in text.value for text in app.markdown)
    python = app.code[0].value
    assert 'np.load("region.npy")' in python
    assert "# downloaded here" in python
    cards = [button.key for button in app.button if (button.key or "").startswith("variant.kind.")]
    app.button(key=cards[-1]).click().run()
    app.slider(key="morph").set_value(0.5).run()
    assert not app.exception
    assert not app.error
    app.slider(key="region.steps.128").set_value((40, 40)).run()
    assert app.button(key="repaint").disabled


def test_maps_are_judged_on_a_stretch(outputs: Path) -> None:
    app = _at(outputs, "series")
    _explain(app, "center", "random")
    _tab(app, "Judge")
    app.multiselect(key="metrics").set_value(["deletion", "agreement_ssim"]).run()
    app.button(key="judge").click().run()
    assert [error.value for error in app.error] == [
        "agreement_ssim can't judge maps of this classifier, which has no pictures to explain (it takes series)"
    ]
    app.multiselect(key="metrics").set_value(["deletion"]).run()
    app.checkbox(key="boxed").set_value(True).run()
    app.slider(key="object.steps.128").set_value((48, 80)).run()
    app.button(key="judge").click().run()
    finished(app)
    _, judgement = app.session_state["visitor"].results[JUDGE]
    assert judgement.explanation.metrics["center"]["pointing_game"].tolist() == [1]
    assert app.dataframe[0].value["method"].tolist() == ["center", "random"]
    python = app.code[0].value
    assert "box = torch.zeros(1, 128, dtype=torch.bool)" in python
    assert "box[:, 48:80] = True" in python


def test_channels_are_explained_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values, up = np.random.default_rng(0).normal(size=(80, 3, 24)), np.arange(80) % 2 == 0
    values[up, 1, 8:16] += 3
    np.savez(tmp_path / "three.npz", X=values, y=np.where(up, "up", "down"))
    words = ["data=series_file", f"data.root={tmp_path / 'three.npz'}", "data.epoch=80"]
    train(CONFIGS, [*words, *TINY, f"output={tmp_path / 'outputs' / 'three'}"])
    app = _at(tmp_path / "outputs", "three")
    app.segmented_control(key="channels").set_value("separate").run()
    app.multiselect(key="methods").set_value(["grad_cam"]).run()
    app.button(key="explain").click().run()
    assert "grad_cam can't explain this classifier, which has layers that see all channels" in app.error[0].value
    look = _explain(app, "occlusion", "gradient")
    assert {name: maps.by_channel.shape for name, maps in look.maps.items()} == dict.fromkeys(look.maps, (1, 3, 24))
    line, python = (code.value for code in app.code)
    assert "channels=separate" in line
    own = look.question.view.file_of(look.question.image)
    (tmp_path / own.name).write_bytes(own.content)
    scope: dict[str, Any] = {}
    exec(python, scope)
    for name, maps in look.maps.items():
        assert torch.equal(scope["explanation"].maps_by_channel[name], maps.by_channel)
    app.segmented_control(key="channels").set_value("joint").run()
    assert _explain(app, "occlusion").maps["occlusion"].by_channel is None


def test_a_method_for_pictures_is_refused_before_anything_starts(outputs: Path) -> None:
    app = _at(outputs, "series")
    app.multiselect(key="methods").set_value(["lime"]).run()
    app.selectbox(key="form.lime.segments").set_value("slic").run()
    app.button(key="explain").click().run()
    assert [error.value for error in app.error] == [
        "lime can't explain this classifier, which has no pictures to explain (it takes series)"
    ]
    assert app.session_state["visitor"].job is None


def test_uploads_of_series_are_read_chosen_from_or_refused_in_a_sentence(outputs: Path) -> None:
    app = _at(outputs, "file")
    _upload(app, "junk.ts", b"@data\n1,two:a\n")
    assert app.error[0].value == "junk.ts, line 2: 'two' is no number"
    _upload(app, "two.npy", _npy(np.zeros((1, 2, 24))))
    assert app.error[0].value == "the series two has 2 channels, but the classifier takes 1"
    several = "\n".join(["@classLabel true a b", "@data", "1,2,3,4:a", "5,?,7,8:b"])
    _upload(app, "mine.ts", several.encode())
    assert not app.error
    (choice,) = [box for box in app.selectbox if box.label == "Series of mine.ts, which has 2"]
    assert choice.options == ["mine-00001", "mine-00002"]
    choice.set_value("mine-00002").run()
    look = _explain(app, "center")
    chosen = look.question.image
    assert (chosen.name, chosen.file) == ("mine-00002", "mine-00002.npy")
    assert chosen.values[0, 0, 0] == 5
    assert chosen.values[0, 0, -1] == 8
    _upload(app, "one.npy", _npy(np.linspace(90, 130, 24)[None]))
    assert _explain(app, "center").question.image.file == "one.npy"


def test_an_earlier_row_is_explained_and_rows_of_images_are_not_offered(outputs: Path) -> None:
    app = _at(outputs, "series")
    app.segmented_control(key="series.from").set_value("earlier run").run()
    assert all(option.startswith("series: ") for option in app.selectbox(key="series.row").options)
    assert len(app.selectbox(key="series.row").options) == 3
    before = read_arrays(outputs / "series" / "explain" / "test-00000" / "saliency.npz")
    look = _explain(app, "center")
    np.testing.assert_allclose(look.question.image.array, before["image"], rtol=1e-6)
    _switch(app, outputs, "file")
    app.segmented_control(key="series.from").set_value("earlier run").run()
    assert any("No run has explained series of this classifier's size" in info.value for info in app.info)


def test_a_damaged_row_is_a_sentence_and_the_others_are_offered(outputs: Path, tmp_path: Path) -> None:
    shutil.copytree(outputs / "series", tmp_path / "series")
    first, second, _ = sorted((tmp_path / "series" / "explain").glob("*/saliency.npz"))
    first.write_bytes(b"nothing of use")
    app = _at(tmp_path, "series")
    app.segmented_control(key="series.from").set_value("earlier run").run()
    assert "can't be read" in app.error[0].value
    app.selectbox(key="series.row").set_value(second.parent).run()
    assert not app.error


def test_images_and_series_in_turn_leave_nothing_of_each_other(outputs: Path) -> None:
    app = _at(outputs, "images")
    app.segmented_control(key="image.from").set_value("camera").run()
    app.segmented_control(key="image.from").set_value("gallery").run()
    _explain(app, "center")
    _tab(app, "Repaint")
    app.segmented_control(key="region.way").set_value("by hand").run()
    app.segmented_control(key="region.tool").set_value("box of numbers").run()
    app.slider(key="variants").set_value(8).run()
    app.button(key="repaint").click().run()
    finished(app)
    for run, word in (("series", "series"), ("file", "series"), ("images", "image")):
        _switch(app, outputs, run)
        assert app.selectbox(key="generator").value == str(outputs / run / "dcgan.ckpt")
        assert any(f"Explain the {word} in the tab" in info.value for info in app.info)
        _tab(app, "Look")
        assert _explain(app, "center").question.image.size == {"series": (128,), "file": (24,), "images": (32, 32)}[run]
        _tab(app, "Repaint")
        assert not app.exception
        app.button(key="repaint").click().run()
        finished(app)
        _tab(app, "Judge")
        app.checkbox(key="boxed").set_value(True).run()
        assert not app.exception
        assert not app.error
        _tab(app, "Repaint")


def test_a_generator_of_images_does_not_repaint_series(outputs: Path) -> None:
    app = _at(outputs, "series")
    _explain(app, "center")
    app.selectbox(key="generator").set_value(str(outputs / "images" / "dcgan.ckpt")).run()
    _tab(app, "Repaint")
    app.button(key="repaint").click().run()
    visitor: Visitor = app.session_state["visitor"]
    assert visitor.job is not None
    assert visitor.job.wait(PATIENCE)
    assert visitor.job.error == "the generator paints images, but the classifier takes series"


def test_runs_and_training_of_series_are_seen(outputs: Path) -> None:
    app = _at(outputs, "series", "Runs")
    app.selectbox(key="runs.folder").set_value(str(outputs / "series" / "explain")).run()
    app.button(key="runs.open.test-00000").click().run()
    assert any("test-00000" in text.value for text in app.markdown)
    _tab(app, "Train")
    app.selectbox(key="train.run").set_value(outputs / "series").run()
    assert not app.error
    assert any("dcgan: 2 epochs" in caption.value for caption in app.caption)


def test_a_visitor_with_series_in_a_real_browser(outputs: Path, tmp_path: Path) -> None:
    screenshots = Path(os.environ.get("OVERPAINT_WEB_SCREENSHOTS", tmp_path))
    with served(outputs) as address, real_browser() as browser:
        page = visit(browser, address)
        page.get_by_role("combobox", name=re.compile("Classifier")).first.click()
        page.get_by_role("option", name="outputs/series/classifier.ckpt").click()
        page.get_by_alt_text("test series test-00000").wait_for()
        page.get_by_role("button", name="Explain", exact=True).click()
        page.get_by_alt_text("map of grad_cam").first.wait_for()
        page.get_by_role("button", name="Find the decisive region").wait_for()
        page.get_by_role("slider", name="Region, % of the series").press("ArrowRight")
        page.get_by_text("Amber: the 11 % of the steps").wait_for()
        page.screenshot(path=screenshots / "look-series.png")
        with page.expect_download() as loaded:
            page.get_by_role("button", name="Series (npy)").click()
        series = np.load(loaded.value.path())
        assert series.shape == (1, 1, 128)

        page.get_by_role("tab", name="Repaint").click()
        page.get_by_text("by hand").click()
        page.get_by_text("Steps 32 to 95: 64 of 128").wait_for()
        page.get_by_role("slider", name="Steps").first.press("ArrowRight")  # without a mouse
        page.get_by_text("Steps 33 to 95: 63 of 128").wait_for()
        page.get_by_role("button", name="Repaint", exact=True).click()
        page.get_by_text("Make it again").first.wait_for()
        page.get_by_alt_text("the accepted variants over each other").wait_for()
        look_closely_at_the_last(page)
        page.get_by_alt_text("of the way from the series (grey) to variant").wait_for()
        page.screenshot(path=screenshots / "repaint-series.png")

        page.get_by_text("upload", exact=True).first.click()
        (tmp_path / "junk.csv").write_text("a,1,2\nb,3,x\n")
        page.locator("input[type=file]").first.set_input_files(tmp_path / "junk.csv")
        page.get_by_text("junk.csv, line 2: 'x' is no number").first.wait_for()
        np.save(tmp_path / "mine.npy", series)
        page.locator("input[type=file]").first.set_input_files(tmp_path / "mine.npy")
        page.get_by_role("tab", name="Look").click()
        page.get_by_alt_text("the series mine").first.wait_for()
        page.get_by_role("button", name="Explain", exact=True).click()
        page.get_by_role("button", name="Find the decisive region").wait_for()
        assert all(url.startswith((address, "data:", "blob:")) for url in page.asked)
        assert not page.locator("img:not([alt])").count()

        narrow = visit(browser, address, 400, dark=True)
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 400
