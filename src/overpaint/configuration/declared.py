"""Checks a section against its class without importing it: the class's module imports torch, which takes seconds.

A class declares its settings as annotated fields or as parameters of ``__init__``, and refuses values in statements
such as ``if self.steps < 1: raise OverpaintError(...)`` of ``__post_init__`` or ``__init__``. Both are evaluated here
from the class's source file, as far as they name nothing that would have to be imported. Whatever can't be evaluated is
left alone: the class itself checks everything again when it is built.
"""

import ast
import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

from overpaint.configuration.location import PACKAGE
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_types

IMPORTABLE = (
    *("collections.abc", "math", "typing"),
    *("overpaint.core.bounds", "overpaint.core.choices", "overpaint.core.errors", "overpaint.core.sizes"),
    "overpaint.data.files.values",
)
"""Modules that import no torch; names of others have no value here."""

CHECKS = ("__post_init__", "__init__")
"""The methods of a class whose statements may refuse a value."""


@dataclass(frozen=True)
class Source:
    """A module that is read and not imported.

    Attributes:
        classes: Its classes by name.
        assigned: The expressions that are assigned to its names.
        imported: The module, and the name in it, behind each name that it imports.
    """

    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    assigned: dict[str, ast.expr] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)

    def evaluated(self, expression: ast.expr) -> Any:
        """Returns the value of an expression of this module.

        Raises:
            Exception: Any, where it can't be evaluated without an import.
        """
        return eval(compile(ast.Expression(expression), "<declared>", "eval"), self.values_in(expression))

    def values_in(self, code: ast.AST) -> dict[str, Any]:
        """Returns the values of the names in a piece of this module's code that have one here."""
        values: dict[str, Any] = {}
        for name in {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}:
            with suppress(Exception):
                values[name] = self._value(name)
        return values

    def _value(self, name: str) -> Any:
        if name in self.assigned:
            return self.evaluated(self.assigned[name])
        module, attribute = self.imported[name]
        if module in IMPORTABLE:
            found = importlib.import_module(module)
            return vars(found)[attribute] if attribute else found
        return read_source(module)._value(attribute)

    def lineage(self, name: str) -> Iterator[tuple["Source", ast.ClassDef]]:
        """Yields a class and its bases, the bases first, each with the module that it is in."""
        if name in self.classes:
            for base in self.classes[name].bases:
                if isinstance(base, ast.Name):
                    yield from self.lineage(base.id)
            yield self, self.classes[name]
        elif name in self.imported:
            module, attribute = self.imported[name]
            yield from read_source(module).lineage(attribute)


@cache
def read_source(module: str) -> Source:
    """Reads a module of this package; any other has no names."""
    source, path = Source(), PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_relative_to(PACKAGE) or not path.is_file():
        return source
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.ClassDef(name=name):
                source.classes[name] = statement
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                source.assigned[name] = value
            case ast.Import(names=names):
                source.imported.update({each.asname or each.name: (each.name, "") for each in names})
            case ast.ImportFrom(module=str() as origin, names=names):
                source.imported.update({each.asname or each.name: (origin, each.name) for each in names})
    return source


def check_declared(section: Mapping[str, Any], target: str, where: str, later: Sequence[str] = ()) -> None:
    """Checks the values of a section as far as that takes no import of its class.

    Args:
        section: The section.
        target: The path of the class that takes its entries.
        where: The section's key, for errors.
        later: Entries that the program replaces before the class sees them.

    Raises:
        OverpaintError: If a value is of the wrong type, or refused by a check of the class.
    """
    module, _, name = target.rpartition(".")
    lineage = list(read_source(module).lineage(name))
    types = declared_types(lineage)
    values = {key: value for key, value in section.items() if key not in ("target", "name", *later)}
    values = checked_types(values, types, f"{where}.")
    for source, defined in lineage:
        for method in _methods(defined):
            if method.name in CHECKS:
                _run_checks(method, source.values_in(method), values)


def declared_types(lineage: Sequence[tuple[Source, ast.ClassDef]]) -> dict[str, Any]:
    """Returns what the settings of a class take, where that can be evaluated.

    Args:
        lineage: The class, its bases before it, see `Source.lineage`.
    """
    types: dict[str, Any] = {}
    for source, defined in lineage:
        annotated = [
            (each.target.id, each.annotation)
            for each in defined.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        ]
        for method in _methods(defined):
            if method.name == "__init__":
                types, parameters = {}, [*method.args.args, *method.args.kwonlyargs]
                annotated = [(each.arg, each.annotation) for each in parameters if each.annotation is not None]
        for name, annotation in annotated:
            types.pop(name, None)
            with suppress(Exception):
                types[name] = source.evaluated(annotation)
    return types


def _methods(defined: ast.ClassDef) -> list[ast.FunctionDef]:
    return [each for each in defined.body if isinstance(each, ast.FunctionDef)]


def _run_checks(method: ast.FunctionDef, names: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Runs the conditions of a method, and what is assigned for them, with the section's values.

    Raises:
        OverpaintError: If one of them does.
    """
    scope = names | dict(values) | {"self": SimpleNamespace(**values)}
    for statement in method.body:
        if isinstance(statement, ast.If | ast.For | ast.Assign):
            try:
                exec(compile(ast.Module([statement], []), "<declared>", "exec"), scope)
            except OverpaintError:
                raise
            except Exception:
                continue  # it needs something that is not imported; the class itself runs it later
