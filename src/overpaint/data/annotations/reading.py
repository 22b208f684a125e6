"""Reads the annotated objects of images: recognises the format, and matches entries with image files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.core.types import GroundTruthObjects
from overpaint.data.annotations.classes import ClassFinder, Unknown
from overpaint.data.annotations.coco import read_coco
from overpaint.data.annotations.entry import Entry
from overpaint.data.annotations.frame import Frame
from overpaint.data.annotations.objects import BoxObjects, MaskObjects
from overpaint.data.annotations.pictures import read_pictures
from overpaint.data.annotations.table import read_table
from overpaint.data.annotations.voc import read_voc
from overpaint.data.annotations.yolo import NAME_FILES, read_yolo
from overpaint.data.files.kinds import find_files, is_picture
from overpaint.data.reading import Box, Size

FORMATS = "a .json file of COCO, a .csv file, or a folder of .xml (Pascal VOC), .txt (YOLO) or mask pictures"


@dataclass(frozen=True)
class AnnotationOptions:
    """What a user says of annotations.

    Attributes:
        source: A COCO file (``.json``), a table (``.csv``), or a folder (or one file) of Pascal VOC's ``.xml``, YOLO's
            ``.txt`` or mask pictures. A folder that holds several of them is read as the first of these. None: no image
            is annotated.
        unknown: What is done with objects whose class the classifier does not know: ``error``, or ``skip``.
    """

    source: str | None = None
    unknown: Unknown = "error"


def read_annotations(
    options: AnnotationOptions, class_names: Sequence[str], paths: Sequence[Path], size: Size, resize_mode: ResizeMode
) -> list[GroundTruthObjects]:
    """Reads the annotated objects of images, for the images that ``read_images`` makes of them.

    An entry is for the image whose path ends with its name. An image without an entry has no objects; entries of other
    images are not looked at.

    Args:
        options: Where the annotations are.
        class_names: The classifier's classes; annotations mean one by its name.
        paths: The image files.
        size: Height and width of the images that are made of the files.
        resize_mode: ``crop`` or ``stretch``.

    Returns:
        The objects of each image, drawn as ``(height, width)``.

    Raises:
        OverpaintError: If the annotations can't be read, none is for one of the images, or one does not fit its image.
    """
    objects_of = open_annotations(options, class_names, paths, size, resize_mode)
    return [objects_of(path) for path in paths]


def open_annotations(
    options: AnnotationOptions, class_names: Sequence[str], paths: Sequence[Path], size: Size, resize_mode: ResizeMode
) -> Callable[[Path], GroundTruthObjects]:
    """Matches annotations with images, and returns what reads the objects of one of them; see `read_annotations`.

    No image is opened before its objects are asked for.

    Args:
        options: Where the annotations are.
        class_names: The classifier's classes; annotations mean one by its name.
        paths: The image files.
        size: Height and width of the images that are made of the files.
        resize_mode: ``crop`` or ``stretch``.

    Raises:
        OverpaintError: If the annotations can't be read, or none is for one of the images.
    """
    if options.source is None:
        return lambda path: BoxObjects(size, {})
    found = _match(options.source, _list_entries(options.source, class_names), paths)
    entries = dict(zip(paths, found, strict=True))
    finder = ClassFinder(class_names, options.unknown)

    def objects_of(path: Path) -> GroundTruthObjects:
        entry = entries[path]
        return BoxObjects(size, {}) if entry is None else _read(entry, Frame.of(path, size, resize_mode), finder)

    return objects_of


def _list_entries(given: str, class_names: Sequence[str]) -> list[Entry]:
    """Recognises the format and lists the annotated images."""
    source = Path(given).expanduser()
    if not source.exists():
        raise OverpaintError(f"annotations={given} does not exist")
    if source.suffix.lower() == ".json" and source.is_file():
        return read_coco(source)
    if source.suffix.lower() == ".csv" and source.is_file():
        return read_table(source)
    if files := _files(source, {".xml"}):
        return read_voc(source, files)
    if files := [path for path in _files(source, {".txt"}) if path.name not in NAME_FILES]:
        return read_yolo(source, files, class_names)
    tables = _files(source, {".json", ".csv"})
    if tables:
        raise OverpaintError(f"annotations={given} is a folder; name the file in it, such as {tables[0]}")
    if files := find_files(source, is_picture) if source.is_dir() else [source] if is_picture(source) else []:
        return read_pictures(source, files)
    what = "is a folder without annotations" if source.is_dir() else "is no file of annotations"
    raise OverpaintError(f"annotations={given} {what}; it takes {FORMATS}")


def _files(source: Path, suffixes: set[str]) -> list[Path]:
    if source.is_dir():
        return find_files(source, lambda path: path.suffix.lower() in suffixes)
    return [source] if source.suffix.lower() in suffixes else []


def _match(given: str, entries: Sequence[Entry], paths: Sequence[Path]) -> list[Entry | None]:
    """Finds the entry of each image: of those with whose name its path ends, the longest."""
    named: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        named.setdefault(PurePosixPath(entry.image.replace("\\", "/")).parts, []).append(entry)
    images: dict[str, Path] = {}
    found: list[Entry | None] = []
    for path in paths:
        parts = path.absolute().parts
        ends = [(*parts[i:-1], name) for i in range(len(parts)) for name in (path.name, path.stem)]
        mine = next((named[end] for end in ends if end in named), [])
        if len(mine) > 1:
            raise OverpaintError(f"{mine[0].where} and {mine[1].where} are both for the image {path}; leave one")
        if mine and images.setdefault(mine[0].where, path) != path:
            raise OverpaintError(
                f"{mine[0].where} may be for {images[mine[0].where]} or for {path}; name the image with its folder and "
                "suffix"
            )
        found.append(mine[0] if mine else None)
    if paths and not any(found):
        sample = f"such as {entries[0].image}, " if entries else ""
        raise OverpaintError(
            f"annotations={given}: none of its {len(entries)} images, {sample}is one of the {len(paths)} images to "
            f"explain, such as {paths[0].name}; the names must be the same"
        )
    return found


def _read(entry: Entry, frame: Frame, finder: ClassFinder) -> GroundTruthObjects:
    read = entry.read(frame)
    if isinstance(read, MaskObjects):
        return read
    boxes: dict[int, list[Box]] = {}
    for labelled in read:
        box = frame.to_resized(labelled.box, labelled.where)
        target = finder.find(labelled.name, labelled.number, labelled.where)
        if target is not None:
            boxes.setdefault(target, []).append(box)
    return BoxObjects(frame.size, boxes)
