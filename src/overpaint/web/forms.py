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
    """

    name: str
    kind: type[Any]
    choices: Sequence[str]
    optional: bool
    default: Any
    help: str


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
    helps, hints, found = attribute_helps(target), get_type_hints(target), []
    for field in fields(target):
        if not field.init or (field.default is MISSING and field.default_factory is MISSING):
            continue
        shown = _kind_of(hints[field.name])
        if shown is not None:
            kind, choices, optional = shown
            default = section.get(field.name, field.default)
            found.append(Setting(field.name, kind, choices, optional, default, helps.get(field.name, "")))
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
    empty = "none" if setting.optional else None
    if setting.kind is int:
        number = None if setting.default is None else int(setting.default)
        return st.number_input(
            label, value=number, step=1, key=key, help=about, placeholder=empty, persist_state="page"
        )
    decimal = None if setting.default is None else float(setting.default)
    return st.number_input(
        label, value=decimal, step=0.05, format="%g", key=key, help=about, placeholder=empty, persist_state="page"
    )


def _shown_word(word: str | None) -> str:
    return "none" if word is None else word
