"""Pictures made of arrays: images, signed maps, grids of them, PNG files."""

import io
import itertools
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from torchvision.utils import make_grid

from overpaint.core.value_range import is_series
from overpaint.report.plots.letters import fit_letters
from overpaint.report.plots.style import COLOURS

Picture = NDArray[np.uint8]
"""Height x width x 3, 0 to 255."""

CURVE_SIZE = (72, 128)
"""Height and width of the picture of a series."""

FINE = 4
"""Pixels a side of which a pixel of a curve's picture is the mean."""

STRIP = 16
"""Pixels in height of the picture of a series' map."""

REGION_COLOUR = "#ffb000"
"""Amber from IBM's colour-blind safe palette."""

SHADE = "#ffefc9"
"""Amber over white, behind the curves of a region."""


def shown_bands(channels: int) -> tuple[int, int, int]:
    """Returns which channels are drawn as red, green and blue: the first three; of fewer, the first as grey.

    Args:
        channels: How many it has.
    """
    return (0, 1, 2) if channels >= 3 else (0, 0, 0)


def to_picture(image: NDArray[np.floating[Any]]) -> Picture:
    """Turns channel x height x width in ``[0, 1]`` into a picture of the channels that `shown_bands` chooses.

    A series, channel x length, becomes a picture of its curves, see `curve_picture`.
    """
    if is_series(image.shape[1:]):
        return curve_picture(image)
    chosen = image[list(shown_bands(len(image)))]
    picture: Picture = np.rint(np.clip(chosen, 0, 1) * 255).astype(np.uint8)
    return picture.transpose(1, 2, 0)


def curve_picture(
    series: NDArray[np.floating[Any]],
    behind: NDArray[np.floating[Any]] | None = None,
    region: NDArray[np.bool_] | None = None,
    times: int = 1,
    ends: tuple[float, float] = (0.0, 1.0),
) -> Picture:
    """Draws the channels of a scaled series as curves on white, from a tenth below 0 to a tenth above 1.

    What lies beyond is drawn at the edge. Pictures of series of any length have the same size, `CURVE_SIZE`.

    Args:
        series: Channel x length.
        behind: A series that is drawn behind it in grey.
        region: Steps that are shaded.
        times: So many times as large as `CURVE_SIZE`.
        ends: The values that are drawn where 0 and 1 are by default.
    """
    height, width = (times * FINE * side for side in CURVE_SIZE)
    canvas = Image.new("RGB", (width, height), "white")
    pen, length = ImageDraw.Draw(canvas), series.shape[1]
    if region is not None:
        for step in np.flatnonzero(region).tolist():
            pen.rectangle((step * width / length, 0, (step + 1) * width / length, height), fill=SHADE)
    grey = [] if behind is None else [(channel, "#b0b0b0") for channel in behind]
    for channel, colour in [*grey, *zip(series, itertools.cycle(COLOURS), strict=False)]:
        across = (np.arange(length) + 0.5) * width / length
        down = np.clip((1.1 - (channel - ends[0]) / (ends[1] - ends[0])) / 1.2, 0.01, 0.99) * height
        pen.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=colour, width=FINE * 3 * (times + 1) // 4)
    return np.asarray(canvas.resize((width // FINE, height // FINE), Image.Resampling.BOX))


def enlarge(picture: Picture, least: int = 128) -> Picture:
    """Enlarges a small picture by a whole factor, pixels kept as squares."""
    factor = max(1, -(-least // max(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def picture_grid(images: NDArray[np.floating[Any]], columns: int = 8, gap: int = 2) -> Picture:
    """Lays pictures out in rows on white; no picture gives one white cell."""
    pictures = [to_picture(image) for image in images] or [np.full((8, 8, 3), 255, dtype=np.uint8)]
    grid = make_grid(torch.from_numpy(np.stack(pictures)).movedim(-1, 1), columns, gap, pad_value=255)
    if len(pictures) > 1:  # torchvision frames the whole, too
        grid = grid[:, gap:-gap, gap:-gap]
    return np.ascontiguousarray(grid.movedim(0, -1).numpy())


def largest_of(saliency_map: NDArray[np.floating[Any]]) -> float:
    """Returns the greatest size of a map's finite values; 1 where all are 0."""
    return float(np.abs(saliency_map[np.isfinite(saliency_map)]).max(initial=0)) or 1.0


def map_picture(saliency_map: NDArray[np.floating[Any]], largest: float | None = None) -> Picture:
    """Colours a signed map: red is for the class, blue against it, white 0; black is not finite.

    Args:
        saliency_map: The map; that of a series becomes a strip.
        largest: The value of full red, for maps on one scale; None: the greatest of this map.
    """
    largest = largest or largest_of(saliency_map)
    if saliency_map.ndim == 1:
        saliency_map = saliency_map[None].repeat(STRIP, axis=0)
    colours = mpl.colormaps["RdBu_r"](0.5 + saliency_map / (2 * largest), bytes=True)[..., :3]
    return np.where(np.isfinite(saliency_map)[..., None], colours, 0).astype(np.uint8)


def outlined(picture: Picture, region: NDArray[np.bool_]) -> Picture:
    """Darkens a picture outside the region; of a series that is a region of the picture's width."""
    if region.ndim == 1:
        region = region[None, np.arange(picture.shape[1]) * len(region) // picture.shape[1]]
    return np.where(region[..., None], picture, picture // 4).astype(np.uint8)


def blended(picture: Picture, colours: Picture, opacity: float) -> Picture:
    """Lays colours over a picture of the same size, ``opacity`` of 1 hiding it."""
    mixed: Picture = np.rint(picture + opacity * (colours.astype(np.float64) - picture)).astype(np.uint8)
    return mixed


def with_outline(picture: Picture, region: NDArray[np.bool_]) -> Picture:
    """Draws a region's outline into a picture that is a whole number of times as large as the region."""
    factor = picture.shape[0] // region.shape[0]
    large = region.repeat(factor, axis=0).repeat(factor, axis=1)
    inner = ndimage.binary_erosion(large, iterations=max(1, picture.shape[0] // 96), border_value=0)
    drawn = picture.copy()
    drawn[large & ~inner] = np.rint(255 * np.array(mpl.colors.to_rgb(REGION_COLOUR))).astype(np.uint8)
    return drawn


def colour_scale() -> Picture:
    """Returns the colours of `map_picture` from its least value to its greatest."""
    return map_picture(np.linspace(-1, 1, 256)[None].repeat(10, axis=0))


def error_picture(errors: NDArray[np.floating[Any]], largest: float) -> Picture:
    """Colours standard errors: white is 0, black ``largest`` and above."""
    shares = np.clip(np.nan_to_num(errors / largest, nan=1.0), 0, 1)
    picture: Picture = np.rint(255 * (1 - shares))[..., None].repeat(3, axis=2).astype(np.uint8)
    return picture


def png(picture: Picture) -> bytes:
    """Encodes a picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def figure_png(figure: Figure) -> bytes:
    """Encodes a figure of photographs, whose many colours `overpaint.report.plots.style.encode` would thin out."""
    buffer = io.BytesIO()
    fit_letters(figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def show_as_picture(axes: Axes, title: str) -> None:
    """Gives axes that show a picture a title, and takes their ticks away."""
    axes.set_title(title, fontsize=8)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_colour_bar(axes: Axes, shown: AxesImage) -> None:
    """Draws a map's colour bar to its right, as high as the map whatever its proportions."""
    bar = axes.figure.colorbar(shown, cax=axes.inset_axes((1.03, 0, 0.05, 1)))
    bar.ax.tick_params(labelsize=6)
    bar.ax.yaxis.get_offset_text().set_fontsize(6)
