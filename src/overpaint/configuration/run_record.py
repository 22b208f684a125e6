"""The record of what a folder's results were made with, so that other settings are not mixed among them unnoticed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from overpaint.configuration.named_files import baseline_file
from overpaint.configuration.settings import Settings
from overpaint.core.errors import OverpaintError
from overpaint.core.files import write_json

RECORD = "record.json"

ADDED = ("saliency", "metrics", "probes", "model")
"""Sections whose members one run may add to another's."""

SOURCED = ("generator", "oracle", "annotations")
"""Sections that may be null: one that was can be given later."""

SHOWN = 3
"""So many differences are named in an error."""


@dataclass(frozen=True)
class RunRecord:
    """What the results in a folder were made with.

    Attributes:
        settings: The settings that the results depend on, of all runs into the folder.
        contents: A digest of the content of each file that they name, by the setting.
        finished: The models that are trained to their end.
    """

    settings: Settings
    contents: Mapping[str, str] = field(default_factory=dict)
    finished: Sequence[str] = ()

    def write(self, folder: Path) -> None:
        """Writes it into a folder."""
        write_json(folder / RECORD, asdict(self))

    def joined(self, later: "RunRecord") -> "RunRecord":
        """Returns the record of this run and a later one into the same folder."""
        settings = self.settings | {
            name: self.settings[name] | value if name in ADDED and name in self.settings else value
            for name, value in later.settings.items()
            if not (name in SOURCED and value["source"] is None and name in self.settings)
        }
        finished = dict.fromkeys([*self.finished, *later.finished])
        return RunRecord(settings, {**self.contents, **later.contents}, list(finished))

    def without_members_of(self, later: "RunRecord") -> "RunRecord | None":
        """Returns what stays of this record where a later run replaces results; None: nothing.

        Where only methods, metrics, probes or models differ, the others stay.
        """
        sourced = {name: later.settings[name] for name in SOURCED if name in later.settings}
        if list(_differences(self.settings, later.shared() | sourced)) or self._other_contents(later):
            return None
        settings = dict(self.settings)
        for name in ADDED:
            if name in settings:
                replaced = later.settings.get(name, {})
                settings[name] = {key: value for key, value in settings[name].items() if key not in replaced}
        models = later.settings.get("model", {})
        return RunRecord(settings, self.contents, [model for model in self.finished if model not in models])

    def shared(self) -> Settings:
        """Returns the settings that all results of a run depend on."""
        return {name: value for name, value in self.settings.items() if name not in (*ADDED, *SOURCED)}

    def _other_contents(self, later: "RunRecord") -> list[str]:
        """Returns the settings whose files have other content in a later run."""
        return [name for name, digest in later.contents.items() if self.contents.get(name, digest) != digest]

    def check(self, later: "RunRecord", folder: Path) -> None:
        """Checks that a later run's results can stand beside those that are there.

        Args:
            later: The later run's record.
            folder: The folder, for errors.

        Raises:
            OverpaintError: If not; it shows the differences.
        """
        found = list(_differences(self.settings, later.settings))
        found += [f"the file of {name}= has other content" for name in self._other_contents(later)]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise OverpaintError(
                f"{folder} holds results of other settings ({'; '.join(found[:SHOWN])}{more}): repeat those, name "
                "another output=, or let overwrite=true replace what is there"
            )


def training_record(settings: Settings) -> RunRecord:
    """Returns the record of a training run that has not begun."""
    trainer = {name: settings["trainer"][name] for name in ("max_epochs", "precision", "limit_train_batches")}
    return RunRecord(
        {"seed": settings["seed"], "data": settings["data"], "model": settings["model"], "trainer": trainer}
    )


def explanation_record(settings: Settings, contents: Mapping[str, str]) -> RunRecord:
    """Returns the record of a run that explains images.

    Which images and classes are explained is no part of it: other ones add rows of their own.

    Args:
        settings: The merged configuration.
        contents: A digest of the content of each file that it names, by the setting.
    """
    networks = {name: _without_paths(settings[name]) for name in ("classifier", *SOURCED)}
    members = {name: _with_baselines(settings[name]) for name in ("saliency", "metrics")}
    names = ("seed", "channels", "region", "search", "variants", "probes")
    engine = {name: settings["engine"][name] for name in ("precision", "compile")}  # the batch size changes nothing
    reading = {name: settings[name] for name in ("resize_mode", "range", "max_megapixels")}
    images = {"data": settings["data"]} if settings["images"] is None else {"images": reading}
    first = {"first method": settings["methods"][0]}  # its map gives the region
    same = {name: settings[name] for name in names}
    return RunRecord({**networks, **same, **members, "engine": engine, **images, **first}, contents)


def _with_baselines(sections: Settings) -> Settings:
    """Returns sections in which a baseline's file is told by its content."""
    found = {}
    for name, section in sections.items():
        path = baseline_file(section)
        digest = "" if path is None else hashlib.blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()
        found[name] = section | ({} if path is None else {"baseline": f"a file of content {digest}"})
    return found


def _without_paths(section: Settings) -> Settings:
    """Returns a section in which paths of files are not told apart: their content is, and a folder may be moved."""
    return {
        name: "a file" if isinstance(value, str) and Path(value).exists() else value for name, value in section.items()
    }


def check_earlier(settings: Settings, folder: Path, now: RunRecord) -> None:
    """Checks that a run's results can stand beside those in a folder, unless ``overwrite=true`` replaces them.

    Args:
        settings: The merged configuration.
        folder: The folder.
        now: The run's record.

    Raises:
        OverpaintError: If not.
    """
    if settings["overwrite"] or not _holds_results(folder):
        return
    if (earlier := read_record(folder)) is not None:
        earlier.check(now, folder)


def write_record(settings: Settings, folder: Path, now: RunRecord) -> bool:
    """Writes a run's record, joined to that of the results which stay in the folder.

    Args:
        settings: The merged configuration.
        folder: The folder.
        now: The run's record.

    Returns:
        Whether there are earlier results of which none stays.
    """
    is_used = _holds_results(folder)
    earlier = read_record(folder, settings["overwrite"]) if is_used else None
    if earlier is not None and settings["overwrite"]:
        earlier = earlier.without_members_of(now)
    (now if earlier is None else earlier.joined(now)).write(folder)
    return is_used and earlier is None and bool(settings["overwrite"])


def _holds_results(folder: Path) -> bool:
    """Tells whether a folder holds checkpoints or explained images."""
    return any(True for pattern in ("*.ckpt", "*/result.json") for _ in folder.glob(pattern))


def read_record(folder: Path, overwrite: bool = False) -> RunRecord | None:
    """Reads the record of a folder; None where there is none, or a damaged one that may be overwritten.

    Raises:
        OverpaintError: If it is damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        return RunRecord(dict(content["settings"]), dict(content["contents"]), list(content["finished"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        if overwrite:
            return None
        raise OverpaintError(
            f"{path}, which says what the results beside it were made with, is damaged ({error}); overwrite=true makes "
            "them anew, and another output= leaves them"
        ) from error


def _differences(before: Settings, now: Settings) -> Iterator[str]:
    """Yields the settings of the results that are there which a later run would change."""
    for name in [key for key in now if key in before]:
        old, new = before[name], now[name]
        if name in SOURCED and (old["source"] is None or (new["source"] is None and name != "generator")):
            continue
        if name in ADDED:
            for member in [key for key in new if key in old]:
                yield from _changed(f"{name}.{member}", old[member], new[member])
        else:
            yield from _changed(name, old, new)


def _changed(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            yield from _changed(f"{name}.{key}", old.get(key), new.get(key))
    elif old != new:
        yield f"{name}: {json.dumps(old, ensure_ascii=False)} -> {json.dumps(new, ensure_ascii=False)}"
