"""COCO's annotations: one JSON file for all images."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.entry import Entry, LabelledBox, read_text
from overpaint.data.annotations.frame import Frame, number


def read_coco(source: Path) -> list[Entry]:
    """Lists the images of a COCO file.

    ``bbox`` (left, top, width, height in pixels) is read; ``segmentation`` is not, so that an object counts as its box.
    Crowds (``iscrowd``) are left out, since their boxes hold much else.

    Args:
        source: The file, with ``images``, ``annotations`` and ``categories``.

    Raises:
        OverpaintError: If it is no such file.
    """
    images, annotations, categories = _lists(source, "images", "annotations", "categories")
    names: dict[Any, str] = {}
    for index, category in enumerate(categories):
        place = f"{source}: categories[{index}]"
        names[_get(category, "id", place, int)] = _get(category, "name", place, str)
    objects: dict[Any, list[tuple[str, Any]]] = {}
    for index, image in enumerate(images):
        place = f"{source}: images[{index}]"
        if _get(image, "id", place, int, str) in objects:
            raise OverpaintError(f"{place} has the id={image['id']} of another image")
        objects[image["id"]] = []
    for index, annotation in enumerate(annotations):
        place = f"{source}: annotations[{index}]"
        key = _get(annotation, "image_id", place, int, str)
        if key not in objects:
            raise OverpaintError(f"{place}: image_id={key} is not the id of any of its images")
        objects[key].append((place, annotation))
    entries = []
    for index, image in enumerate(images):
        place = f"{source}: images[{index}]"
        read = partial(_boxes, image, place, objects[image["id"]], names)
        entries.append(Entry(_get(image, "file_name", place, str), place, read))
    return entries


def _boxes(
    image: Any, place: str, annotations: list[tuple[str, Any]], names: dict[Any, str], frame: Frame
) -> list[LabelledBox]:
    if "width" in image and "height" in image:
        frame.check_size(image["width"], image["height"], place)
    return [_box(annotation, where, names) for where, annotation in annotations if not annotation.get("iscrowd")]


def _box(annotation: Any, place: str, names: dict[Any, str]) -> LabelledBox:
    category, edges = _get(annotation, "category_id", place, int), _get(annotation, "bbox", place, list)
    if category not in names:
        raise OverpaintError(f"{place}: category_id={category} is not the id of any of its categories")
    if len(edges) != 4:
        raise OverpaintError(f"{place}: bbox has {len(edges)} values, not left, top, width and height")
    left, top, width, height = (number(value, place, "bbox") for value in edges)
    return LabelledBox(names[category], (left, top, left + width, top + height), place, category)


def _lists(source: Path, *keys: str) -> list[list[Any]]:
    try:
        content = json.loads(read_text(source))
    except (ValueError, RecursionError) as error:
        raise OverpaintError(f"{source} is no JSON ({error})") from error
    for key in keys:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise OverpaintError(f"{source} is no COCO file: it has no list '{key}'")
    return [content[key] for key in keys]


def _get(content: Any, key: str, place: str, *kinds: type) -> Any:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, kinds) or isinstance(value, bool):
        wanted = " or ".join({"int": "whole number", "str": "text", "list": "list"}[kind.__name__] for kind in kinds)
        raise OverpaintError(f"{place} has no '{key}' that is a {wanted}")
    return value
