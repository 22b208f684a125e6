"""Targets: the classes of an image that are explained."""

import re
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.types import Scores


def choose_targets(
    target: str | int | Sequence[str | int], scores: Scores, class_names: Sequence[str]
) -> Int[Tensor, "batch explained"]:
    """Turns the user's word for a target into class indices.

    Args:
        target: ``predicted``; ``topK`` (``top3``: the K classes with the highest scores); a class name; an index; or
            a list of names and indices. A class name wins over an index that is written alike.
        scores: The classifier's scores of the images.
        class_names: The classes' names.

    Raises:
        OverpaintError: If there is no such class, or a list is empty or has one twice.
    """
    if not isinstance(target, str | int):
        indices = [_class_index(str(entry), class_names) for entry in target]
        unknown = [str(entry) for entry, index in zip(target, indices, strict=True) if index is None]
        if unknown:
            raise OverpaintError(
                f"target={list(target)}: {unknown[0]} is neither an index below {len(class_names)} nor a class name "
                f"({_shown(class_names)})"
            )
        if not indices or len(set(indices)) < len(indices):
            raise OverpaintError(f"target={list(target)} must name at least one class, and none of them twice")
        return torch.tensor(indices, device=scores.device).expand(len(scores), -1)
    word = "top1" if target == "predicted" else str(target)
    if (index := _class_index(word, class_names)) is not None:
        return torch.full((len(scores), 1), index, device=scores.device)
    if (top := re.fullmatch(r"top(\d+)", word)) and 1 <= int(top[1]) <= len(class_names):
        return scores.topk(int(top[1]), dim=1).indices
    raise OverpaintError(
        f"target={target} is neither 'predicted', 'top1' to 'top{len(class_names)}', an index below "
        f"{len(class_names)}, nor a class name ({_shown(class_names)})"
    )


def check_target(target: str | int | Sequence[str | int], class_names: Sequence[str]) -> None:
    """Checks a user's word for a target before any image is read.

    Raises:
        OverpaintError: See `choose_targets`.
    """
    choose_targets(target, torch.zeros(1, len(class_names)), class_names)


def _class_index(word: str, class_names: Sequence[str]) -> int | None:
    if word in class_names:
        return list(class_names).index(word)
    return int(word) if word.isdecimal() and int(word) < len(class_names) else None


def _shown(class_names: Sequence[str]) -> str:
    return ", ".join(list(class_names)[:8]) + (", ..." if len(class_names) > 8 else "")
