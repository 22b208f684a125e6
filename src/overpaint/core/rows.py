"""Rows of results: dataclasses whose fields are all tensors with a row for each image and target."""

from collections.abc import Sequence
from typing import TypeVar

import torch

from overpaint.core.results import RegionSearch, Variants

Rows = TypeVar("Rows", Variants, RegionSearch)


def select_rows(result: Rows, rows: Sequence[int]) -> Rows:
    """Returns some of the rows."""
    index = list(rows)
    return type(result)(**{name: values[index] for name, values in vars(result).items()})


def concatenate_rows(parts: Sequence[Rows], device: torch.device) -> Rows:
    """Joins rows.

    Args:
        parts: Results of one row or more each; one part at least.
        device: Where the joined rows lie.
    """
    columns = {name: [vars(part)[name].to(device) for part in parts] for name in vars(parts[0])}
    return type(parts[0])(**{name: torch.cat(values) for name, values in columns.items()})
