"""Annotations as mask pictures: one for each image, of the same name and size."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image, ImageOps
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.entry import Entry, entry_name
from overpaint.data.annotations.frame import Frame
from overpaint.data.annotations.objects import MaskObjects
from overpaint.data.files.decoding import reading_files


def read_pictures(source: Path, files: list[Path]) -> list[Entry]:
    """Lists the images of mask pictures.

    What is not 0 marks the object: in any colour channel, or the index of a palette; transparent pixels don't. A mask
    states no class and counts for whatever class is explained. It is resized by its nearest pixels to the same size
    as the image. JPEG is refused: its compression leaves no zeros around an object.

    Args:
        source: The folder, or the file.
        files: The pictures.
    """
    return [Entry(entry_name(path, source), str(path), partial(_mask, path)) for path in files]


def _mask(path: Path, frame: Frame) -> MaskObjects:
    if path.samefile(frame.path):
        raise OverpaintError(f"the mask picture {path} is the image itself; masks lie in a folder of their own")
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise OverpaintError(f"the mask picture {path} is a JPEG, which blurs the mask; save masks as PNG")
    marked = _read_mask(path)
    frame.check_size(marked.shape[1], marked.shape[0], f"the mask picture {path}")
    left, top, right, bottom = frame.source_box
    down, across = ((torch.arange(length, dtype=torch.double) + 0.5) / length for length in frame.size)
    rows, columns = top + down * (bottom - top), left + across * (right - left)
    return MaskObjects(marked[rows.long()[:, None], columns.long()])


def _read_mask(path: Path) -> Bool[Tensor, "height width"]:
    try:
        with reading_files(), Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            marked = torch.from_numpy(np.asarray(image).reshape(image.height, image.width, -1) != 0)
            has_alpha = image.getbands()[-1] == "A"
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise OverpaintError(f"the mask picture {path} can't be read ({error})") from error
    if has_alpha:
        marked = marked[..., :-1] & marked[..., -1:]
    return marked.any(2)
