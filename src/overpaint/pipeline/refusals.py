"""Images that could not be explained, each with a file that says why beside the folders of the others.

Any process of a run writes them, and the first one reports them all.
"""

import json
from pathlib import Path

from overpaint.core.files import write_json
from overpaint.core.names import row_folder


def _file(folder: Path, image: str) -> Path:
    return folder / f"{row_folder(image, None)}.refused.json"


def write_refusal(folder: Path, image: str, reason: str) -> None:
    """Says why an image could not be explained.

    Args:
        folder: The folder of all explanations.
        image: The image's name.
        reason: Whose fault it is, and the value.
    """
    write_json(_file(folder, image), {"image": image, "reason": reason})


def read_refusal(folder: Path, image: str) -> str | None:
    """Returns why an image could not be explained; None where nothing says so."""
    path = _file(folder, image)
    return str(json.loads(path.read_text())["reason"]) if path.is_file() else None


def forget_refusal(folder: Path, image: str) -> None:
    """Takes back what an earlier run said of an image that is explained now."""
    _file(folder, image).unlink(missing_ok=True)
