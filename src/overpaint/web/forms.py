"""Forms of methods, made from their fields: types, defaults of their files, help from their docstrings."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import streamlit as st

from overpaint.configuration.location import configs_folder
from overpaint.configuration.settings import default_sections
from overpaint.core.bounds import Bounds, bounds_of, without_bounds
from overpaint.core.instantiate import import_class, instantiate
from overpaint.core.protocols import SaliencyMethod

Section = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """A field of a method, as a form shows it.

    Attributes:
        name: The field.
        kind: The type of its values: ``int``, ``float``, ``bool``, ``str``.
        choices: The words that it takes; none: any value of its kind.
        optional: Whether it may be left empty (None).
        default: The value of the method's file, or the field's own.
        help: What its docstring says.
        bounds: Of a number: which ones it takes.
    """

    name: str
    kind: type[Any]
    choices: Sequence[str]
    optional: bool
    default: Any
    help: str
    bounds: Bounds


def method_names() -> list[str]:
    """Returns the names of all methods: those of ``configs/saliency/``."""
    return sorted(path.stem for path in (configs_folder() / "saliency").glob("*.yaml"))


def method_section(name: str) -> dict[str, Any]:
    """Returns the settings of a method as its file has them."""
    return dict(default_sections(configs_folder(), "methods", "saliency", [name], 0)[name])


def settings_of(section: Section) -> list[Setting]:
    """Returns the settings of a method that a form can show.

    Left out is what a method can't do without (it says which method it is), and what is neither a number, a word nor
    yes or no, such as a network.
    """
    target = import_class(section["target"], ("overpaint",), "saliency")
    helps, hints, found = attribute_helps(target), get_type_hints(target, include_extras=True), []
    for field in fields(target):
        if not field.init or (field.default is MISSING and field.default_factory is MISSING):
            continue
        hint = hints[field.name]
        shown = _kind_of(without_bounds(hint))
        if shown is not None:
            kind, choices, optional = shown
            default = section.get(field.name, field.default)
            said = helps.get(field.name, "")
            found.append(Setting(field.name, kind, choices, optional, default, said, bounds_of(hint)))
    return found


def _kind_of(hint: Any) -> tuple[type[Any], Sequence[str], bool] | None:
    """Returns the kind of a field's values, its words, and whether it may be None; None for what no form shows."""
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    optional = NoneType in members
    for member in members:  # words first: a baseline is a word or an image, and a form offers words
        if get_origin(member) is Literal:
            return str, [str(word) for word in get_args(member)], optional
    for kind in (bool, float, int, str):
        if kind in members:
            return kind, (), optional
    return None


def attribute_helps(target: type[Any]) -> dict[str, str]:
    """Returns what a class's docstring says of each of its attributes."""
    text = inspect.getdoc(target) or ""
    part = re.search(r"^(?:Attributes|Args):\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    entries = re.findall(r"^    (\w+): ((?:.|\n(?!    \w))*)", part[1], re.MULTILINE) if part else []
    return {name: " ".join(said.split()) for name, said in entries}


def summary_of(section: Section) -> str:
    """Returns the first sentence of a method's docstring."""
    return (inspect.getdoc(import_class(section["target"], ("overpaint",), "saliency")) or "").split("\n\n")[0]


def make_method(name: str, section: Section) -> SaliencyMethod:
    """Builds a method.

    Raises:
        OverpaintError: If a value is out of its range.
    """
    method: SaliencyMethod = instantiate(section, f"saliency.{name}")
    return method


def show_form(name: str, key: str) -> dict[str, Any]:
    """Shows a method's form, and returns its section with what was filled in.

    Args:
        name: The method.
        key: Makes the widgets' keys unique.
    """
    section = method_section(name)
    st.caption(summary_of(section))
    for setting in settings_of(section):
        section[setting.name] = _show(setting, f"{key}.{setting.name}")
    return section


def _show(setting: Setting, key: str) -> Any:
    label, about = setting.name, setting.help or None
    if setting.choices:
        words: list[str | None] = [*([None] if setting.optional else []), *setting.choices]
        index = words.index(setting.default) if setting.default in words else 0
        return st.selectbox(label, words, index, _shown_word, key=key, help=about, persist_state="page")
    if setting.kind is bool:
        return st.checkbox(label, bool(setting.default), key=key, help=about, persist_state="page")
    if setting.kind is str:
        text = st.text_input(label, setting.default or "", key=key, help=about, persist_state="page")
        return None if setting.optional and not text else text
    return _show_number(setting, key)


def _show_number(setting: Setting, key: str) -> int | float | None:
    """Shows a number's field; what lies outside can't be typed, and an end that is not taken itself is said."""
    kind: Any = setting.kind
    low, high = setting.bounds.ends
    number: int | float | None = st.number_input(
        setting.name,
        min_value=None if low is None else kind(low),
        max_value=None if high is None else kind(high),
        value=None if setting.default is None else kind(setting.default),
        step=1 if kind is int else 0.05,
        format="%d" if kind is int else "%g",
        key=key,
        help=setting.help or None,
        placeholder="none" if setting.optional else None,
        persist_state="page",
    )
    if number is not None and not setting.bounds.holds(number):
        st.error(f"{setting.name}={number:g} {setting.bounds.said}")
    return number


def _shown_word(word: str | None) -> str:
    return "none" if word is None else word
