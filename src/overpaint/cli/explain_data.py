"""The images that ``explain.py`` explains: a data set's test images, or files with annotations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from overpaint.cli.data_sets import data_class
from overpaint.configuration.run_settings import picture_options
from overpaint.configuration.sections import importable
from overpaint.configuration.settings import Settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_arguments, instantiate
from overpaint.core.protocols import Classifier
from overpaint.core.types import GroundTruthObjects, StoredInputs
from overpaint.core.value_range import is_series
from overpaint.data.annotations.reading import AnnotationOptions, open_annotations
from overpaint.data.domain import DomainData
from overpaint.data.pattern import none_readable, open_files
from overpaint.data.reading import as_image_size
from overpaint.data.series.pattern import open_series
from overpaint.data.split import ImageSplit, Skipped, UnreadSplit
from overpaint.report.kid import COMPARED

OTHERS = 64
"""So many images, the first ones, are read for their parts."""


@dataclass(frozen=True)
class ExplainData:
    """The images of a run.

    Attributes:
        split: The images to explain; none is read yet.
        real: Reads real images, with which variants can be compared.
        others: Reads images whose parts can fill a region; the same ones, however many are explained.
        setting: Which setting names them, for errors.
        notes: What is to be said of them.
    """

    split: UnreadSplit
    real: Callable[[], StoredInputs]
    others: Callable[[], StoredInputs]
    setting: str
    notes: Sequence[str] = ()


def open_data(settings: Settings, classifier: Classifier) -> ExplainData:
    """Lists the images to explain, which are read at the classifier's size.

    Args:
        settings: The settings of ``explain.py``.
        classifier: Whose images they are.

    Raises:
        OverpaintError: If there are none.
    """
    annotations = AnnotationOptions(**checked_arguments(AnnotationOptions, settings["annotations"], "annotations"))
    if settings["images"] is not None:
        return _open_image_files(settings, classifier, annotations)
    limit, data_name, section = settings["limit"], settings["data"]["name"], settings["data"]
    kind = data_class(settings)
    try:
        arguments = kind.arguments_for(classifier.input_size, classifier.channels, classifier.scale)
    except OverpaintError as error:
        raise OverpaintError(f"data={data_name} does not fit the classifier: {error}") from error
    data: DomainData = instantiate(section, "data", importable(settings), **arguments, seed=settings["seed"])
    data.prepare_data()
    unread = data.open_split("test")
    notes = list(data.notes)
    if data.class_names and data.class_names != classifier.class_names:
        notes.append("The data's classes are not the classifier's; labels are left out")
    split = _limited(unread, limit)
    return ExplainData(
        split, partial(_first, unread, COMPARED), partial(_first, unread, OTHERS), f"data={data_name}", notes
    )


def _limited(split: UnreadSplit, limit: int) -> UnreadSplit:
    """Returns the first images of a split; all of them where the limit is 0."""
    return replace(split, count=min(limit or len(split), len(split)))


def check_readable(data: ExplainData) -> None:
    """Checks that an image can be read, before anything is written; usually it is the first.

    Args:
        data: The images.

    Raises:
        OverpaintError: If none can be.
    """
    reason = ""
    for index in range(len(data.split)):
        found, skipped = data.split.read([index])
        if len(found):
            return
        reason = reason or skipped[0].reason
    raise none_readable(data.setting, len(data.split), reason)


def _first(split: UnreadSplit, count: int) -> StoredInputs:
    """Reads the first images of a split, without those of them that can't be read."""
    return split.read(range(min(count, len(split))))[0].images


def _open_image_files(settings: Settings, classifier: Classifier, annotations: AnnotationOptions) -> ExplainData:
    if is_series(classifier.input_size):
        return _open_series_files(settings, classifier, annotations)
    size, channels = as_image_size(classifier.input_size, "classifier.image_size"), classifier.channels
    mode = settings["resize_mode"]
    pattern = str(settings["images"])
    unread, paths = open_files(pattern, size, channels, mode, 0, picture_options(settings))
    split = _limited(unread, settings["limit"])
    if annotations.source is not None:
        objects_of = open_annotations(annotations, classifier.class_names, paths[: len(split)], size, mode)
        split = replace(split, read=partial(_read_annotated, split, objects_of))
    return ExplainData(split, partial(_first, split, COMPARED), partial(_first, unread, OTHERS), f"images={pattern}")


def _open_series_files(settings: Settings, classifier: Classifier, annotations: AnnotationOptions) -> ExplainData:
    pattern = str(settings["images"])
    if annotations.source is not None:
        raise OverpaintError(f"annotations={annotations.source} are of pictures, but images={pattern} are series")
    (length,), channels = classifier.input_size, classifier.channels
    unread, notes = open_series(pattern, length, channels, classifier.scale)
    split = _limited(unread, settings["limit"])
    real, others = partial(_first, split, COMPARED), partial(_first, unread, OTHERS)
    return ExplainData(split, real, others, f"images={pattern}", notes)


def _read_annotated(
    split: UnreadSplit, objects_of: Callable[[Path], GroundTruthObjects], indices: Sequence[int]
) -> tuple[ImageSplit, list[Skipped]]:
    found, skipped = split.read(indices)
    return replace(found, ground_truth=[objects_of(path) for path in found.paths or ()]), skipped
