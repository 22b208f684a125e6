"""State dicts of other people's networks."""

from pathlib import Path

from torch import Tensor, nn

from overpaint.core.errors import OverpaintError
from overpaint.networks.checkpoint import FORMAT_KEY, read_plain

PREFIXES = ("module.", "model.", "network.")
"""What DataParallel, Lightning modules and wrappers put before every name of a state dict."""


def read_state_dict(path: Path, what: str) -> dict[str, Tensor]:
    """Reads a state dict, alone or below the key ``state_dict``, without a prefix that all its names share.

    Args:
        path: The file.
        what: ``classifier`` or ``generator``, for errors.

    Raises:
        OverpaintError: If the file is absent, can't be read as tensors and plain values, or holds something else.
    """
    if not path.is_file():
        raise OverpaintError(f"there is no file {what}.weights={path}")
    content = read_plain(path, "save the network's state_dict() alone")
    if isinstance(content, dict) and FORMAT_KEY in content:
        raise OverpaintError(f"{what}.weights={path} was made by this project: {what}={path} is all it needs")
    tensors = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not tensors or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise OverpaintError(
            f"{what}.weights={path} holds no state dict (names and tensors, alone or below 'state_dict')"
        )
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), ""):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def count_classes(probe: nn.Module, tensors: dict[str, Tensor]) -> int:
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
