"""The parts of the web page that know no browser: options, jobs, turns, forms, uploads, recipes, the index of a run."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier, noise_images
from PIL import Image

pytest.importorskip("streamlit", reason="the web page needs Streamlit: pip install -e '.[web]'")

import overpaint as op
from overpaint.classifiers.network import NetworkClassifier
from overpaint.cli.main import main
from overpaint.core.bounds import MOST, Bounds, Inside, ShareBelowAll, bounds_of
from overpaint.core.files import write_csv
from overpaint.inpainting.region import RegionRule
from overpaint.web.box import box_region
from overpaint.web.commands import Recipe
from overpaint.web.forms import attribute_helps, make_method, method_names, method_section, settings_of
from overpaint.web.image_view import ImageView
from overpaint.web.jobs import MEMORY_SAID, Job, said_of
from overpaint.web.launch import server_flags
from overpaint.web.models import check_code
from overpaint.web.options import read_options
from overpaint.web.region_canvas import polygon_region
from overpaint.web.run_index import read_rows, row_thumbnail
from overpaint.web.series_view import SeriesView
from overpaint.web.turns import Turns
from overpaint.web.view import InputView


def test_the_page_listens_on_this_machine_and_sends_no_statistics() -> None:
    flags = server_flags(read_options(["--port", "8600"]))
    assert {"--server.address=127.0.0.1", "--server.port=8600", "--browser.gatherUsageStats=false"} <= set(flags)
    assert {"--server.allowedHosts=localhost", "--server.allowedHosts=127.0.0.1"} <= set(flags)
    assert "--runner.magicEnabled=false" in flags
    open_to_all = server_flags(read_options(["--address", "0.0.0.0"]))
    assert not any("allowedHosts" in flag for flag in open_to_all)


@pytest.mark.parametrize(("words", "said"), [(["--port", "0"], "from 1 to 65535"), (["--prt", "1"], "unrecognized")])
def test_wrong_words_are_one_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["web", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_job_tells_how_far_it_is_and_ends_when_it_is_asked_to() -> None:
    begun = threading.Event()

    def work(job: Job[int]) -> None:
        while True:
            job.found = 3
            job.note(0.5, "half")
            begun.set()
            time.sleep(0.001)

    job = Job("work", work).start()
    assert begun.wait(10)
    assert (job.running, job.share, job.said, job.found) == (True, 0.5, "half", 3)
    job.stop()
    assert job.wait(10.0)
    assert (job.stopped, job.error, job.found) == (True, None, 3)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (op.OverpaintError("a sentence"), "a sentence"),
        (MemoryError(), MEMORY_SAID),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), MEMORY_SAID),
        (KeyError("x"), "something went wrong (KeyError: 'x'); the terminal has the details"),
    ],
)
def test_what_goes_wrong_in_a_job_is_a_sentence(error: Exception, said: str) -> None:
    def work(_: Job[int]) -> None:
        raise error

    job = Job("work", work).start()
    assert job.wait(10.0)
    assert job.error == said == said_of(error)


def test_long_work_gives_way_to_who_waits() -> None:
    turns, order = Turns(), []

    def short() -> None:
        with turns.turn():
            order.append("short")

    with turns.turn():
        waiting = threading.Thread(target=short)
        waiting.start()
        while "short" not in order:
            turns.give_way()
        order.append("long")
    waiting.join()
    assert order == ["short", "long"]


@pytest.mark.parametrize("name", method_names())
def test_each_method_has_a_form_with_help_whose_values_build_it(name: str) -> None:
    section = method_section(name)
    settings = settings_of(section)
    assert all(setting.help for setting in settings), [setting.name for setting in settings if not setting.help]
    changed = section | {setting.name: setting.default for setting in settings}
    assert make_method(name, changed) == make_method(name, section)


def test_a_form_shows_words_ranges_and_what_may_be_empty() -> None:
    settings = {setting.name: setting for setting in settings_of(method_section("surrogate"))}
    assert settings["scale"].choices == ["log_odds", "score"]
    assert (settings["queries"].kind, settings["queries"].optional) == (int, False)
    assert (settings["stop_at"].kind, settings["stop_at"].optional) == (float, True)
    assert (settings["queries"].bounds, settings["stop_at"].bounds) == (Bounds(least=64, most=MOST), Bounds(above=0))
    assert settings["baseline"].bounds == Bounds()
    assert "blur" in settings["baseline"].choices
    assert "attribution" not in {setting.name for setting in settings_of(method_section("input_x_gradient"))}


@pytest.mark.parametrize(
    ("hint", "ends"),
    [(Inside, (0, 1)), (ShareBelowAll | None, (0, 1)), (int, (None, None)), (str | Inside, (0, 1))],
)
def test_the_ends_of_a_fields_numbers_are_those_of_its_type(hint: Any, ends: tuple[int | None, int | None]) -> None:
    assert bounds_of(hint).ends == ends


def test_the_help_of_a_field_is_that_of_its_docstring() -> None:
    class Documented:
        """A class.

        Attributes:
            first: One line
                and another.
            second: The next.

        Raises:
            ValueError: Never.
        """

    assert attribute_helps(Documented) == {"first": "One line and another.", "second": "The next."}


@pytest.mark.parametrize("source", ["os:system", "net.pt", "net.pth", "net.pt2", "package.module:factory"])
def test_what_runs_code_is_refused_unless_it_is_allowed(source: str) -> None:
    with pytest.raises(op.OverpaintError, match="--allow-code"):
        check_code(source, allow_code=False)
    check_code(source, allow_code=True)


@pytest.mark.parametrize("source", ["outputs/digits/classifier.ckpt", "torchvision:resnet18", "net.onnx"])
def test_what_runs_no_code_is_not_refused(source: str) -> None:
    check_code(source, allow_code=False)


def test_an_upload_is_read_at_the_classifiers_size(network: NetworkClassifier, tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 60, 3), 128, dtype=np.uint8)).save(tmp_path / "a.png")
    image = ImageView().read_upload(tmp_path / "a.png", "mine.png", network)
    assert (image.name, image.file, image.pixels.shape) == ("mine", "mine.png", (1, 3, 32, 32))


def test_a_broken_upload_is_a_sentence_with_its_own_name(network: NetworkClassifier, tmp_path: Path) -> None:
    (tmp_path / "x1.png").write_text("no picture")
    with pytest.raises(op.OverpaintError, match=r"junk\.png") as refused:
        ImageView().read_upload(tmp_path / "x1.png", "junk.png", network)
    assert str(tmp_path) not in str(refused.value)


def test_a_drawn_region_is_the_pixels_whose_middle_it_holds() -> None:
    drawn = polygon_region([[0.25, 0.5], [0.75, 0.5], [0.75, 1.0], [0.25, 1.0]], (4, 8))
    assert torch.equal(drawn, box_region(((2, 4), (2, 6)), (4, 8)))
    assert not bool(polygon_region([], (4, 8)).any())


def test_the_lines_of_python_make_the_same_maps_again(network: NetworkClassifier, tmp_path: Path) -> None:
    (pixels,) = (255 * noise_images(1, 32, 3)).round().byte()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    sections = {"rise": method_section("rise") | {"queries": 64}, "center": method_section("center")}
    made = {name: make_method(name, section) for name, section in sections.items()}
    rule = RegionRule(method="fraction", fraction=0.2)
    first = op.explain(network, pixels, ["b"], made, region=rule)
    settings: dict[str, Any] = {"method": "fraction", "fraction": 0.2}
    recipe = Recipe("NET", None, None, str(tmp_path / "a.png"), "b", sections, region=settings)
    lines = (
        recipe.python().replace('op.as_classifier("NET")', "network").replace('save("out")', f"save({str(tmp_path)!r})")
    )
    scope: dict[str, Any] = {"network": network}
    exec(lines, scope)
    again: op.Explanation = scope["explanation"]
    assert again.maps.keys() == first.maps.keys()
    assert all(torch.equal(again.maps[name], first.maps[name]) for name in made)
    assert torch.equal(again.region, first.region)
    line = recipe.command_line()
    assert line is not None
    assert "'methods=[rise,center]'" in line
    assert "saliency.rise.queries=64" in line
    assert "saliency.center" not in line


def test_the_command_can_not_say_what_was_drawn() -> None:
    recipe = Recipe("NET", None, "gan.ckpt", "a.png", "b", {"center": method_section("center")}, drawn=True)
    assert recipe.command_line() is None
    assert 'np.load("region.npy")' in recipe.python()


def _row(name: str, method: str, **more: object) -> dict[str, object]:
    row = {"name": name, "label": "a", "prediction": "a", "target": "a", "confidence": 0.9, "flat_map": False}
    return row | {"acceptance_rate": 1.0, "method": method, "deletion": 0.1} | more


def test_the_rows_of_a_run_come_from_its_table_and_the_odd_ones_first(tmp_path: Path) -> None:
    rows = [_row("plain", m) for m in ("x", "y")] + [_row("wrong", m, label="b") for m in ("x", "y")]
    rows += [_row("split", "x"), _row("split", "y", deletion=0.7), _row("flat@a/b", "x", flat_map=True)]
    write_csv(tmp_path / "results.csv", rows)
    found = {row.name: row for row in read_rows(tmp_path)}
    assert sorted(found, key=lambda name: -found[name].interest) == ["wrong", "flat@a/b", "split", "plain"]
    assert found["split"].disagreement == pytest.approx(0.6)
    assert found["flat@a/b"].folder.parent == tmp_path
    with pytest.raises(op.OverpaintError, match="there are no results"):
        read_rows(tmp_path / "nowhere")


def test_thumbnails_are_small_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    write_csv(tmp_path / "results.csv", [_row("one", "x")])
    (row,) = read_rows(tmp_path)
    assert row_thumbnail(row) is None
    row.folder.mkdir()
    Image.fromarray(np.zeros((900, 600, 3), dtype=np.uint8)).save(row.folder / "overview.png")
    content = row_thumbnail(row)
    assert content is not None
    assert len(content) < 20000
    assert row_thumbnail(row) == content
    assert len(list((tmp_path / "temporary").rglob("*"))) == 2


def test_a_series_of_unknown_units_is_taken_as_it_is_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    classifier = FunctionClassifier(lambda series: series[:, 0].mean(1), dimensions=1)
    (length,), view = classifier.input_size, SeriesView()
    values = np.random.default_rng(0).normal(size=(1, classifier.channels, length)).astype(np.float32)
    np.save(tmp_path / "x.npy", values)
    series = view.read_upload(tmp_path / "x.npy", "mine.npy", classifier)
    assert (series.name, series.file, series.scale) == ("mine", "mine.npy", None)
    np.testing.assert_array_equal(series.pixels.numpy(), values)
    own = view.file_of(view.chosen("a/b", series.pixels, classifier))
    assert "/" not in own.name
    (tmp_path / own.name).write_bytes(own.content)
    again = view.read_upload(tmp_path / own.name, own.name, classifier)
    assert torch.equal(again.pixels, series.pixels)
    assert set(again.arrays()) == {"image", "region"}


@pytest.mark.parametrize("view", [ImageView(), SeriesView()])
def test_images_and_series_are_shown_by_the_same_protocol(view: InputView) -> None:
    assert isinstance(view, InputView)
    assert view.thumbnail(np.full((1, *[8] * len(view.axes)), 0.5)).startswith(b"\x89PNG")
