"""Writes an image with a white object, and the same object as an annotation of each format."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from overpaint.core.choices import ResizeMode
from overpaint.data.annotations.objects import BoxObjects, MaskObjects
from overpaint.data.annotations.reading import AnnotationOptions, read_annotations
from overpaint.data.reading import Box, Size

TURNED = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored that EXIF's orientation makes upright."""
NAMES = ["cat", "sports car", "dog"]


def write_image(path: Path, width: int, height: int, box: Box = (0, 0, 0, 0), orientation: int = 1) -> Path:
    """A black image that is white inside the box."""
    values = np.zeros((height, width), np.uint8)
    left, top, right, bottom = map(int, box)
    values[top:bottom, left:right] = 255
    image, exif = Image.fromarray(values).convert("RGB"), Image.Exif()
    exif[274] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.transpose(TURNED[orientation]) if orientation in TURNED else image).save(path, exif=exif, quality=95)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def coco(folder: Path, image: Path, width: int, height: int, box: Box) -> Path:
    left, top, right, bottom = box
    content = {
        "images": [{"id": 7, "file_name": image.name, "width": width, "height": height}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [left, top, right - left, bottom - top]}],
        "categories": [{"id": 3, "name": "Sports_Car"}],
    }
    return write(folder / "a.json", json.dumps(content))


def voc_text(objects: str, size: str = "") -> str:
    return f"<annotation><filename>old name.jpg</filename>{size}{objects}</annotation>"


def voc_object(box: Box, name: str = "sports car", more: str = "") -> str:
    left, top, right, bottom = box
    edges = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
    corners = "".join(f"<{edge}>{value}</{edge}>" for edge, value in edges.items())
    return f"<object><name>{name}</name>{more}<bndbox>{corners}</bndbox></object>"


def voc(folder: Path, image: Path, width: int, height: int, box: Box) -> Path:
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    write(folder / f"{image.stem}.xml", voc_text(voc_object(box), size))
    return folder


def yolo(folder: Path, image: Path, width: int, height: int, box: Box) -> Path:
    left, top, right, bottom = box
    values = ((left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height)
    write(folder / f"{image.stem}.txt", f"1 {' '.join(map(repr, values))}\n")
    return folder


def table(folder: Path, image: Path, width: int, height: int, box: Box) -> Path:
    return write(
        folder / "a.csv", f"image,class,left,top,right,bottom\n{image.name},sports car,{','.join(map(str, box))}\n"
    )


def masks(folder: Path, image: Path, width: int, height: int, box: Box) -> Path:
    write_image(folder / f"{image.stem}.png", width, height, box)
    return folder


FORMATS: dict[str, Callable[[Path, Path, int, int, Box], Path]] = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "table": table,
    "masks": masks,
}


def read(
    source: Path,
    paths: Sequence[Path],
    names: Sequence[str] = NAMES,
    size: Size = (24, 24),
    resize_mode: ResizeMode = "stretch",
    **more: str,
) -> list[BoxObjects | MaskObjects]:
    return read_annotations(AnnotationOptions(str(source), **more), names, paths, size, resize_mode)  # type: ignore[arg-type, return-value]
