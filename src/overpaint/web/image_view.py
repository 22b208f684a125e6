"""Images on the page: pictures, maps laid over them, regions that are drawn with a pointer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.choices import ChannelMode
from overpaint.core.names import safe_file_name
from overpaint.core.protocols import Classifier
from overpaint.report.plots.images import (
    blended,
    enlarge,
    error_picture,
    largest_of,
    map_picture,
    to_picture,
    with_outline,
)
from overpaint.web.chosen import ChosenInput
from overpaint.web.pictures import SIDE, image_png, large, png, show
from overpaint.web.region_canvas import show_region
from overpaint.web.uploads import read_picture
from overpaint.web.view import Arrays, InputFile, Region, ShownMap


class ImageView:
    """Images; see `InputView`, also for the methods."""

    word, places = "image", "pixels"
    ways = ("gallery", "upload", "camera", "earlier run")
    axes = ("Rows", "Columns")
    of_object = "The object is in a box"
    legend = "Grey: the standard error, black is a quarter of the scale."
    thumbnail_width, map_width = 50, 210

    def chosen(self, name: str, pixels: Float[Tensor, "1 channel *space"], classifier: Classifier) -> ChosenInput:
        """See `InputView.chosen`."""
        return ChosenInput(name, f"{safe_file_name(name)}.png", pixels.to(classifier.mean.device))

    def ask_upload(self, way: str) -> tuple[str, bytes] | None:
        """See `InputView.ask_upload`."""
        if way == "camera":
            taken = st.camera_input("Photograph", key="image.camera")
            return None if taken is None else ("photograph.jpg", taken.getvalue())
        sent = st.file_uploader("Picture", key="image.file", help="JPEG, PNG, WebP, TIFF, DICOM, NumPy arrays, …")
        return None if sent is None else (sent.name, sent.getvalue())

    def read_upload(self, path: Path, name: str, classifier: Classifier) -> ChosenInput:
        """See `InputView.read_upload`."""
        pixels = read_picture(path, name, classifier)
        return ChosenInput(Path(name).stem, name, pixels.to(classifier.mean.device))

    def thumbnail(
        self,
        pixels: Float[np.ndarray, "channel *space"],
        behind: Float[np.ndarray, "channel *space"] | None = None,
        region: Region | None = None,
    ) -> bytes:
        """See `InputView.thumbnail`."""
        return png(enlarge(to_picture(pixels), 128))

    def show(self, chosen: ChosenInput, caption: str, width: int) -> None:
        """See `InputView.show`."""
        show(large(chosen.pixels[0]), f"the image {chosen.name}", caption, width)

    def show_region(self, chosen: ChosenInput, region: Region, about: str, caption: str | None = None) -> None:
        """See `InputView.show_region`."""
        show(with_outline(large(chosen.pixels[0]), region), about, caption, 260)

    def ask_opacity(self, place: Any) -> float:
        """See `InputView.ask_opacity`."""
        opacity: float = place.slider("Opacity of the map", 0.0, 1.0, 0.6, 0.05, key="opacity", persist_state="page")
        return opacity

    def ask_channels(self, classifier: Classifier) -> ChannelMode:
        """Returns ``joint`` and asks nothing: the channels of images are colours."""
        return "joint"

    def show_map(self, chosen: ChosenInput, shown: ShownMap) -> None:
        """See `InputView.show_map`."""
        picture, largest = large(chosen.pixels[0]), shown.largest or largest_of(shown.values)
        factor = picture.shape[0] // shown.values.shape[0]
        colours = map_picture(shown.values, largest).repeat(factor, axis=0).repeat(factor, axis=1)
        show(with_outline(blended(picture, colours, shown.opacity), shown.region), shown.about)
        if shown.errors is not None:
            errors = enlarge(error_picture(shown.errors, largest / 4), picture.shape[0])
            show(errors, f"standard error of the map of {shown.method}")

    def ask_region(self, chosen: ChosenInput, key: str) -> Region:
        """See `InputView.ask_region`."""
        return show_region(chosen, self.axes, key).numpy()

    def show_together(
        self, chosen: ChosenInput, variants: Arrays, region: Region, names: Sequence[str], said: tuple[str, str]
    ) -> None:
        """Shows nothing: images hide each other."""

    def show_closely(
        self, chosen: ChosenInput, variant: NDArray[np.floating[Any]], region: Region, way: float, number: int
    ) -> None:
        """See `InputView.show_closely`."""
        change = variant - chosen.array
        between = enlarge(to_picture(chosen.array + way * change), SIDE)
        with st.grid(min_column_width=200):
            show(large(chosen.pixels[0]), "the image", "image")
            show(between, f"{way:.0%} of the way from the image to variant {number}", f"{way:.0%} of the way")
            show(
                enlarge(map_picture(change.mean(0), 1.0), SIDE),
                f"difference of variant {number} from the image: red is brighter, blue darker",
                "difference, ±1",
            )

    def file_of(self, chosen: ChosenInput) -> InputFile:
        """See `InputView.file_of`."""
        name = f"{safe_file_name(chosen.name)}.png"
        return InputFile("Image (PNG)", name, "image/png", lambda: image_png(chosen.pixels[0]))
