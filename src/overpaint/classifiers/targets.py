"""Which class of an image is explained."""

import re
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from overpaint.errors import OverpaintError
from overpaint.types import Scores


def choose_targets(target: str | int, scores: Scores, class_names: Sequence[str]) -> Int[Tensor, "batch explained"]:
    """Turns the user's word for a target into class indices.

    Args:
        target: ``predicted``; ``topK`` (``top3``: the K classes with the highest scores); a class name; or an
            index. A class name wins over an index that is written alike.
        scores: The classifier's scores of the images.
        class_names: The classes' names.

    Raises:
        OverpaintError: If there is no such class.
    """
    word = str(target)
    if word == "predicted":
        word = "top1"
    if word in class_names:
        return torch.full((len(scores), 1), list(class_names).index(word), device=scores.device)
    if (top := re.fullmatch(r"top(\d+)", word)) and 1 <= int(top[1]) <= len(class_names):
        return scores.topk(int(top[1]), dim=1).indices
    if word.isdecimal() and int(word) < len(class_names):
        return torch.full((len(scores), 1), int(word), device=scores.device)
    shown = ", ".join(list(class_names)[:8]) + (", ..." if len(class_names) > 8 else "")
    raise OverpaintError(
        f"target={word} is neither 'predicted', 'top1' to 'top{len(class_names)}', an index below "
        f"{len(class_names)}, nor a class name ({shown})"
    )
