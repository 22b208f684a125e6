"""Series on the page: curves in their units, maps along them, stretches that sliders choose."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.choices import ChannelMode
from overpaint.core.files import npy_content
from overpaint.core.names import safe_file_name
from overpaint.core.protocols import Classifier
from overpaint.data.series.content import Case
from overpaint.data.series.finding import SUFFIXES
from overpaint.data.series.pattern import in_scale
from overpaint.pipeline.artifacts import channels_array, error_array, map_artifact
from overpaint.report.plots.images import curve_picture
from overpaint.report.plots.series_charts import (
    accepted_chart,
    change_chart,
    flipped_chart,
    map_chart,
    series_chart,
)
from overpaint.web.box import box_region, show_box
from overpaint.web.chosen import ChosenInput
from overpaint.web.pictures import png, show
from overpaint.web.uploads import fit_series, read_series_file
from overpaint.web.view import Arrays, InputFile, Region, ShownMap

CHART, SMALL = 560, 400
"""Pixels in width of a chart, and of one of the series alone, at most."""


class SeriesView:
    """Time series; see `InputView`, also for the methods."""

    word, places = "series", "steps"
    ways = ("gallery", "upload", "earlier run")
    axes = ("Steps",)
    of_object = "The object is a stretch"
    legend = "The strip has the colours of the curve; below, the map with ± its standard error."
    thumbnail_width, map_width = 110, 380

    def chosen(self, name: str, pixels: Float[Tensor, "1 channel *space"], classifier: Classifier) -> ChosenInput:
        """See `InputView.chosen`."""
        values = pixels if classifier.scale is None else classifier.scale.in_units(pixels)
        return self._in_units(name, f"{safe_file_name(name)}.npy", values, classifier)

    def ask_upload(self, way: str) -> tuple[str, bytes] | None:
        """See `InputView.ask_upload`."""
        kinds = [suffix[1:] for suffix in SUFFIXES]
        sent = st.file_uploader(
            "File of series",
            kinds,
            key="series.file",
            help="In your own units: .ts, .arff; .tsv, .txt and .csv with a class first; .npy and .npz of shape "
            "(step,), (series, step) or (series, channel, step).",
        )
        return None if sent is None else (sent.name, sent.getvalue())

    def read_upload(self, path: Path, name: str, classifier: Classifier) -> ChosenInput:
        """See `InputView.read_upload`."""
        cases = _cases(str(path), path.stat().st_mtime_ns, name)
        if len(cases) == 1:
            ((own, case),) = cases.items()
            return self._in_units(own, name, fit_series(case, own, classifier), classifier)
        own = st.selectbox(f"Series of {name}, which has {len(cases)}", list(cases), key=f"series.of.{path}")
        return self._in_units(own, f"{safe_file_name(own)}.npy", fit_series(cases[own], own, classifier), classifier)

    def thumbnail(
        self,
        pixels: Float[np.ndarray, "channel *space"],
        behind: Float[np.ndarray, "channel *space"] | None = None,
        region: Region | None = None,
    ) -> bytes:
        """See `InputView.thumbnail`: from the least to the greatest value."""
        both = pixels if behind is None else np.stack([pixels, behind])
        low, high = float(both.min()), float(both.max())
        return png(curve_picture(pixels, behind, region, times=2, ends=(low, high if high > low else low + 1)))

    def show(self, chosen: ChosenInput, caption: str, width: int) -> None:
        """See `InputView.show`."""
        show(series_chart(chosen.arrays()), f"the series {chosen.name}", caption, SMALL)

    def show_region(self, chosen: ChosenInput, region: Region, about: str, caption: str | None = None) -> None:
        """See `InputView.show_region`."""
        show(series_chart(chosen.arrays(region)), about, caption, SMALL)

    def ask_opacity(self, place: Any) -> float:
        """Returns 1 and asks nothing: the colours of a map hide nothing of a curve."""
        return 1.0

    def ask_channels(self, classifier: Classifier) -> ChannelMode:
        """See `InputView.ask_channels`."""
        if classifier.channels == 1:
            return "joint"
        mode: ChannelMode = st.segmented_control(
            "Channels",
            get_args(ChannelMode),
            default="joint",
            key="channels",
            required=True,
            help="joint: a map of the steps. separate: one of each channel too, for as many times the queries; their "
            "sum is the map of the steps, and it is shown once it is done.",
            persist_state="page",
        )
        return mode

    def show_map(self, chosen: ChosenInput, shown: ShownMap) -> None:
        """See `InputView.show_map`."""
        arrays: dict[str, NDArray[Any]] = {**chosen.arrays(shown.region), map_artifact(shown.method): shown.values}
        if shown.errors is not None:
            arrays[error_array(shown.method)] = shown.errors
        if shown.by_channel is not None:
            arrays[channels_array(shown.method)] = shown.by_channel
        show(_map_chart(arrays, shown.method, shown.largest), shown.about)

    def ask_region(self, chosen: ChosenInput, key: str) -> Region:
        """See `InputView.ask_region`."""
        ((first, behind),) = box = show_box(chosen, self.axes, key)
        region = box_region(box, chosen.size).numpy()
        self.show_region(chosen, region, "the series, with the stretch shaded that is repainted")
        if behind > first:
            st.caption(f"Steps {first} to {behind - 1}: {behind - first} of {chosen.size[0]}")
        return region

    def show_together(
        self, chosen: ChosenInput, variants: Arrays, region: Region, names: Sequence[str], said: tuple[str, str]
    ) -> None:
        """See `InputView.show_together`."""
        arrays = chosen.arrays(region)
        with st.grid(min_column_width=self.map_width):
            show(
                accepted_chart(arrays, variants, said[0]),
                "the accepted variants over each other inside the region, with the band between them",
            )
            show(
                flipped_chart(arrays, variants, names, said[1]),
                "the flipped variants inside the region, coloured by the class that they are taken for",
            )

    def show_closely(
        self, chosen: ChosenInput, variant: NDArray[np.floating[Any]], region: Region, way: float, number: int
    ) -> None:
        """See `InputView.show_closely`."""
        between = chosen.array + way * (variant - chosen.array)
        said = f"blue: {way:.0%} of the way from the series (grey) to variant {number}"
        about = f"{said}; below, the difference of variant {number} from the series, {way:.0%} of it"
        show(change_chart(chosen.arrays(region), between, said), about, width=CHART)

    def file_of(self, chosen: ChosenInput) -> InputFile:
        """See `InputView.file_of`."""
        assert chosen.values is not None
        values, name = chosen.values.cpu().numpy(), f"{safe_file_name(chosen.name)}.npy"
        return InputFile("Series (npy)", name, "application/octet-stream", lambda: npy_content(values))

    def _in_units(
        self, name: str, file: str, values: Float[Tensor, "1 channel length"], classifier: Classifier
    ) -> ChosenInput:
        """Returns what the command line makes of a series in its units, to the bit."""
        scale, device = classifier.scale, classifier.mean.device
        return ChosenInput(name, file, in_scale(values, scale).to(device), scale, values)


@st.cache_data(max_entries=64, show_spinner=False)
def _map_chart(arrays: dict[str, NDArray[Any]], method: str, largest: float | None) -> bytes:
    """Draws a map, once: while others are refined the page is drawn again and again."""
    return map_chart(arrays, method, largest)


@st.cache_data(max_entries=4, show_spinner="Reading the file …")
def _cases(path: str, stamp: int, name: str) -> dict[str, Case]:
    """Reads an uploaded file; ``stamp`` changes when it does."""
    return read_series_file(Path(path), name)
