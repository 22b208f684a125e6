"""Torchvision's data sets: read where they lie, fetched where they can be, a clear error otherwise."""

import struct
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import Dataset

from overpaint.core.errors import OverpaintError
from overpaint.data.torchvision_sets import WHERE, Name, TorchvisionData

CLASSES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10", "celeba": "CelebA"}


class _Fake(Dataset[Any]):
    """A set of plain pictures; the label of picture ``i`` is ``i % 3``, its brightness ``i``."""

    classes = ("ant", "bee", "cow")
    attr_names = ("Bald", "Smiling")
    mode, size = "RGB", (20, 20)
    downloads: list[str]

    def __init__(self, root: str, train: bool = True, split: str = "", download: bool = False) -> None:
        if download:
            self.downloads.append(root)
        elif not self.downloads:
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.count = {"train": 40, "valid": 7, "test": 9}[split or ("train" if train else "test")]
        self.targets = torch.arange(self.count) % 3
        self.attr = torch.stack([torch.ones(self.count, dtype=torch.long), torch.arange(self.count) % 2], dim=1)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", self.size, (index, index, index)).convert(self.mode), index % 3


class _Unreachable:
    def __init__(self, root: str, download: bool = False, **split: Any) -> None:
        raise OSError("<urlopen error no network>\nmore") if download else RuntimeError("Dataset not found.")


def _fake(monkeypatch: pytest.MonkeyPatch, dataset: str, **changes: Any) -> list[str]:
    """Puts the fake in torchvision's place; returns the list that notes downloads."""
    downloads: list[str] = []
    fake = type("Fake", (_Fake,), {"downloads": downloads} | changes)
    monkeypatch.setattr(torchvision.datasets, CLASSES[dataset], fake)
    return downloads


def _set_up(dataset: Name, **settings: Any) -> TorchvisionData:
    data = TorchvisionData(dataset, **settings)
    data.prepare_data()
    data.setup()
    return data


def _write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(f">I{values.ndim}I", 0x0800 + values.ndim, *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


@pytest.mark.parametrize("dataset", get_args(Name))
def test_what_can_not_be_had_says_what_to_put_where(monkeypatch: pytest.MonkeyPatch, dataset: Name) -> None:
    monkeypatch.setattr(torchvision.datasets, CLASSES[dataset], _Unreachable)
    with pytest.raises(OverpaintError) as caught:
        _set_up(dataset, root="my/sets")
    assert str(caught.value) == (
        f"data={dataset} is not in data.root=my/sets and can't be downloaded (<urlopen error no network>); "
        f"put there {WHERE[dataset]}"
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "cifar10"])
def test_splits_shapes_and_labels(monkeypatch: pytest.MonkeyPatch, dataset: Name, channels: int) -> None:
    _fake(monkeypatch, dataset, mode="RGB" if dataset == "cifar10" else "L")
    data = _set_up(dataset, channels=channels)
    assert data.class_names == ["ant", "bee", "cow"]
    for split, count in ((data.train, 36), (data.val, 4), (data.test, 9)):
        assert split.images.shape == (count, channels, 32, 32)
        assert len(set(split.names)) == len(split) == count
        brightness = split.images[:, 0, 16, 16].long()
        assert torch.equal(split.labels, brightness % 3)
        assert [int(name.split("-")[1]) for name in split.names] == brightness.tolist()
    drawn = torch.cat([data.train.images, data.val.images])[:, 0, 0, 0]
    assert sorted(drawn.tolist()) == list(range(40))


def test_the_split_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, "mnist")
    first, again, other = _set_up("mnist"), _set_up("mnist"), _set_up("mnist", seed=1)
    assert first.val.names == again.val.names != other.val.names
    assert torch.equal(first.train.images, again.train.images)


def test_only_what_is_missing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = _fake(monkeypatch, "cifar10")
    _set_up("cifar10", root="my/sets")
    assert downloads == ["my/sets"]
    _set_up("cifar10", root="my/sets")
    assert len(downloads) == 1


def test_without_prepare_data_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = _fake(monkeypatch, "cifar10")
    with pytest.raises(
        OverpaintError, match=r"data=cifar10 is not in data\.root=my/sets; prepare_data\(\) downloads it"
    ):
        TorchvisionData("cifar10", "my/sets").setup("fit")
    assert not downloads


@pytest.mark.parametrize("dataset", ["mnist", "celeba"])
def test_only_what_is_needed_is_opened_and_decoded(monkeypatch: pytest.MonkeyPatch, dataset: Name) -> None:
    decoded: list[int] = []

    def note(self: _Fake, index: int) -> tuple[Image.Image, int]:
        decoded.append(index)
        return Image.new("RGB", self.size), 0

    opened: list[str] = []

    def init(self: _Fake, root: str, train: bool = True, split: str = "", download: bool = False) -> None:
        opened.append(split or ("train" if train else "test"))
        _Fake.__init__(self, root, train, split, download)

    downloads = _fake(monkeypatch, dataset, __getitem__=note, __init__=init)
    data = TorchvisionData(dataset)
    data.prepare_data()
    assert len(downloads) == 1
    test = data.open_split("test")
    assert set(opened) == {"test"}
    assert not decoded
    split, _ = test.read(range(2))
    assert decoded == [0, 1]
    data.setup("test")
    assert list(data.test.names[:2]) == list(split.names)
    data.setup("fit")
    assert len(decoded) == 2 + 9 + (40 if dataset == "mnist" else 47)


def test_an_attribute_makes_two_classes_of_celeba(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, "celeba")
    data = _set_up("celeba")
    assert data.class_names == ["not_Smiling", "Smiling"]
    for split, count in ((data.train, 40), (data.val, 7), (data.test, 9)):
        assert split.images.shape == (count, 3, 64, 64)
        assert split.labels.tolist() == [index % 2 for index in range(count)]
    assert set(_set_up("celeba", attribute="Bald").test.labels.tolist()) == {1}
    with pytest.raises(OverpaintError, match=r"data\.attribute=Smilling is no attribute of CelebA"):
        _set_up("celeba", attribute="Smilling")


def test_tall_pictures_are_cropped_to_their_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.new("RGB", (20, 40), (255, 0, 0))
    picture.paste((0, 255, 0), (0, 10, 20, 30))
    _fake(monkeypatch, "celeba", __getitem__=lambda self, index: (picture, 0))
    images = _set_up("celeba", image_size=20).test.images
    assert torch.equal(images, torch.tensor([0, 255, 0]).byte()[:, None, None].expand(9, 3, 20, 20))
    wide = _set_up("celeba", image_size=(10, 20)).test.images
    assert torch.equal(wide, torch.tensor([0, 255, 0]).byte()[:, None, None].expand(9, 3, 10, 20))


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_from_where_the_error_says(tmp_path: Path, dataset: Name) -> None:
    raw = tmp_path / WHERE[dataset].split()[0]
    for prefix, count in (("train", 30), ("t10k", 10)):
        pictures = np.arange(count, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
        _write_idx(raw / f"{prefix}-images-idx3-ubyte", pictures)
        _write_idx(raw / f"{prefix}-labels-idx1-ubyte", np.arange(count) % 10)
    data = _set_up(dataset, root=str(tmp_path), channels=1)
    assert len(data.class_names) == 10
    assert [len(split) for split in (data.train, data.val, data.test)] == [27, 3, 10]
    assert torch.equal(data.train.labels, data.train.images[:, 0, 0, 0].long() % 10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 2}, r"data\.channels=2 must be 1 \(grey\) or 3 \(RGB\)"),
        ({"image_size": -1}, r"TorchvisionData\.image_size=-1 must be at least 1"),
    ],
)
def test_impossible_image_settings_are_named(settings: dict[str, int], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        TorchvisionData("mnist", **settings)
