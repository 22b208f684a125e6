"""Cache keys for incremental runs: a digest of everything that each artifact of an explanation depends on."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from overpaint.classifiers.options import content_of
from overpaint.configuration.named_files import baseline_file
from overpaint.configuration.run_record import explanation_record
from overpaint.configuration.run_settings import classifier_options, generator_options
from overpaint.configuration.settings import Settings
from overpaint.metrics.base import MapMetric, MethodMetric, SaliencyMetric
from overpaint.networks.options import content_of_generator
from overpaint.perturbation.method import UsesDiscriminator
from overpaint.pipeline.artifacts import (
    BASE,
    PICTURES,
    REGION,
    SETTINGS,
    VARIANTS,
    map_artifact,
    metric_artifact,
    probe_artifact,
)
from overpaint.pipeline.cache import CacheKeys
from overpaint.pipeline.index import Index
from overpaint.pipeline.row_files import FORMAT
from overpaint.pipeline.runner import Runner

MAP_METRIC_SETTINGS = ("region", "annotations", "seeds")
"""The settings on which metrics of the maps alone depend, beside their own."""

VARIANT_SETTINGS = ("region", "search", "variants")
"""The settings on which the variants depend, beside the first method's map."""


def artifact_keys(settings: Settings, runner: Runner) -> dict[str, str]:
    """Returns a digest of what each artifact depends on, but for the image.

    Args:
        settings: The merged configuration.
        runner: The parts that it describes.
    """
    generator = _digest(*_generator_content(settings))
    engine = {name: value for name, value in settings["engine"].items() if name != "batch_size"}
    keys = {BASE: _digest(*content_of(classifier_options(settings)), settings["target"], engine)}
    keys[SETTINGS] = _digest(keys[BASE], explanation_record(settings, {}).shared())
    for name, seed in runner.seeded_methods:
        own = _section_content(settings["saliency"][name])
        own += [seed, generator if isinstance(runner.methods[name], UsesDiscriminator) else "", settings["channels"]]
        keys[map_artifact(name, seed)] = _digest(keys[BASE], *own)
    for name in runner.methods:
        for metric_name, metric in runner.metrics.items():
            own = [keys[map_artifact(name)], *_section_content(settings["metrics"][metric_name])]
            own += _metric_content(metric, settings, generator)
            keys[metric_artifact(name, metric_name)] = _digest(*own)
    first = map_artifact(next(iter(runner.methods)))
    fills = runner.region_rule.fills_drawn
    drawn = [generator * ("sample" in fills), _content_of_others(runner) * ("patch" in fills)]
    keys[REGION] = _digest(keys[first], settings["region"], *drawn)
    if runner.inpainter is not None:
        keys[VARIANTS] = _digest(keys[REGION], generator, *(settings[key] for key in VARIANT_SETTINGS))
        keys |= _probe_keys(settings, runner, keys[VARIANTS])
    keys[PICTURES] = _digest(*(list(settings[key]) for key in ("saliency", "metrics", "probes")))
    return keys


def file_contents(settings: Settings) -> dict[str, str]:
    """Returns a digest of the content of the files that the results depend on, by the setting that names them."""
    contents = {"classifier": _digest(*content_of(classifier_options(settings)))}
    if settings["generator"]["source"] is not None:
        contents["generator"] = _digest(*_generator_content(settings))
    if settings["oracle"]["source"] is not None:
        contents["oracle"] = _digest(*content_of(classifier_options(settings, "oracle")))
    if settings["annotations"]["source"] is not None:
        contents["annotations"] = _digest(*_annotation_content(settings["annotations"]["source"]))
    return contents


class ImageKeys(Mapping[str, CacheKeys]):
    """The cache keys of each image's artifacts, by its name; they are computed when they are asked for.

    Args:
        keys: See `artifact_keys`.
        digests: A digest of each image's content, of those that have been read.
    """

    def __init__(self, keys: Mapping[str, str], digests: Mapping[str, str]) -> None:
        self.keys_of_artifacts, self.digests = keys, digests

    def __getitem__(self, name: str) -> CacheKeys:
        digest = self.digests[name]
        return {artifact: _digest(key, digest) for artifact, key in self.keys_of_artifacts.items()}

    def __len__(self) -> int:
        return len(self.digests)

    def __iter__(self) -> Iterator[str]:
        return iter(self.digests)


READING = ("data", "resize_mode", "range", "max_megapixels", "annotations")
"""The settings on which it depends what is read of a file."""


def index_key(settings: Settings, keys: Mapping[str, str]) -> str:
    """Returns a digest of all that the results of an unchanged image depend on, see `overpaint.pipeline.index`."""
    content = _annotation_content(settings["annotations"]["source"])
    return _digest(FORMAT, dict(keys), {name: settings[name] for name in READING}, content)


def report_key(settings: Settings, found: Index) -> str:
    """Returns a digest of what a report says.

    Args:
        settings: The merged configuration.
        found: What is known of the run's images.
    """
    rows = [dict(entry.rows) for entry in found.entries.values()]
    return _digest(FORMAT, settings, rows, [list(each) for each in found.skipped], found.refused)


def _metric_content(metric: SaliencyMetric, settings: Settings, generator: str) -> list[Any]:
    """Returns on what a metric depends beside the map and its own settings."""
    if isinstance(metric, MapMetric):
        annotations = "".join(_annotation_content(settings["annotations"]["source"]))
        return [annotations, *(settings[key] for key in MAP_METRIC_SETTINGS)]
    if isinstance(metric, MethodMetric) and metric.uses_generator:
        return [generator, *(settings[key] for key in VARIANT_SETTINGS)]
    return []


def _probe_keys(settings: Settings, runner: Runner, variants: str) -> dict[str, str]:
    oracle, others = "", _content_of_others(runner)
    if runner.oracle is not None:
        oracle = _digest(*content_of(classifier_options(settings, "oracle")))
    return {
        probe_artifact(name): _digest(
            variants, settings["probes"][name], oracle * probe.uses_oracle, others * probe.uses_other_images
        )
        for name, probe in runner.probes.items()
    }


def _content_of_others(runner: Runner) -> str:
    return "" if runner.other_images is None else _digest(runner.other_images.numpy().tobytes())


def _generator_content(settings: Settings) -> Iterable[bytes]:
    options = generator_options(settings)
    return [] if options is None else content_of_generator(options)


def _section_content(section: Settings) -> list[Any]:
    """Returns a section and the content of the file that its baseline may name."""
    path = baseline_file(section)
    return [section] if path is None else [section, Path(path).read_bytes()]


def _annotation_content(source: str | None) -> list[str]:
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
