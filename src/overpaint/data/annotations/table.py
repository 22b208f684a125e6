"""Annotations in a table: one CSV file for all images, a line for each box."""

import csv
from functools import partial
from pathlib import Path

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.entry import Entry, LabelledBox, read_text
from overpaint.data.annotations.frame import Frame, number

COLUMNS = {
    "image": ("image", "filename", "file_name", "file"),
    "class": ("class", "label", "class_name"),
    "left": ("left", "xmin", "x_min", "x1"),
    "top": ("top", "ymin", "y_min", "y1"),
    "right": ("right", "xmax", "x_max", "x2"),
    "bottom": ("bottom", "ymax", "y_max", "y2"),
}
"""What a column may be called."""


def read_table(source: Path) -> list[Entry]:
    """Lists the images of a CSV file with the header ``image,class,left,top,right,bottom`` (or ``COLUMNS``).

    The numbers are edges in pixels of the image file. Columns ``width`` and ``height``, where there are both, state the
    image's size.

    Args:
        source: The file.

    Raises:
        OverpaintError: If a column is missing, or a line has too few or too many values.
    """
    lines = csv.reader(read_text(source).splitlines(), strict=True)
    images: dict[str, list[tuple[str, dict[str, str]]]] = {}
    try:
        header = [word.strip().lower() for word in next(lines, [])]
        columns = {name: _column(name, header, source) for name in COLUMNS}
        if "width" in header and "height" in header:
            columns |= {side: header.index(side) for side in ("width", "height")}
        for values in lines:
            place = f"{source} line {lines.line_num}"
            if not values:
                continue
            if len(values) != len(header):
                raise OverpaintError(f"{place} has {len(values)} values, but the header {len(header)}")
            row = {name: values[column].strip() for name, column in columns.items()}
            images.setdefault(row["image"], []).append((place, row))
    except csv.Error as error:
        raise OverpaintError(f"{source} line {lines.line_num} is no CSV ({error})") from error
    return [Entry(image, rows[0][0], partial(_boxes, rows)) for image, rows in images.items()]


def _boxes(rows: list[tuple[str, dict[str, str]]], frame: Frame) -> list[LabelledBox]:
    boxes = []
    for place, row in rows:
        if "width" in row:
            frame.check_size(row["width"], row["height"], place)
        left, top, right, bottom = (number(row[edge], place, edge) for edge in ("left", "top", "right", "bottom"))
        boxes.append(LabelledBox(row["class"], (left, top, right, bottom), place))
    return boxes


def _column(name: str, header: list[str], source: Path) -> int:
    found = [header.index(alias) for alias in COLUMNS[name] if alias in header]
    if len(found) != 1:
        which = "no column" if not found else f"{len(found)} columns for"
        raise OverpaintError(f"{source} has {which} '{name}'; its first line must be image,class,left,top,right,bottom")
    return found[0]
