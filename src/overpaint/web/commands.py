"""The command line and the lines of Python that make a result again."""

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from overpaint.core.choices import ChannelMode
from overpaint.core.commands import command
from overpaint.core.instantiate import import_class
from overpaint.web.forms import method_section
from overpaint.web.view import Box

Sections = Mapping[str, Mapping[str, Any]]
"""The settings of each method, by its name."""


@dataclass(frozen=True)
class Recipe:
    """What a result was made of.

    Attributes:
        classifier: The word of ``classifier=``.
        weights: Of ``classifier.weights=``.
        generator: The generator's checkpoint; None: there was none.
        file: The file of the image or series.
        target: The explained class.
        sections: The methods' settings.
        metrics: The metrics' names.
        region: Settings of the region that are not the defaults.
        search: Settings of the latent search that are not the defaults.
        channels: Whether channels are explained together or apart.
        blend: How variants are blended.
        drawn: Whether the region was drawn by hand; ``region.npy`` then holds it.
        box: The annotated box, see `Box`; None: there is none.
        size: The size along each spatial dimension, as the classifier sees it.
        probes: The probes' names.
    """

    classifier: str
    weights: str | None
    generator: str | None
    file: str
    target: str
    sections: Sections
    metrics: tuple[str, ...] = ()
    region: Mapping[str, Any] | None = None
    search: Mapping[str, Any] | None = None
    channels: ChannelMode = "joint"
    blend: str = "paste"
    drawn: bool = False
    box: Box | None = None
    size: tuple[int, ...] = ()
    probes: tuple[str, ...] = ()

    @property
    def _changed(self) -> dict[str, dict[str, Any]]:
        """Returns the methods' settings that are not those of their files."""
        found = {}
        for name, section in self.sections.items():
            own = method_section(name)
            found[name] = {
                key: value for key, value in section.items() if own.get(key, _default(section, key)) != value
            }
        return found

    def command_line(self) -> str | None:
        """Returns the command; None where the region was drawn or a box annotated by hand, which it can't say."""
        if self.drawn or self.box is not None:
            return None
        words = [f"images={self.file}", f"classifier={self.classifier}"]
        words += [f"classifier.weights={self.weights}"] if self.weights else []
        words += [f"generator={self.generator or 'null'}", f"target={self.target}"]
        words += [f"methods=[{','.join(self.sections)}]", f"metrics=[{','.join(self.metrics)}]"]
        words += [f"probes=[{','.join(self.probes)}]"] if self.probes else []
        for name, changed in self._changed.items():
            words += [f"saliency.{name}.{key}={_yaml(value)}" for key, value in changed.items()]
        for group, settings in (("region", self.region), ("search", self.search)):
            words += [f"{group}.{key}={_yaml(value)}" for key, value in (settings or {}).items()]
        words += [f"channels={self.channels}"] if self.channels != "joint" else []
        words += [f"variants.blend={self.blend}"] if self.blend != "paste" else []
        return f"{command('explain')} {shlex.join(words)}"

    def python(self) -> str:
        """Returns the lines of Python."""
        imports, methods = {"import overpaint as op"}, []
        for name, changed in self._changed.items():
            if not changed:
                methods.append(f'"{name}": "{name}"')
                continue
            module, _, kind = str(self.sections[name]["target"]).rpartition(".")
            imports.add(f"from {module} import {kind}")
            own = {
                key: value for key, value in self.sections[name].items() if value != _default(self.sections[name], key)
            }
            own = {key: value for key, value in own.items() if key not in ("target", "name")}
            methods.append(f'"{name}": {kind}({_arguments(own)})')
        asked = [f"methods={{{', '.join(methods)}}}"]
        asked += [f'generator="{self.generator}"'] if self.generator else []
        asked += [f"metrics={list(self.metrics)}"] if self.metrics else []
        asked += [f"probes={list(self.probes)}"] if self.probes else []
        if self.region:
            imports.add("from overpaint.inpainting.region import RegionRule")
            asked.append(f"region=RegionRule({_arguments(self.region)})")
        if self.search:
            imports.add("from overpaint.inpainting.latent_search import LatentSearch")
            asked.append(f"search=LatentSearch({_arguments(self.search)})")
        asked += [f'channels="{self.channels}"'] if self.channels != "joint" else []
        asked += [f'blend="{self.blend}"'] if self.blend != "paste" else []
        before = []
        if self.drawn:
            imports |= {"import numpy as np", "import torch"}
            before.append('regions = torch.from_numpy(np.load("region.npy"))[None]  # downloaded here')
            asked.append("regions=regions")
        if self.box is not None:
            imports.add("import torch")
            before += [
                f"box = torch.zeros(1, {', '.join(map(str, self.size))}, dtype=torch.bool)",
                f"box[:, {', '.join(f'{first}:{behind}' for first, behind in self.box)}] = True",
            ]
            asked.append("ground_truth=box")
        weights = f', weights="{self.weights}"' if self.weights else ""
        plain = sorted(line for line in imports if line.startswith("import"))
        named = sorted(line for line in imports if line.startswith("from"))
        return "\n".join(
            [
                *[*plain, *named],
                f'classifier = op.as_classifier("{self.classifier}"{weights})',
                *before,
                f'explanation = op.explain(classifier, "{self.file}", "{self.target}", {", ".join(asked)})',
                'explanation.save("out")',
            ]
        )


def _default(section: Mapping[str, Any], key: str) -> Any:
    """Returns the default of a method's field."""
    target: Any = import_class(section["target"], ("overpaint",), "saliency")
    return next((field.default for field in fields(target) if field.name == key), MISSING)


def _arguments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in settings.items())


def _yaml(value: Any) -> str:
    """Returns a value as the command line takes it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
