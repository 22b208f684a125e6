"""Images that are not square, end to end: trained on, explained, their regions repainted, the report drawn."""

from collections.abc import Iterator
from pathlib import Path

import foreign
import numpy as np
import pytest
import torch
from PIL import Image

from overpaint.cli.entry import explain, train
from overpaint.core.files import read_arrays
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.report import generator_gallery

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SIZE = (24, 40)
QUICK = [
    "logger.mode=none",
    "trainer.enable_progress_bar=false",
    "allow_code=true",
    "search.num_variants=3",
    "search.steps=2",
    "metrics=[]",
]
SURROGATE = ["saliency.surrogate.queries=64", "saliency.surrogate.cells=4"]


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from foreign.importable(tmp_path, monkeypatch)


def _photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(count)
    for i in range(count):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def _write_dcgan(path: Path, size: int | tuple[int, int]) -> Path:
    torch.manual_seed(0)
    networks = {"ema.module": Generator(size, 3, 4, 2), "discriminator": Discriminator(size, 3, 2)}
    settings = {
        "generator": networks["ema.module"].settings,
        "discriminator": networks["discriminator"].settings,
    }
    tensors = {f"{name}.{key}": value for name, one in networks.items() for key, value in one.state_dict().items()}
    torch.save({FORMAT_KEY: {"kind": "dcgan", "settings": settings}, "state_dict": tensors}, path)
    return path


def _check(folder: Path, methods: list[str]) -> None:
    """Checks what was written of one image."""
    saliency, variants = read_arrays(folder / "saliency.npz"), read_arrays(folder / "variants.npz")
    image, region, painted = saliency["image"], saliency["region"], variants["images"]
    assert image.shape == (3, *SIZE)
    for name in methods:
        assert saliency[f"map_{name}"].shape == SIZE
        assert np.isfinite(saliency[f"map_{name}"]).all()
    assert 0.05 < region.mean() < 0.2
    assert painted.shape == (3, 3, *SIZE)
    np.testing.assert_array_equal(
        painted[:, :, ~region], np.broadcast_to(image[:, ~region], painted[:, :, ~region].shape)
    )
    assert np.abs(painted[:, :, region] - image[:, region]).max() > 0.1
    with Image.open(folder / "overview.png") as picture:
        assert picture.width > picture.height


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "painter"), [("factory", 16), ("factory", SIZE), ("torchscript", 16), ("exported", SIZE), ("onnx", SIZE)]
)
def test_a_foreign_classifier_is_explained_and_repainted(
    kind: str, painter: int | tuple[int, int], factories: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "onnx":
        pytest.importorskip("onnxruntime")
    given = "classifier.image_size=[24,40]"
    words = {
        "factory": lambda: [f"classifier={factories}:fixed", given],
        "torchscript": lambda: [f"classifier={foreign.write_torchscript(tmp_path / 'net.pt', size=SIZE)}", given],
        "exported": lambda: [f"classifier={foreign.write_exported(tmp_path / 'net.pt2', 2, SIZE)}"],
        "onnx": lambda: [f"classifier={foreign.write_onnx(tmp_path / 'net.onnx', (1, 3, *SIZE))}"],
    }[kind]()
    methods = ["surrogate", "occlusion", *(["grad_cam"] if kind == "factory" else [])]
    words += [f"generator={_write_dcgan(tmp_path / 'dcgan.ckpt', painter)}", f"methods=[{','.join(methods)}]"]
    words += [f"images={_photos(tmp_path / 'photos', 1)}", f"output={tmp_path / 'out'}"]
    explain(CONFIGS, [*QUICK, *SURROGATE, *words])
    said = capsys.readouterr().out.replace("\n", " ")
    assert ("paints 16x16 pixels, the classifier sees 24x40" in said) == (painter == 16)
    _check(tmp_path / "out" / "explain" / "0", methods)
    assert (tmp_path / "out" / "explain" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:samples/.* are left out")  # the validation split is tiny
def test_a_domain_is_trained_on_and_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_gallery, "COMPARED", 24)
    for index, name in enumerate(("cat", "dog")):
        _photos(tmp_path / "photos" / name, 12 + index)
    words = ["data=folder", f"data.root={tmp_path / 'photos'}", "data.image_size=[24,40]", *QUICK[:2]]
    words += ["model.classifier.batch_size=8", "model.dcgan.batch_size=8", "model.dcgan.base_channels=2"]
    words += ["model.dcgan.encoder=true", "trainer.max_epochs=1", f"output={tmp_path / 'out'}"]
    train(CONFIGS, words)
    for name in ("classifier", "dcgan"):
        settings = torch.load(tmp_path / "out" / f"{name}.ckpt", weights_only=True)[FORMAT_KEY]["settings"]
        assert settings.get("generator", settings)["image_size"] == [24, 40]
    for name, rows in (("samples", 8), ("interpolation", 8)):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.height % (rows * SIZE[0] + (rows - 1) * 2) == 0
    explain(CONFIGS, [*QUICK, *SURROGATE, f"output={tmp_path / 'out'}", "methods=[surrogate,grad_cam]", "limit=1"])
    (folder,) = (path for path in (tmp_path / "out" / "explain").iterdir() if path.is_dir())
    _check(folder, ["surrogate", "grad_cam"])
