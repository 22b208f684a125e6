"""Kinds of picture files, recognised by their suffix or their content."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})

HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})

NUMPY_SUFFIX = ".npy"

Signature = Literal["dicom", "numpy", "tiff"]

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How TIFF and BigTIFF files begin."""

NO_PICTURES = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""What Pillow recognises and can't draw, or draws by another program."""

BY_CONTENT = (
    *("AVIF", "BMP", "DDS", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "PSD", "QOI", "SUN", "TIFF"),
    "WEBP",
)
"""The kinds with a signature that no text has; others are recognised by their suffix alone."""


@cache
def register_heif() -> bool:
    """Teaches Pillow HEIC where pillow-heif is installed; returns whether it is."""
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return True


@cache
def picture_suffixes() -> frozenset[str]:
    """Returns the suffixes, in lower case, of the kinds that can be read, the extras' among them."""
    register_heif()
    known = Image.registered_extensions()
    readable = {suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in NO_PICTURES}
    return frozenset(readable) | DICOM_SUFFIXES | HEIF_SUFFIXES | {NUMPY_SUFFIX, ".avif"}


def signature(path: Path) -> Signature | None:
    """Returns which kind of file it is of those that Pillow does not read, or not always as they are.

    DICOM is recognised by its suffix, too, since older files have no signature.

    Raises:
        OSError: If the file can't be opened.
    """
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:] == b"DICM" or path.suffix.lower() in DICOM_SUFFIXES:
        return "dicom"
    if start.startswith(b"\x93NUMPY"):
        return "numpy"
    return "tiff" if start.startswith(TIFF_STARTS) else None


def is_picture(path: Path) -> bool:
    """Tells whether a file is a picture, or claims to be one by its suffix.

    One that can't be read is a picture, too, where its suffix says so: it is to be counted and listed.
    """
    if path.suffix.lower() in picture_suffixes():
        return True
    try:
        if signature(path) is not None:
            return True
        with Image.open(path, formats=[kind for kind in BY_CONTENT if kind in Image.OPEN]):
            return True
    except Image.DecompressionBombError:
        return True
    except Exception:  # a broken file can make a reader raise anything
        return False


def find_images(folder: Path) -> list[Path]:
    """Lists the pictures below a folder, see `is_picture`, sorted; hidden ones are left out, links are followed."""
    return find_files(folder, is_picture)


def find_files(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Lists the files below a folder that are wanted, sorted; hidden ones are left out, links are followed."""
    return sorted(path for path in walk_files(folder) if wanted(path))


def walk_files(folder: Path) -> Iterator[Path]:
    """Yields the files below a folder; hidden ones are left out, links are followed."""
    seen: set[Path] = set()
    for current, subfolders, files in os.walk(folder, followlinks=True):
        real = Path(current).resolve()
        # A link to a folder above would otherwise be walked for ever.
        subfolders[:] = [] if real in seen else [name for name in subfolders if not name.startswith(".")]
        if real not in seen:
            paths = [Path(current) / name for name in files if not name.startswith(".")]
            yield from (path for path in paths if path.is_file())
        seen.add(real)
