"""A region of an image that is drawn by hand: with a pointer on the picture, or as a box of numbers."""

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
import torch
from jaxtyping import Bool
from skimage.draw import polygon2mask
from streamlit.components.v2 import component
from torch import Tensor

from overpaint.web.box import box_region, show_box
from overpaint.web.chosen import ChosenInput
from overpaint.web.pictures import large, png

CSS = "canvas { width: 100%; max-width: 384px; touch-action: none; cursor: crosshair; border-radius: 6px; }"

BOX, RECTANGLE, LASSO = "box of numbers", "rectangle", "lasso"


@st.cache_resource
def _component() -> "component.ComponentRenderer":  # type: ignore[name-defined]
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    return component("overpaint_region", html='<canvas role="img"></canvas>', css=CSS, js=script)


def polygon_region(points: Sequence[Sequence[float]], size: tuple[int, int]) -> Bool[Tensor, "height width"]:
    """Returns the pixels whose middle lies in a polygon.

    Args:
        points: Its corners: across and down, as shares of the image.
        size: Height and width of the image.
    """
    rows = [[y * size[0] - 0.5, x * size[1] - 0.5] for x, y in points]
    return (
        torch.from_numpy(polygon2mask(size, np.array(rows))) if len(rows) > 2 else torch.zeros(size, dtype=torch.bool)
    )


def show_region(image: ChosenInput, axes: Sequence[str], key: str) -> Bool[Tensor, "height width"]:
    """Shows the ways to draw a region, and returns it; empty while nothing is drawn."""
    height, width = image.size
    tool = st.segmented_control(
        "Draw with", [RECTANGLE, LASSO, BOX], default=RECTANGLE, required=True, key=f"{key}.tool", persist_state="page"
    )
    if tool == BOX:
        return box_region(show_box(image, axes, key), image.size)
    picture = "data:image/png;base64," + base64.b64encode(png(large(image.pixels[0]))).decode()
    label = f"the image {image.name}; draw the region on it with the pointer, or choose a box of numbers"
    told = {"picture": picture, "tool": tool, "label": label}
    drawn = _component()(
        data=told, key=f"{key}.canvas.{tool}.{image.name}", default={"points": []}, on_points_change=lambda: None
    )
    points = drawn.points or []
    region = polygon_region(points, (height, width))
    st.caption(f"{int(region.sum())} of {region.numel()} pixels are drawn" if points else "Draw on the image.")
    return region
