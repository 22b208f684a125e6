"""Weights files of other people's networks: whatever holds all the tensors of a network loads."""

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.networks.checkpoint import FORMAT_KEY, few, load_tensors
from overpaint.networks.safe_loading import as_plain, read_plain, read_safetensors

KEYS = ("", "state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params", "ema")
"""Entries of a checkpoint under which the tensors may lie, in the order of preference: the file itself, what training
left, its moving average; entries of other names come last."""

TOGETHER = "all entries together"
"""The entry of a file whose dictionaries hold the parts of one network, such as ``encoder`` and ``head``."""

COMPILED = "_orig_mod."
"""What torch.compile puts into the names of a state dict."""

OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
"""Names of DenseNet's layers before torchvision 0.3, ``norm.1.weight`` for ``norm1.weight``."""


@dataclass(frozen=True)
class WeightsFile:
    """What a weights file holds.

    Attributes:
        path: The file.
        key: The setting that names it, such as ``classifier.weights``.
        states: The state dicts in it, by the entries under which they lie, "" for the file itself; the first of those
            that hold equally many of a network's tensors is used.
        hyperparameters: The arguments of the network's constructor that Lightning saved.
        hyperparameters_name: The name of the one argument that takes all of them as a dictionary, where there is one.
    """

    path: Path
    key: str
    states: Mapping[str, Mapping[str, Tensor]]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    hyperparameters_name: str | None = None

    def matched(self, names: Collection[str]) -> dict[str, Tensor]:
        """Returns the tensors under the names of a network, of the state dict that holds most of them.

        A prefix that the file has before the names, or that they have before the file's, is of no account. Names that
        are not the network's keep those of the file.
        """
        wanted = set(names)
        return max((_renamed(state, wanted) for state in self.states.values()), key=lambda s: len(s.keys() & wanted))

    def load(self, network: nn.Module) -> None:
        """Loads the tensors into a network, and freezes it in eval mode; a warning names those that are left out.

        Tensors outside of the network's own modules, such as a loss's, are left out if all the network's are there. A
        module that differs from one of the network's by its number alone (``layer5`` beside ``layer4``) is a layer
        that the network lacks, and an error.

        Raises:
            OverpaintError: If tensors are missing, left over inside of the network's modules, or of another shape.
        """
        own = network.state_dict()
        renamed = {key: _renamed(state, own) for key, state in self.states.items()}
        held = {key: len(state.keys() & own.keys()) for key, state in renamed.items()}
        used = max(held, key=held.__getitem__)
        modules = {_unnumbered(name) for name in own}
        extra = [name for name in renamed[used] if name not in own and _unnumbered(name) not in modules]
        load_tensors(network, {n: tensor for n, tensor in renamed[used].items() if n not in extra}, self.path)
        others = [key for key, count in held.items() if count == len(own) and key not in (used, TOGETHER)]
        if others:
            self._note(f"holds several states of the network; '{used}' is used, not {few(others)}")
        if extra:
            self._note(f"holds {len(extra)} tensors beside those of the network, which are left out ({few(extra)})")

    def _note(self, what: str) -> None:
        warnings.warn(f"{self.key}={self.path} {what}", OverpaintWarning, stacklevel=3)


def read_weights(path: Path, key: str) -> WeightsFile:
    """Reads a file of weights: a state dict, alone or inside of a checkpoint, or safetensors.

    Args:
        path: The file.
        key: The setting that names it, such as ``classifier.weights``, for errors.

    Raises:
        OverpaintError: If the file is absent, can't be read as tensors and plain values, or holds no state dict.
    """
    if not path.is_file():
        raise OverpaintError(f"there is no file {key}={path}")
    content = read_safetensors(path, key)
    if content is None:
        content = read_plain(path, "save the network's state_dict() alone")
    if isinstance(content, dict) and FORMAT_KEY in content:
        raise OverpaintError(f"{key}={path} was made by this project: {key.partition('.')[0]}={path} is all it needs")
    states = dict(_states(content))
    if not states:
        raise OverpaintError(
            f"{key}={path} holds no state dict (names and tensors, alone or below an entry such as 'state_dict')"
        )
    order = {name: number for number, name in enumerate(KEYS)}
    ranked = {name: states[name] for name in sorted(states, key=lambda name: order.get(_last(name), len(order)))}
    if len(ranked) > 1:
        ranked[TOGETHER] = {f"{entry}.{name}": t for entry, state in states.items() for name, t in state.items()}
    if not isinstance(content, Mapping):
        return WeightsFile(path, key, ranked)
    whole = content.get("hparams_name")  # "kwargs" where the constructor takes each by its name
    whole = whole if isinstance(whole, str) and whole != "kwargs" else None
    return WeightsFile(path, key, ranked, as_plain(content.get("hyper_parameters")), whole)


def _last(entry: str) -> str:
    return entry.rpartition(".")[2]


def _unnumbered(name: str) -> str:
    """Returns a tensor's module of the first level, without a number at its end."""
    return name.partition(".")[0].rstrip("0123456789")


def _states(content: object, entry: str = "", depth: int = 4) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yields the state dicts in a checkpoint's content: dictionaries whose values are tensors, at any of four levels.

    A dictionary of tensors may hold other things too, such as a module's extra state.
    """
    if isinstance(content, list | tuple):
        content = dict(enumerate(content))
    if not isinstance(content, Mapping) or not depth:
        return
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if any(name.endswith(("weight", "bias")) or "." in name for name in tensors):
        yield entry, {_current_name(name): tensor for name, tensor in tensors.items()}
    for name, value in content.items():
        yield from _states(value, f"{entry}.{name}" if entry else str(name), depth - 1)


def _current_name(name: str) -> str:
    """Returns a tensor's name as the module itself would have it today."""
    return OLD_DENSENET.sub(r"\1\2", name.replace(COMPILED, ""))


def _renamed(state: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Returns a state dict whose names are those of a network, as far as another prefix makes them so.

    Names in none of the network's modules stay as they are.
    """
    wanted = set(names)
    best, most = dict(state), len(state.keys() & wanted)
    for own in _common_prefixes(wanted):
        inner = {name.removeprefix(own) for name in wanted}
        modules = {_unnumbered(name) for name in inner}
        for prefix in ["", *_prefixes(state, inner)]:
            short = {name: name.removeprefix(prefix) for name in state if name.startswith(prefix)}
            known = {name for name, rest in short.items() if _unnumbered(rest) in modules}
            renamed = {f"{own}{short[name]}" if name in known else name: tensor for name, tensor in state.items()}
            if (count := len(renamed.keys() & wanted)) > most:
                best, most = renamed, count
    return best


def _common_prefixes(names: Collection[str]) -> list[str]:
    """Returns the prefixes that all names share, the shortest, "", first."""
    parts = [name.split(".")[:-1] for name in names]
    shared = 0
    while parts and all(len(own) > shared and own[: shared + 1] == parts[0][: shared + 1] for own in parts):
        shared += 1
    return ["".join(f"{part}." for part in parts[0][:cut]) for cut in range(shared + 1)] if parts else [""]


def _prefixes(longer: Collection[str], shorter: Collection[str]) -> list[str]:
    """Returns what stands before the names of ``shorter`` in those of ``longer``, the shortest first."""
    ends, found = set(shorter), set()
    for name in longer:
        parts = name.split(".")
        found |= {".".join(parts[:cut]) + "." for cut in range(1, len(parts)) if ".".join(parts[cut:]) in ends}
    return sorted(found, key=len)


def count_classes(probe: nn.Module, tensors: Mapping[str, Tensor]) -> int:
    """Returns how many classes a state dict was trained for.

    Args:
        probe: The same architecture made for two classes: the tensors that differ from it in their first side alone
            are those of the last layer.
        tensors: The state dict.

    Returns:
        That side; two if nothing differs, or if the differences are of another kind, which loading will name.
    """
    sides = {
        tensors[name].shape[0]
        for name, own in probe.state_dict().items()
        if name in tensors and own.ndim and tensors[name].ndim == own.ndim and tensors[name].shape != own.shape
        if own.shape[0] == 2 and tensors[name].shape[1:] == own.shape[1:]
    }
    return sides.pop() if len(sides) == 1 else 2
