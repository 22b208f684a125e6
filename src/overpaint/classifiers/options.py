"""The options of a classifier: its source, and how it is used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal
from zipfile import BadZipFile, ZipFile, is_zipfile

from overpaint.core.bounds import FILLED, Count, ImageSize, Positive, ShareOrNone
from overpaint.core.choices import OutputOption
from overpaint.core.errors import OverpaintError
from overpaint.core.importing import is_factory, module_file
from overpaint.core.instantiate import checked_settings
from overpaint.core.sizes import as_size

Kind = Literal["checkpoint", "torchvision", "timm", "hf", "factory", "torchscript", "exported", "onnx"]

SUFFIXES: dict[str, Kind] = {
    ".onnx": "onnx",
    ".pt2": "exported",
    ".pt": "torchscript",
    ".pth": "torchscript",
    ".torchscript": "torchscript",
    ".ts": "torchscript",
}
"""The kind of a file by its ending; any other ending is a checkpoint of this project."""

HUBS: tuple[Kind, ...] = ("torchvision", "timm", "hf")
"""Sources that are named ``HUB:NAME``."""

RUNS_CODE: dict[Kind, str] = {"torchscript": "a TorchScript file", "exported": "a program of torch.export"}
"""Kinds of files that can run code when they are opened, and what they are called.

TorchScript is a programming language with access to files; programs of torch.export hold expressions that are evaluated
and may hold pickles. ONNX has no operators but those of its runtime, and checkpoints are read as tensors alone.
"""

MEANINGLESS: dict[Kind, tuple[str, tuple[str, ...]]] = {
    "checkpoint": (
        "by its name a checkpoint of this project, which says it itself; other sources are torchvision:NAME, "
        "timm:NAME, hf:NAME, package.module:factory, and .pt, .pt2 and .onnx files",
        ("weights", "class_names", "image_size", "channels", "mean", "std", "output", "output_name", "allow_random"),
    ),
    "torchvision": ("a network of torchvision, which takes three", ("channels",)),
    "timm": ("", ()),
    "hf": ("a model of Hugging Face, which holds its weights", ("weights",)),
    "factory": ("", ()),
    "torchscript": ("a TorchScript file, which holds its weights", ("weights",)),
    "exported": ("an exported program, which holds its weights", ("weights",)),
    "onnx": ("an ONNX file, which holds its weights", ("weights",)),
}
"""The options that change nothing for a kind of source, and why."""


@checked_settings
@dataclass(frozen=True)
class ClassifierOptions:
    """What a user says of a classifier; None is for what the source itself says.

    Attributes:
        source: A checkpoint of this project, ``torchvision:NAME``, ``timm:NAME_OR_FOLDER``, ``hf:NAME_OR_FOLDER``,
            ``package.module:factory``, or a TorchScript
            (``.pt``, ``.pth``, ``.ts``, ``.torchscript``), torch.export (``.pt2``) or ONNX (``.onnx``) file. A factory,
            a TorchScript file and an exported program may run any code.
        weights: For ``torchvision:`` and factories: a state-dict file; ``DEFAULT`` takes torchvision's own weights.
        class_names: A text file with one name a line, or the names; by default torchvision's where their number fits,
            else the numbers of the classes.
        image_size: The side of the square images it takes, or their height and width, or ``[length]`` for series;
            torchvision's by default, or what the file says. Images are resized to it whole; torchvision's own
            evaluation instead cuts off what is outside the middle square.
        channels: 3 by default (of series 1), or what the file, the first layer or the length of ``mean`` says.
        mean: The mean of each channel in ``[0, 1]``; torchvision's by default. Elsewhere images are not normalised
            unless this and ``std`` are given, and a middle grey stands where an image is masked.
        std: The standard deviation of each channel.
        output: What it answers with: logits of a softmax, probabilities that sum to 1, or ``sigmoid``: a logit or
            probability of each class on its own (multi-label). ``auto`` finds out, see `output_kind`.
        output_name: The name or number of the scores where it returns several outputs; by default they are found by
            their shape and type.
        threshold: A class is kept while its score is above this; by default 0.5 of a multi-label classifier, and of
            others while its score is the highest.
        allow_random: Whether it may give other outputs when an image is shown again, or beside others.
        allow_code: Whether it may be opened from a file that can run code when it is, see `RUNS_CODE`.
    """

    source: str
    weights: str | None = None
    class_names: str | Sequence[str | int] | None = None
    image_size: ImageSize | None = None
    channels: Count | None = None
    mean: Annotated[Sequence[ShareOrNone], FILLED] | None = None
    std: Annotated[Sequence[Positive], FILLED] | None = None
    output: OutputOption = "auto"
    output_name: str | int | None = None
    threshold: ShareOrNone | None = None
    allow_random: bool = False
    allow_code: bool = False

    def __post_init__(self) -> None:
        why, meaningless = MEANINGLESS[kind_of(self.source)]
        for name in meaningless:
            if vars(self)[name] not in (None, "auto", False):
                raise OverpaintError(
                    f"classifier.{name}={vars(self)[name]} has no meaning for classifier={self.source}, {why}"
                )
        if self.image_size is not None and len(as_size(self.image_size, None, "classifier.image_size")) > 2:
            raise OverpaintError(
                f"classifier.image_size={list(as_size(self.image_size, None))} must be one number, [height, width], or "
                "[length] for series"
            )


def check_code(options: ClassifierOptions, which: str) -> None:
    """Checks that a file which can run code when it is opened may.

    A file that only has the name of one is left to be refused for what it is.

    Args:
        options: What is said of the classifier.
        which: Its setting, for errors.

    Raises:
        OverpaintError: If it may not.
    """
    kind = kind_of(options.source)
    if kind in RUNS_CODE and not options.allow_code and is_zipfile(options.source):
        if kind == "torchscript" and not is_torchscript(Path(options.source)):
            return
        raise OverpaintError(
            f"{which}={options.source} is {RUNS_CODE[kind]}, which can run code when it is opened; if you trust where "
            "it comes from, allow_code=true opens it"
        )


def is_torchscript(path: Path) -> bool:
    """Tells whether a file is an archive of TorchScript, which holds code; others of its endings hold tensors."""
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, BadZipFile):
        return False
    return any(name.endswith(("constants.pkl", "model.json")) or "/code/" in name for name in names)


def kind_of(source: str) -> Kind:
    """Returns which kind of classifier a user's word names."""
    for hub in HUBS:
        if source.startswith(f"{hub}:"):
            return hub
    if is_factory(source):
        return "factory"
    return SUFFIXES.get(Path(source).suffix.lower(), "checkpoint")


def content_of(options: ClassifierOptions) -> Iterator[bytes]:
    """Yields everything on which a classifier depends: the content of its files, and options that are no files.

    Of a factory that is the file of its module; other modules that it imports are not seen. It must be imported.
    """
    for field in fields(options):
        if field.name == "allow_code":
            continue
        value = vars(options)[field.name]
        yield field.name.encode()
        yield Path(value).read_bytes() if isinstance(value, str) and Path(value).is_file() else repr(value).encode()
    if kind_of(options.source) == "onnx":  # large tensors may lie beside it: model.onnx.data, model.onnx_data
        source = Path(options.source)
        beside = [p for p in sorted(source.parent.iterdir()) if p.name.startswith(source.name) and p != source]
        yield from (path.read_bytes() for path in beside if path.is_file())
    if kind_of(options.source) in ("timm", "hf") and (folder := Path(options.source.partition(":")[2])).is_dir():
        yield from (path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())
    if kind_of(options.source) == "factory" and (file := module_file(options.source)) is not None:
        yield file.read_bytes()
