"""Merges the configuration; knows OmegaConf and nothing of the rest.

The order, later wins: ``configs/<entry>.yaml``, the group files that it or the command line chooses, the other
``key=value`` words of the command line. A group's word names its file: ``data=folder`` reads
``configs/data/folder.yaml``; ``all`` names all of them. Each group file names its class (``target``) and its settings,
which are that class's arguments. A word for a section that has an entry ``source`` sets that entry; a word that gives
keys and values changes these of a section, or, with a ``target``, replaces it.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from overpaint.core.errors import OverpaintError
from overpaint.core.files import partial_path
from overpaint.core.instantiate import suggestion

Settings = dict[str, Any]

LOOKUP = re.compile(r"\$\{[^}]*:")
"""An interpolation that calls a function, such as ``oc.env``; plain ones name other settings."""

OF_CLASSES = ("class_names", "target", "into")
"""The last word of settings that take names of classes, which are no values of YAML."""


def load_settings(configs: Path, entry: str, words: Sequence[str]) -> Settings:
    """Reads and merges the configuration of an entry point.

    Args:
        configs: The folder of the configuration files.
        entry: ``train`` or ``explain``.
        words: The ``key=value`` words of the command line.

    Returns:
        Plain nested dictionaries, interpolations resolved.

    Raises:
        OverpaintError: If a word, key, group or value is wrong; it says what was perhaps meant.
    """
    base = _read(configs / f"{entry}.yaml")
    groups = {str(group): str(section) for group, section in base.pop("groups").items()}
    overrides = _parse(words)
    defaults = {group: base.pop(group) for group in groups}
    chosen = {group: overrides.pop(group, default) for group, default in defaults.items()}
    for group, section in groups.items():
        base.merge_with(_read_group(configs, group, section, chosen[group]))
        _check_chosen(configs, group, section, base, overrides)
    if "images" in base:
        base = _with_data_of_run(base, overrides, given="data" in _parse(words))
    return _merge(base, overrides)


def _read(path: Path) -> DictConfig:
    try:
        content = OmegaConf.load(path)
    except Exception as error:  # PyYAML's and OmegaConf's parsers raise errors without a common base class
        raise OverpaintError(f"{path} can't be read as configuration: {' '.join(str(error).split())}") from error
    if not isinstance(content, DictConfig):
        raise OverpaintError(f"{path} must hold keys and values")
    return content


def _parse(words: Sequence[str]) -> Settings:
    """Splits ``a.b=value`` words; values are YAML, and text where they are none (``*.jpg``)."""
    parsed: Settings = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise OverpaintError(f"'{word}' is no setting; write key=value, such as limit=4")
        if not text.strip():
            raise OverpaintError(f"{key}= has no value; write {key}=null for none, and quote what the shell may drop")
        try:
            value = _parse_names(key, text) if key.split(".")[-1] in OF_CLASSES else _parse_value(text)
        except Exception:  # PyYAML's and OmegaConf's parsers raise errors without a common base class
            value = text
        parsed[key] = value
    return parsed


def _parse_value(text: str) -> Any:
    if "#" in text:
        raise ValueError("YAML would take what follows for a comment")
    value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]), resolve=False)["value"]  # type: ignore[index,call-overload]
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        raise ValueError("a text with a colon, such as 'torchvision:', is no group of settings")
    return value


def _parse_names(key: str, text: str) -> Any:
    """Reads names of classes: ``no``, ``on``, ``null`` and ``1.0`` are texts; whole numbers are indices."""
    if not text.startswith("["):
        return None if text == "null" and key.endswith("class_names") else _as_index(text)
    names = yaml.load(text, Loader=yaml.BaseLoader)
    return [_as_index(name) if isinstance(name, str) else name for name in names]


def _as_index(name: str) -> str | int:
    return int(name) if re.fullmatch(r"0|-?[1-9]\d*", name) else name


def _read_group(configs: Path, group: str, section: str, chosen: Any) -> DictConfig:
    folder = configs / section
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    names = chosen if isinstance(chosen, list) or OmegaConf.is_list(chosen) else [chosen]
    if names == ["all"] and section != "data":
        names = known
    if section == "data" and len(names) != 1:
        raise OverpaintError(f"{group}={list(names)} must name one data set")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise OverpaintError(f"{group}={name} is unknown{hint} (choose from {', '.join(known)})")
    files = {name: _read(folder / f"{name}.yaml") for name in names}
    members: Any = OmegaConf.merge({"name": names[0]}, files[names[0]]) if section == "data" else files
    return OmegaConf.create({section: members} if section == group else {section: members, group: list(names)})


def default_sections(configs: Path, group: str, section: str, names: Sequence[str], seed: int) -> dict[str, Settings]:
    """Reads the settings of methods, metrics or probes as their files have them.

    Args:
        configs: The folder of the configuration files.
        group: What they are called in errors: ``methods``, ``metrics`` or ``probes``.
        section: The folder that holds their files.
        names: Their names, or ``all``.
        seed: The run's seed, on which theirs depend.

    Raises:
        OverpaintError: If there is no such name; it says which is near.
    """
    chosen = OmegaConf.merge({"seed": seed}, {section: _read_group(configs, group, section, list(names))[section]})
    resolved = OmegaConf.to_container(chosen, resolve=True)
    assert isinstance(resolved, dict)
    return {str(name): settings for name, settings in resolved[section].items()}


def _check_chosen(configs: Path, group: str, section: str, base: DictConfig, overrides: Settings) -> None:
    """Refuses settings of a member that exists but was not chosen: they would change nothing."""
    for key in overrides:
        first, _, rest = key.partition(".")
        member = rest.split(".")[0]
        if first == section and member not in base[section] and (configs / section / f"{member}.yaml").is_file():
            raise OverpaintError(f"'{key}' would change nothing: {member} is not among {group}={list(base[section])}")


def _with_data_of_run(base: DictConfig, overrides: Settings, given: bool) -> DictConfig:
    """Explaining takes the data settings that the run was trained with, unless other data was asked for."""
    _check_lookups(base)
    output = Path(str(overrides.get("output", OmegaConf.to_container(base, resolve=True)["output"])))  # type: ignore[index,call-overload]
    saved = output / "config.yaml"
    if saved.is_file():
        data = _read(saved).get("data")
        _check_saved_data(data, saved)
        if not given or data.get("name") == base.data.name:
            base.data = data
    return base


def _check_saved_data(data: Any, saved: Path) -> None:
    """Checks what a run has saved of its data: a file that came from elsewhere, or is damaged, may hold anything.

    Raises:
        OverpaintError: If it is no section, or anything in it is to be looked up elsewhere, as in the environment.
    """
    if not isinstance(data, DictConfig) or not {"name", "target"} <= {*data}:
        raise OverpaintError(f"{saved} is damaged: it has no section 'data' with a name and a target; train anew")
    for key, value in _texts(OmegaConf.to_container(data, resolve=False), "data"):
        if "${" in value:
            raise OverpaintError(f"{saved} has {key}={value}, but a run saves plain values: it was changed by others")


def _texts(content: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yields the texts of nested settings, and the key of each."""
    if isinstance(content, str):
        yield key, content
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in entries:
        yield from _texts(value, f"{key}.{name}")


def _check_lookups(base: DictConfig) -> None:
    """Refuses values that are to be looked up elsewhere than among the settings, such as ``${oc.env:KEY}``.

    They would be written into the run's files, its report and W&B, and might be keys.
    """
    for key, value in _texts(OmegaConf.to_container(base, resolve=False), ""):
        if LOOKUP.search(value):
            raise OverpaintError(
                f"{key.removeprefix('.')}={value} would be looked up outside of the settings, and what is found be "
                "written into the run's files; say the value itself"
            )


def _merge(base: DictConfig, overrides: Settings) -> Settings:
    OmegaConf.set_struct(base, True)
    keys = _all_keys(base)
    for word, value in overrides.items():
        # A section with a source is named by it: classifier=X means classifier.source=X.
        key = f"{word}.source" if f"{word}.source" in keys and not isinstance(value, dict) else word
        if key not in keys:
            raise OverpaintError(f"there is no setting '{key}'{suggestion(key, keys)}")
        if isinstance(OmegaConf.select(base, key), DictConfig) and not isinstance(value, dict):
            raise OverpaintError(
                f"'{key}' is a group of settings; set one of them, such as {_first_below(key, keys)}=..."
            )
        default = OmegaConf.select(base, key)
        if (
            isinstance(default, int | float)
            and not isinstance(default, bool)
            and isinstance(value, str)
            and "${" not in value
        ):
            raise OverpaintError(f"{key}={value} is not of the right type: it takes a number")
        try:
            replaces = isinstance(value, dict) and "target" in value
            OmegaConf.update(base, key, value, merge=not replaces)
        except (OmegaConfBaseException, ValueError) as error:
            raise OverpaintError(f"{key}={value}: {str(error).splitlines()[0]}") from error
    _check_lookups(base)
    try:
        resolved = OmegaConf.to_container(base, resolve=True)
    except OmegaConfBaseException as error:
        raise OverpaintError(f"the configuration can't be resolved: {str(error).splitlines()[0]}") from error
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _all_keys(settings: DictConfig, prefix: str = "") -> list[str]:
    keys = []
    for key in settings:
        name = f"{prefix}{key!s}"
        keys.append(name)
        node = settings._get_node(key)
        if isinstance(node, DictConfig):
            keys += _all_keys(node, f"{name}.")
    return keys


def _first_below(key: str, keys: Sequence[str]) -> str:
    below = [known for known in keys if known.startswith(f"{key}.")]
    return next((known for known in below if known != f"{key}.target"), key)


def read_settings(path: Path) -> Settings:
    """Reads the configuration that `save_settings` wrote.

    Raises:
        OverpaintError: If it can't be read.
    """
    settings = OmegaConf.to_container(_read(path))
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def save_settings(settings: Settings, path: Path) -> None:
    """Writes the merged configuration beside the results, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    OmegaConf.save(OmegaConf.create(settings), partial)
    partial.replace(path)
