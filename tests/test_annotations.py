"""Annotated objects: every format in every frame, which image an entry is for, and which class a name is."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from annotated import FORMATS, NAMES, coco, read, write, write_image
from PIL import Image
from torch import Tensor

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.core.types import GroundTruthObjects
from overpaint.data.annotations.objects import BoxObjects, MaskObjects
from overpaint.data.annotations.reading import AnnotationOptions, read_annotations
from overpaint.data.files.kinds import find_images
from overpaint.data.folder import FolderData
from overpaint.data.pattern import read_files
from overpaint.data.reading import Box, Size, read_image


@pytest.mark.parametrize("size", [(24, 24), (24, 48)])
@pytest.mark.parametrize("resize_mode", ["crop", "stretch"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_the_object_is_where_the_image_shows_it(
    tmp_path: Path, name: str, wide: bool, orientation: int, resize_mode: ResizeMode, size: Size
) -> None:
    width, height, box = (96, 48, (36, 12, 64, 32)) if wide else (48, 96, (12, 36, 32, 64))
    image = write_image(tmp_path / "photos" / "a.jpg", width, height, box, orientation)
    source = FORMATS[name](tmp_path / "notes", image, width, height, box)
    (objects,) = read(source, [image], size=size, resize_mode=resize_mode)
    assert isinstance(objects, GroundTruthObjects)
    white = read_image(image, size, 1, resize_mode)[0] > 127
    assert 0 < int(white.sum()) < white.numel() / 2
    assert torch.equal(objects.of_class(1), white)
    if name == "masks":
        assert torch.equal(objects.of_class(0), white)
        assert objects.boxes(1) == []
    else:
        assert not objects.of_class(0).any()
        assert objects.boxes(0) == []
        ((left, top, right, bottom),) = objects.boxes(1)
        assert torch.equal(torch.argwhere(white)[0], torch.tensor([round(top), round(left)]))
        assert torch.equal(torch.argwhere(white)[-1] + 1, torch.tensor([round(bottom), round(right)]))


def _drawn_pixel_by_pixel(size: int, box: Box) -> Tensor:
    left, top, right, bottom = box
    inside = torch.zeros(size, size, dtype=torch.bool)
    for y in range(size):
        for x in range(size):
            inside[y, x] = left <= x + 0.5 < right and top <= y + 0.5 < bottom
    return inside


def test_boxes_are_drawn_as_the_pixels_whose_centres_they_hold() -> None:
    rng = torch.Generator().manual_seed(0)
    for _ in range(100):
        corners = (14 * torch.rand(2, 2, generator=rng) - 3).double()
        extent = 1 + 6 * torch.rand(2, generator=rng).double()
        (left, top), (right, bottom) = corners[0].tolist(), (corners[0] + extent).tolist()
        box = (left, top, right, bottom)
        assert torch.equal(BoxObjects((8, 8), {0: [box]}).of_class(0), _drawn_pixel_by_pixel(8, box))


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((2.6, 3.7, 2.9, 3.9), [(3, 2)]),
        ((2.6, 3.7, 3.4, 4.4), [(4, 3)]),  # no centre inside, though it reaches into two rows and columns
        ((2.6, 1.5, 2.9, 4.5), [(1, 2), (2, 2), (3, 2)]),
        ((2.5, 2.5, 3.5, 3.5), [(2, 2)]),  # the lower edges are inside, the upper ones not
        ((7.8, 7.8, 8.0, 8.0), [(7, 7)]),
        ((-0.4, 2.0, 0.2, 3.0), []),  # its middle has been cropped off
        ((8.1, 2.0, 9.0, 3.0), []),
        ((-5.0, -5.0, -1.0, -1.0), []),
    ],
)
def test_small_and_cropped_boxes(box: Box, pixels: list[tuple[int, int]]) -> None:
    inside = BoxObjects((8, 8), {3: [box]}).of_class(3)
    assert [tuple(place) for place in torch.argwhere(inside).tolist()] == pixels


def test_boxes_of_one_class_are_united_and_cut_at_the_image() -> None:
    objects = BoxObjects(
        (4, 4), {0: [(-2.0, 0.0, 1.0, 1.0), (3.0, 2.0, 9.0, 4.0), (5.0, 0.0, 6.0, 1.0)], 1: [(0, 0, 4, 4)]}
    )
    assert objects.boxes(0) == [(0.0, 0.0, 1.0, 1.0), (3.0, 2.0, 4.0, 4.0)]
    expected = torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]).bool()
    assert torch.equal(objects.of_class(0), expected)


def test_a_mask_with_a_label_counts_for_it_alone() -> None:
    mask = torch.tensor([True, False, True])
    assert torch.equal(MaskObjects(mask, 2).of_class(2), mask)
    assert not MaskObjects(mask, 2).of_class(0).any()


def test_a_mask_is_resized_by_its_nearest_pixels(tmp_path: Path) -> None:
    values = (torch.rand(21, 36, generator=torch.Generator().manual_seed(0)) < 0.5).numpy()
    Image.fromarray(values).save(tmp_path / "a.png")
    image = write_image(tmp_path / "photos" / "a.png", 36, 21)
    (cropped,), (stretched,) = (
        read(tmp_path / "a.png", [image], size=(7, 7), resize_mode=resize_mode) for resize_mode in ("crop", "stretch")
    )
    middles = 3 * np.arange(7) + 1
    assert np.array_equal(cropped.of_class(0).numpy(), values[middles][:, (7.5 + 3 * np.arange(7) + 1.5).astype(int)])
    columns = ((np.arange(7) + 0.5) * 36 / 7).astype(int)
    assert np.array_equal(stretched.of_class(0).numpy(), values[middles][:, columns])


def _palette(path: Path) -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 255, 255, 0, 0, 0])  # what counts is the index, not the colour
    image.paste(1, (1, 1, 3, 3))
    image.save(path)


def _with_alpha(path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 255))
    image.paste((0, 0, 1, 255), (1, 1, 3, 3))
    image.paste((255, 255, 255, 0), (3, 0, 4, 4))  # transparent
    image.save(path)


MASKS: dict[str, Callable[[Path], object]] = {
    "one-bit": lambda p: _middle(Image.new("1", (4, 4), 0), 1).save(p),
    "grey": lambda p: _middle(Image.new("L", (4, 4), 0), 1).save(p),
    "grey-alpha": lambda p: _middle(Image.new("LA", (4, 4), (0, 255)), (9, 255)).save(p),
    "palette-alpha": lambda p: _middle(Image.new("PA", (4, 4), (0, 255)), (1, 255)).save(p),
    "16-bit": lambda p: Image.fromarray(np.pad(np.full((2, 2), 256, np.uint16), 1)).save(p),
    "colour": lambda p: _middle(Image.new("RGB", (4, 4), 0), (0, 0, 1)).save(p),
    "palette": _palette,
    "alpha": _with_alpha,
}


def _middle(image: Image.Image, colour: object) -> Image.Image:
    image.paste(colour, (1, 1, 3, 3))  # type: ignore[arg-type]
    return image


@pytest.mark.parametrize("name", MASKS)
def test_whatever_is_not_zero_marks_the_object(tmp_path: Path, name: str) -> None:
    MASKS[name](tmp_path / "a.tif")
    (objects,) = read(tmp_path / "a.tif", [write_image(tmp_path / "photos" / "a.png", 4, 4)], size=(4, 4))
    expected = torch.zeros(4, 4, dtype=torch.bool)
    expected[1:3, 1:3] = True
    assert torch.equal(objects.of_class(0), expected)


def test_an_image_without_an_entry_has_no_objects(tmp_path: Path) -> None:
    images = [write_image(tmp_path / f"{name}.png", 8, 8) for name in "ba"]
    without, with_ = read(coco(tmp_path, images[1], 8, 8, (0, 0, 4, 4)), images)
    assert not any(without.of_class(target).any() for target in range(3))
    assert with_.of_class(1).any()
    nothing = read_annotations(AnnotationOptions(), NAMES, images, (4, 4), "crop")
    assert [bool(objects.of_class(1).any()) for objects in nothing] == [False, False]


def test_images_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    images = [write_image(tmp_path / "photos" / place, 8, 8) for place in ("a.png", "x/a.png", "y/a.png", "y/b.v2.png")]
    for place, target in {"a": 0, "x/a": 1, "y/a": 2, "b.v2": 1}.items():
        write(tmp_path / "labels" / f"{place}.txt", f"{target} 0.5 0.5 1 1\n")
    found = read(tmp_path / "labels", images)
    assert [[t for t in range(3) if objects.of_class(t).any()] for objects in found] == [[0], [1], [2], [1]]
    rows = "y\\a.png,cat,0,0,8,8\n./x/a.png,dog,0,0,8,8\nelsewhere/a.png,no class,1,0,0,NaN\n"
    found = read(write(tmp_path / "a.csv", f"image,class,left,top,right,bottom\n{rows}"), images[1:])
    assert [[t for t in range(3) if objects.of_class(t).any()] for objects in found] == [[2], [0], []]


def test_names_that_fit_several_images_or_none_are_errors(tmp_path: Path) -> None:
    images = [write_image(tmp_path / "photos" / place, 8, 8) for place in ("x/a.png", "y/a.png")]
    source = write(tmp_path / "labels" / "a.txt", "0 0.5 0.5 1 1\n").parent
    with pytest.raises(OverpaintError, match=r"labels/a\.txt may be for .*x/a\.png or for .*y/a\.png; name the image"):
        read(source, images)
    (source / "a.txt").rename(source / "b.txt")
    with pytest.raises(
        OverpaintError, match=r"none of its 1 images, such as b, is one of the 2 images .*such as a\.png"
    ):
        read(source, images)
    for suffix in ("png", "tif"):
        write_image(tmp_path / "masks" / f"a.{suffix}", 8, 8)
    with pytest.raises(OverpaintError, match=r"masks/a\.png and .*masks/a\.tif are both for the image .*x/a\.png"):
        read(tmp_path / "masks", images[:1])


def _crane(folder: Path, name: str, number: int) -> tuple[Path, Path]:
    image = write_image(folder / "a.png", 8, 8)
    source = coco(folder, image, 8, 8, (0, 0, 4, 4))
    content = json.loads(source.read_text())
    content["categories"] = [{"id": number, "name": name}]
    content["annotations"][0]["category_id"] = number
    return write(source, json.dumps(content)), image


@pytest.mark.parametrize(
    ("name", "number", "index"),
    [("crane", 2, 2), ("crane", 3, 3), ("Crane", 1, 0), ("CRANE", 0, 0), ("great_white  shark", 9, 1)],
)
def test_classes_are_found_by_name_and_by_number_where_two_share_one(
    tmp_path: Path, name: str, number: int, index: int
) -> None:
    names = ["Crane", "Great white shark", "crane", "crane"]
    source, image = _crane(tmp_path, name, number)
    (objects,) = read(source, [image], names)
    assert isinstance(objects, BoxObjects)
    assert list(objects.by_class) == [index]


def test_classes_that_cannot_be_found_are_errors(tmp_path: Path) -> None:
    source, image = _crane(tmp_path, "crane", 8)
    with pytest.raises(OverpaintError, match=r"a\.json: annotations\[0\]: classes 0 and 2 .* both called 'crane'"):
        read(source, [image], ["crane", "cat", "crane"])
    with pytest.raises(OverpaintError, match=r"no class 'crane'; did you mean Cranes\? \(annotations\.unknown=skip"):
        read(source, [image], ["cat", "Cranes"])
    with pytest.raises(OverpaintError, match=r"no class 'crane'; it knows 0, 1 \(annotations\.unknown=skip leaves"):
        read(source, [image], ["0", "1"])
    (objects,) = read(source, [image], ["cat", "Cranes"], unknown="skip")
    assert isinstance(objects, BoxObjects)
    assert not objects.by_class


def test_the_data_know_the_files_of_their_images(tmp_path: Path) -> None:
    paths = [write_image(tmp_path / f"{name}.png", 8, 8) for name in "abcd"]
    (tmp_path / "bb.png").write_text("no picture")
    split, _ = read_files(str(tmp_path), (8, 8), 3, "crop", 0)
    assert split.paths == paths
    assert split.subset([2, 0]).paths == [paths[2], paths[0]]
    data = FolderData(str(tmp_path), image_size=8)
    data.setup()
    for one in (data.train, data.val, data.test):
        assert one.paths is not None
        assert [path.name for path in one.paths] == list(one.names)


@pytest.mark.skipif("OVERPAINT_DATA" not in os.environ, reason="OVERPAINT_DATA names no folder of photographs")
@pytest.mark.parametrize("resize_mode", ["crop", "stretch"])
def test_the_photographs_annotations_are_read_whole(resize_mode: ResizeMode) -> None:
    data = Path(os.environ["OVERPAINT_DATA"])
    names = (data / "imagenet_classes.txt").read_text().splitlines()
    truth = json.loads((data / "photos" / "annotations.json").read_text())
    paths = find_images(data / "photos")
    found = read(data / "photos" / "annotations.json", paths, names, (224, 224), resize_mode)
    assert len(found) == 69
    boxes = {(a["image_id"], a["category_id"], i) for i, a in enumerate(truth["annotations"])}
    assert sum(len(b) for objects in found if isinstance(objects, BoxObjects) for b in objects.by_class.values()) == 122
    ids = {image["file_name"]: image["id"] for image in truth["images"]}
    for path, objects in zip(paths, found, strict=True):
        classes = {category for image, category, _ in boxes if image == ids[path.name]}
        assert isinstance(objects, BoxObjects)
        assert set(objects.by_class) == classes
        if resize_mode == "stretch":
            assert all(objects.of_class(category).any() for category in classes)
