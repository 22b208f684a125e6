"""What is drawn and summed up where something is missing: flat maps, no variants, no accepted ones."""

import importlib
import inspect
import io
import json
import pkgutil
import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier
from PIL import Image

from overpaint import metrics, probes, saliency
from overpaint.core.files import read_arrays
from overpaint.core.names import row_folder
from overpaint.core.protocols import SaliencyMethod
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import SaliencyMetric
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.cache import Cache, Wanted, read_result
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import ExplainedBatch, RowWriter
from overpaint.probes.base import Probe
from overpaint.report.html import page
from overpaint.report.html.page import MOST_EMBEDDED, too_many_to_embed, write_page
from overpaint.report.html.paging import CARDS, MARK
from overpaint.report.image_plots import image_plots
from overpaint.report.plots.images import enlarge, map_picture, picture_grid, png, to_picture
from overpaint.report.run import RunReport
from overpaint.report.tables.columns import as_columns
from overpaint.report.tables.run_numbers import image_row
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import summarise
from overpaint.report.tables.terminal import images_table
from overpaint.report.wandb.tables import log_report
from overpaint.saliency.rise import Rise

STAMPS = {"base": "one", "map_rise": "two", "variants": "three"}


def _written(folder: Path, classifier: FunctionClassifier) -> Path:
    """Explains one grey image and writes it."""
    torch.manual_seed(0)
    generator, discriminator = Generator(32, 1, 4, 2).eval(), Discriminator(32, 1, 2).eval()
    inpainter = Inpainter(
        generator, discriminator, LatentSearch(num_variants=3, steps=1, num_candidates=0), RegionRule()
    )
    images = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    runner = Runner(classifier, {"rise": Rise(queries=64)}, Engine(classifier), RegionRule(), inpainter)
    names = ["other", "wanted"]
    draw = partial(image_plots, metrics={}, class_names=names)
    writer = RowWriter(folder, names, draw, {"a": STAMPS})
    writer.write(ExplainedBatch(["a"], [None], [0], runner.run(images, torch.tensor([[1]]))))
    return folder / "a"


def _complete_folders(folder: Path, image: str, keys: dict[str, str]) -> list[Path]:
    return Cache(folder, {image: keys}, Wanted([], [], [])).complete_folders(image)


def test_a_flat_map_has_no_region_and_no_rate(tmp_path: Path) -> None:
    blind = FunctionClassifier(lambda images: torch.full((len(images),), 0.7))
    folder = _written(tmp_path, blind)
    result = read_result(folder)
    assert result["flat_map"] is True
    assert result["region_fraction"] == 0
    assert result["acceptance_rate"] is None
    assert result["label"] == "other"
    variants, image = read_arrays(folder / "variants.npz")["images"], read_arrays(folder / "saliency.npz")["image"]
    np.testing.assert_array_equal(variants, np.broadcast_to(image, variants.shape))
    row = image_row(result)
    summary = summarise(as_columns([row]))
    assert summary["flat_maps"] == 1
    assert "mean_acceptance_rate" not in summary
    assert images_table([row], summary).row_count == 1


def test_numbers_are_those_of_the_arrays(tmp_path: Path) -> None:
    folder = _written(tmp_path, FunctionClassifier(lambda images: images[:, 0, 8:16, 8:16].mean((1, 2))))
    result, variants = read_result(folder), read_arrays(folder / "variants.npz")
    counted = ~variants["duplicate"]
    assert result["accepted"] + result["flipped"] == counted.sum() == result["different_variants"]
    assert result["acceptance_rate"] == pytest.approx(variants["accepted"][counted].mean())
    assert result["realism"] == pytest.approx(variants["realism"].mean(), rel=1e-5)
    with Image.open(folder / "overview.png") as picture:
        assert picture.size[1] > 700  # maps, their errors, accepted and flipped variants


def test_a_folder_counts_only_with_its_stamps_and_all_its_targets(tmp_path: Path) -> None:
    _written(tmp_path, FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    assert _complete_folders(tmp_path, "a", STAMPS) == [tmp_path / "a"]
    assert _complete_folders(tmp_path, "a", STAMPS | {"map_rise": "another"}) == []
    assert _complete_folders(tmp_path, "a", STAMPS | {"map_iassa": "not there"}) == []
    assert _complete_folders(tmp_path, "b", STAMPS) == []
    result = (tmp_path / "a" / "result.json").read_text()
    (tmp_path / "a").rename(tmp_path / "a@x")
    (tmp_path / "a@x" / "result.json").write_text(result.replace('"targets_of_image": 1', '"targets_of_image": 2'))
    assert _complete_folders(tmp_path, "a", STAMPS) == []  # the other target's folder is missing


def test_map_picture_is_red_for_the_class_white_at_zero_and_black_where_not_finite() -> None:
    picture = map_picture(np.array([[1.0, -1.0, 0.0, np.nan]]))
    red, blue, white, black = picture[0].astype(int)
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50
    assert white.min() > 240
    assert black.max() == 0


def test_pictures_are_laid_out_in_rows() -> None:
    images = np.stack([np.full((1, 4, 4), value) for value in (0.0, 0.5, 1.0)])
    grid = picture_grid(images, columns=2, gap=1)
    assert grid.shape == (9, 9, 3)
    np.testing.assert_array_equal(grid[:4, 5:], to_picture(images[1]))
    np.testing.assert_array_equal(grid[5:, :4], 255)
    assert picture_grid(images[:0]).min() == 255
    assert enlarge(grid, 20).shape == (27, 27, 3)
    with Image.open(io.BytesIO(png(grid))) as picture:
        assert picture.size == (9, 9)


NAMES = ("a&b #1?%41.png", "javascript:x", '<b>"c"</b>')


def _copies(folder: Path, names: Sequence[str]) -> list[Path]:
    """Copies a row's folder under other names, in its place."""
    result, copies = read_result(folder), []
    for i, name in enumerate(names):
        copies.append(folder.with_name(row_folder(name, None)))
        shutil.copytree(folder, copies[-1])
        changed = result | {"name": name, "image": name, "target": NAMES[i % 3]}
        (copies[-1] / "result.json").write_text(json.dumps(changed))
    shutil.rmtree(folder)
    return copies


def test_a_page_of_many_images_escapes_names_and_goes_on_beside_it(tmp_path: Path) -> None:
    folder = _written(tmp_path / "run" / "explain", FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    folders = _copies(folder, [*NAMES, *(f"photo-{i}" for i in range(CARDS))])
    board, place = Scoreboard(folders, {"rise": Rise()}, {}, {}), folder.parent
    text = write_page(place, board, [], {}, {}, "a <command>", ["a <note>"]).read_text()
    further = (place / "gallery-0002.html").read_text()
    assert text.count('<article class="card"') == CARDS
    assert further.count('<article class="card"') == len(NAMES)
    assert {path.name for path in place.glob("*.html")} == {"report.html", "gallery-0002.html"}
    addresses = re.findall(r'(?:src|href)="([^"#][^"]*)"', text + further)
    pictures = [address for address in addresses if address.endswith(".png")]
    assert len(pictures) == 2 * len(folders)
    assert all(re.match(r"[\w.%-]+/overview.png$", address) for address in pictures)
    assert all((place / unquote(address)).is_file() for address in pictures)
    pages = {address for address in addresses if not address.endswith(".png")}
    assert pages == {"report.html#images", "report.html", "gallery-0002.html#images", "results.csv"}
    for html in (text, further):
        places = re.findall(r'<article class="card" id="([^"]+)"', html)
        assert re.findall(r'<td><a href="#([^"]+)"', html) == places  # the page's own rows
        assert '<b>"c"' not in html
    assert "&lt;b&gt;&#34;c&#34;&lt;/b&gt;" in text
    assert "a &lt;note&gt;" in text
    assert "a &lt;command&gt;" in text
    whole = write_page(place, board, [], {}, {}, "a command", self_contained=True).read_text()
    assert len(re.findall(r'src="data:image/png;base64,', whole)) == len(folders)
    assert not re.findall(r'href="[^#]', whole)
    assert not (place / "gallery-0002.html").exists()


def test_pages_of_an_earlier_report_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    folder = _written(tmp_path / "run" / "explain", FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    folders = _copies(folder, [f"photo-{i}" for i in range(CARDS + 1)])
    place = folder.parent
    write_page(place, Scoreboard(folders, {"rise": Rise()}, {}, {}), [], {}, {}, "a command")
    kept = {"gallery-0003.html": "somebody's own", "gallery-of-birds.html": MARK, "gallery-1.html": MARK}
    for name, content in kept.items():
        (place / name).write_text(content)
    assert (place / "gallery-0002.html").is_file()
    write_page(place, Scoreboard(folders[1:], {"rise": Rise()}, {}, {}), [], {}, {}, "a command")
    assert {path.name for path in place.glob("*.html")} == {"report.html", *kept}


def test_too_many_pictures_stay_files_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _written(tmp_path / "run" / "explain", FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    folders = _copies(folder, ["a-0", "a-1", "a-2"])
    assert too_many_to_embed(MOST_EMBEDDED) == ""
    monkeypatch.setattr(page, "MOST_EMBEDDED", 2)
    board = Scoreboard(folders, {"rise": Rise()}, {}, {})
    text = write_page(folder.parent, board, [], {}, {}, "a command", self_contained=True).read_text()
    assert "report.self_contained=true holds the pictures of 2 images at most, and these are 3" in text
    assert 'src="a-0/overview.png"' in text
    assert "data:image" not in text


class Recorder:
    """A W&B run that keeps what is logged."""

    def __init__(self) -> None:
        self.logged: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}

    def log(self, values: dict[str, Any]) -> None:
        self.logged |= values


@pytest.mark.parametrize(("most", "logged"), [(2, 2), (0, 3), (9, 3)])
def test_the_table_of_images_in_wandb_has_a_bound_and_says_so(tmp_path: Path, most: int, logged: int) -> None:
    folder = _written(tmp_path / "run" / "explain", FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    folders = _copies(folder, ["a-0", "a-1", "a-2"])
    flat = read_result(folders[2]) | {"flat_map": True}
    (folders[2] / "result.json").write_text(json.dumps(flat))
    run, board = Recorder(), Scoreboard(folders, {"rise": Rise()}, {}, {})
    said = log_report(run, RunReport(board, [], {"images": 3}, folder, ["a", "b"]), most)
    table = run.logged["explanations"]
    names = [row[table.columns.index("name")] for row in table.data]
    assert names == (["a-0", "a-2"] if logged == 2 else ["a-0", "a-1", "a-2"])  # the flat one deserves a look
    assert run.summary == {"images": 3, "explanations_logged": logged, "explanations_left_out": 3 - logged}
    assert said == (
        "W&B: the table of explanations has the 2 of 3 rows that deserve a look first; logger.max_images=0 logs all"
        if logged == 2
        else ""
    )


@pytest.mark.parametrize("package", [saliency, metrics, probes])
def test_the_first_line_of_every_part_says_what_it_does(package: ModuleType) -> None:
    """The page shows it beside the part's name."""
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    parts = [
        part
        for module in modules
        for part in vars(module).values()
        if inspect.isclass(part) and issubclass(part, SaliencyMethod | SaliencyMetric | Probe)
        if part.__module__ == module.__name__ and not inspect.isabstract(part) and not part.__name__.startswith("_")
    ]
    assert len(parts) > 6
    for part in parts:
        line = inspect.getdoc(part).partition("\n")[0]
        assert line[0].isupper(), part
        assert line.endswith("."), part
        assert not line.startswith("See "), part
