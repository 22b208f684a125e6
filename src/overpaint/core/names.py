"""File names for images and classes of any name."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

LONGEST = 80
"""Characters of a name that its file name keeps at most; with the sign of a class and four bytes each they fit into the
255 bytes that file systems allow."""


OURS = re.compile(r"\.(csv|html|json|png|yaml)", re.IGNORECASE)
"""How files end that stand beside the images' folders."""


DAMAGED = "damaged"
"""The folder beside those of the images into which damaged and foreign files are moved; no image's has its name."""


def safe_file_name(name: str) -> str:
    """Returns a file name for any text: one component of a path, visible, never ``.`` or ``..``.

    Letters and digits of any alphabet, ``_``, ``-`` and single dots inside stay; ``/`` becomes ``-``, and everything
    else ``_``. Where this changes or shortens the name, or it is a name of ours, eight digits of its hash are
    added, so that different names have different file names.

    Args:
        name: The name of an image or a class.
    """
    readable = re.sub(r"[^\w.-]+", "_", re.sub(r"[/\\]+", "-", name))
    readable = re.sub(r"\.{2,}", "_", readable).strip(".")
    readable = readable.encode("utf-8", "replace").decode()[:LONGEST].lstrip("-") or "_"
    is_ours = name.lower() == DAMAGED or OURS.fullmatch(Path(name).suffix)
    if readable == name and len(readable.encode()) <= 2 * LONGEST and not is_ours:
        return name
    digits = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{readable.encode()[: 2 * LONGEST].decode(errors='ignore')}-{digits}"


def printable(text: str) -> str:
    """Returns a text as one line that any terminal and any file takes: other characters are escaped.

    Args:
        text: A name or a sentence that holds names.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def distinct_names(names: Sequence[str]) -> list[str]:
    """Returns names that are told apart: those that come more than once are followed by their number, from 0.

    Names that differ in case alone count as the same, since their files would be on many systems.

    Args:
        names: Names of classes, perhaps the same twice, as two of ImageNet's are.
    """
    several = {name for name, count in Counter(name.casefold() for name in names).items() if count > 1}
    return [f"{name} ({index})" if name.casefold() in several else name for index, name in enumerate(names)]


def case_twins(names: Iterable[str]) -> tuple[str, str] | None:
    """Returns two names whose files would be one where the file system ignores case; None where there are none.

    Args:
        names: Names of images, each once.
    """
    seen: dict[str, str] = {}
    for name in names:
        if (twin := seen.setdefault(safe_file_name(name).casefold(), name)) != name:
            return twin, name
    return None


def row_name(image: str, class_name: str | None) -> str:
    """Names a row of an explanation: as its image, followed by its class where classes were asked for.

    Args:
        image: The image's name.
        class_name: The class's name; None where the prediction is explained.
    """
    return image if class_name is None else f"{image}@{class_name}"


def row_folder(image: str, class_name: str | None) -> str:
    """Returns the folder's name of a row; different rows have different ones.

    Args:
        image: The image's name.
        class_name: The class's name; None where the prediction is explained.
    """
    return row_name(safe_file_name(image), None if class_name is None else safe_file_name(class_name))


def rows_prefix(image: str) -> str:
    """Returns how the folders of an image's rows begin where classes were asked for; no other image's do."""
    return row_name(safe_file_name(image), "")
