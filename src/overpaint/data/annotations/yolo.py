"""YOLO's annotations: a text file for each image, a line for each box."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.entry import Entry, LabelledBox, entry_name, read_text
from overpaint.data.annotations.frame import Frame, number

NAME_FILES = ("classes.txt", "data.yaml", "data.yml")
"""Files that name the classes, beside the labels or up to two folders above (``data.yaml``, ``labels/train/1.txt``)."""


def read_yolo(source: Path, files: list[Path], class_names: Sequence[str]) -> list[Entry]:
    """Lists the images of YOLO files, each named as its image.

    A line is ``class centre_x centre_y width height``: the index of the class, and shares of the image's sides.

    Args:
        source: The folder, or the file.
        files: The text files.
        class_names: The classifier's classes, which the indices mean where no file names others.

    Raises:
        OverpaintError: If the file of names can't be read.
    """
    folder = (source if source.is_dir() else source.parent).absolute()
    places = [place / name for place in (folder, *folder.parents[:2]) for name in NAME_FILES]
    given = next((place for place in places if place.is_file()), None)
    names = dict(enumerate(class_names)) if given is None else _read_names(given)
    origin = "the classifier" if given is None else str(given)
    return [Entry(entry_name(path, source), str(path), partial(_boxes, path, names, origin)) for path in files]


def _boxes(path: Path, names: dict[int, str], origin: str, frame: Frame) -> list[LabelledBox]:
    boxes = []
    for index, line in enumerate(read_text(path).splitlines()):
        place, words = f"{path} line {index + 1}", line.split()
        if not words:
            continue
        if len(words) != 5:
            raise OverpaintError(f"{place} has {len(words)} values, not class, centre x, centre y, width and height")
        if not words[0].isdecimal() or int(words[0]) not in names:
            raise OverpaintError(
                f"{place}: class {words[0]} is not the index of any of {origin}'s {len(names)} classes"
            )
        x, y, width, height = (number(word, place, "value") for word in words[1:])
        if not all(0 <= value <= 1 for value in (x, y, width, height)):
            raise OverpaintError(f"{place} has values outside 0 to 1; they must be shares of the image's sides")
        left, right = (frame.width * (x + half * width) for half in (-0.5, 0.5))
        top, bottom = (frame.height * (y + half * height) for half in (-0.5, 0.5))
        boxes.append(LabelledBox(names[int(words[0])], (left, top, right, bottom), place, int(words[0])))
    return boxes


def _read_names(path: Path) -> dict[int, str]:
    """Reads names, one a line, or the list or mapping ``names`` of a YAML file."""
    if path.suffix == ".txt":
        return dict(enumerate(line.strip() for line in read_text(path).rstrip().splitlines()))
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise OverpaintError(f"{path} is no YAML ({' '.join(str(error).split())})") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(key, int) for key in names):
        raise OverpaintError(f"{path} has no 'names', a list of the classes or a mapping from their indices")
    return {key: str(name) for key, name in names.items()}
