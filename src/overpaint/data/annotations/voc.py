"""Pascal VOC's annotations: an XML file for each image."""

from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.entry import Entry, LabelledBox, entry_name
from overpaint.data.annotations.frame import Frame, number


def read_voc(source: Path, files: list[Path]) -> list[Entry]:
    """Lists the images of VOC files, each named as its image (``filename`` inside is often outdated, and not read).

    VOC counts pixels from 1 and both ends are inside: ``xmin`` to ``xmax`` are the edges ``xmin - 1`` and ``xmax``.
    Objects marked ``difficult`` are left out, as in VOC's own evaluation. (TorchRay's pointing game leaves out images
    where all objects of a class are difficult, and elsewhere counts them.)

    Args:
        source: The folder, or the file.
        files: The XML files.
    """
    return [Entry(entry_name(path, source), str(path), partial(_boxes, path)) for path in files]


def _boxes(path: Path, frame: Frame) -> list[LabelledBox]:
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise OverpaintError(f"{path} can't be read as XML ({error})") from error
    if root.tag != "annotation":
        raise OverpaintError(f"{path} is no Pascal VOC file: it holds <{root.tag}>, not <annotation>")
    if root.find("size") is not None:
        width, height = (_text(root, f"size/{side}", str(path)) for side in ("width", "height"))
        frame.check_size(width, height, str(path))
    objects = [(f"{path}: object {index + 1}", found) for index, found in enumerate(root.findall("object"))]
    return [_box(found, place) for place, found in objects if (found.findtext("difficult") or "").strip() != "1"]


def _box(found: ElementTree.Element, place: str) -> LabelledBox:
    name = _text(found, "name", place)
    edges = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (number(_text(found, f"bndbox/{edge}", place), place, edge) for edge in edges)
    return LabelledBox(name, (left - 1, top - 1, right, bottom), place)


def _text(element: ElementTree.Element, tag: str, place: str) -> str:
    text = element.findtext(tag)
    if text is None or not text.strip():
        raise OverpaintError(f"{place} has no <{tag}>")
    return text.strip()
