"""A box of an input, chosen by sliders that a keyboard can move."""

from collections.abc import Sequence

import streamlit as st
import torch
from jaxtyping import Bool
from torch import Tensor

from overpaint.core.sizes import format_size
from overpaint.web.chosen import ChosenInput
from overpaint.web.view import Box


def box_region(box: Box, size: Sequence[int]) -> Bool[Tensor, "*space"]:
    """Returns the places of a box."""
    region = torch.zeros(*size, dtype=torch.bool)
    region[tuple(slice(*ends) for ends in box)] = True
    return region


def show_box(chosen: ChosenInput, axes: Sequence[str], key: str) -> Box:
    """Shows a slider for each spatial dimension, which together choose a box.

    Args:
        chosen: The input.
        axes: What is counted along each of them.
        key: Makes the widgets' keys unique.
    """
    ends = [
        st.slider(
            axis,
            0,
            side,
            (side // 4, 3 * side // 4),
            key=f"{key}.{axis.lower()}.{format_size(chosen.size)}",
            persist_state="page",
        )
        for axis, side in zip(axes, chosen.size, strict=True)
    ]
    return tuple((first, behind) for first, behind in ends)
