"""What each piece of an explanation depends on, in short, so that no piece is made twice and none is kept too long."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overpaint.classifiers.options import content_of
from overpaint.cli.config import Settings
from overpaint.cli.parts import baseline_file, classifier_options
from overpaint.core.types import SeededName
from overpaint.data.base import ImageSplit
from overpaint.metrics.base import MapMetric, MethodMetric, SaliencyMetric
from overpaint.pipeline.cache import BASE, PICTURES, VARIANTS, map_piece, metric_piece, probe_piece

JUDGED_BY = ("region", "annotations", "seeds")
"""The settings on which metrics of the maps alone depend, beside their own."""

PAINTED_BY = ("region", "search", "variants")
"""The settings on which the variants depend, beside the first method's map."""


def manners(
    settings: Settings,
    seeded: Sequence[SeededName],
    metrics: Mapping[str, SaliencyMetric],
    judged: Sequence[str],
    banks: Mapping[str, ImageSplit] | None = None,
) -> dict[str, str]:
    """Says how each piece of an explanation is made: what it depends on, but for the image.

    Args:
        settings: The merged configuration.
        seeded: The maps that are made.
        metrics: The metrics by which they are judged.
        judged: Methods whose maps depend on the discriminator.
        banks: Other images that probes look at, by the probes' names.
    """
    base = _digest(*content_of(classifier_options(settings)), settings["target"], settings["engine"])
    generator = b"" if settings["generator"] is None else Path(settings["generator"]).read_bytes()
    annotations = "".join(_content(settings["annotations"]["source"]))
    pieces = {BASE: base}
    for name, seed in seeded:
        own = _section(settings["saliency"][name])
        pieces[map_piece(name, seed)] = _digest(base, *own, seed, generator if name in judged else b"")
    for name in settings["saliency"]:
        for metric, judge in metrics.items():
            own = [pieces[map_piece(name)], *_section(settings["metrics"][metric])]
            if isinstance(judge, MapMetric):
                own += [annotations, *(settings[key] for key in JUDGED_BY)]
            if isinstance(judge, MethodMetric) and judge.paints:
                own += [generator, *(settings[key] for key in PAINTED_BY)]
            pieces[metric_piece(name, metric)] = _digest(*own)
    if settings["generator"] is not None:
        first = map_piece(next(iter(settings["saliency"])))
        pieces[VARIANTS] = _digest(pieces[first], generator, *(settings[key] for key in PAINTED_BY))
        oracle = (
            list(content_of(classifier_options(settings, "oracle"))) if settings["oracle"]["source"] is not None else []
        )
        for name, section in settings["probes"].items():
            bank = [banks[name].images.numpy().tobytes()] if banks and name in banks else []
            pieces[probe_piece(name)] = _digest(pieces[VARIANTS], section, *oracle, *bank)
    pieces[PICTURES] = _digest(*(list(settings[key]) for key in ("saliency", "metrics", "probes")))
    return pieces


def stamps(part: ImageSplit, index: int, pieces: Mapping[str, str]) -> dict[str, str]:
    """Returns what each piece of an image's explanation depends on, in short."""
    image = part.images[index].numpy().tobytes()
    return {piece: _digest(manner, image) for piece, manner in pieces.items()}


def _section(section: Settings) -> list[Any]:
    """Returns a section and the content of the file that its baseline may name."""
    path = baseline_file(section)
    return [section] if path is None else [section, Path(path).read_bytes()]


def _content(source: str | None) -> list[str]:
    """Returns what annotations say: the content of a file, the names and times of a folder's files."""
    if source is None:
        return []
    path = Path(source)
    if path.is_file():
        return [_digest(path.read_bytes())]
    return [f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in sorted(path.glob("*"))]


def _digest(*parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else json.dumps(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()
