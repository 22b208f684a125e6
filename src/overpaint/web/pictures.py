"""Pictures of the page: always PNG, always with an alt text."""

import io

import streamlit as st
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from overpaint.report.plots.images import Picture, enlarge, to_picture

SIDE = 256
"""Pixels along the longer side of a picture, at least; each of the image's is a whole square of them."""


CHART_WIDTH = 5.6
"""Inches of a chart: so many that its letters can be read in half of the page, and on a telephone."""


def png(picture: Picture) -> bytes:
    """Encodes a picture, quickly rather than small: it stays on this machine."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def show(picture: Picture | bytes, alt: str, caption: str | None = None, width: int | None = None) -> None:
    """Shows a picture.

    Args:
        picture: Its pixels, or a PNG file's content.
        alt: What it shows, for those who don't see it.
        caption: What stands below.
        width: In pixels at most; None: as wide as there is room.
    """
    content = picture if isinstance(picture, bytes) else png(picture)
    with st.container(width=width or "stretch"):  # of a picture alone a narrow page would cut a part off
        st.image(content, caption, "stretch", output_format="PNG", alt=alt)


def large(image: Float[Tensor, "channel height width"]) -> Picture:
    """Returns an image as a picture, its pixels enlarged to squares."""
    return enlarge(to_picture(image.detach().cpu().numpy()), SIDE)


def image_png(image: Float[Tensor, "channel height width"]) -> bytes:
    """Returns an image as a PNG file of its own size."""
    return png(to_picture(image.detach().cpu().numpy()))


def thumbnail(content: bytes, side: int) -> bytes:
    """Returns a small JPEG of a picture file."""
    with Image.open(io.BytesIO(content)) as opened:
        small = opened.convert("RGB")
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()
