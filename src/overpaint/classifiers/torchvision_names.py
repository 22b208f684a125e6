"""The names of torchvision's classification networks, known before torchvision is imported."""

import importlib.util
import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from overpaint.core.errors import OverpaintError

REGISTERED = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)", re.MULTILINE)
"""How torchvision's files register a network: by the name of its function."""


def known_networks() -> set[str]:
    """Returns the names, read from the files of the installed torchvision; none if it writes them in another way."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        return set()
    files = Path(package.origin).with_name("models").glob("*.py")
    return {name for file in files for name in REGISTERED.findall(file.read_text(encoding="utf-8"))}


def check_name(name: str, known: Collection[str], which: str = "classifier") -> None:
    """Checks that torchvision has a classification network.

    Args:
        name: Its name.
        known: Those that there are.
        which: The setting that names it, for errors.

    Raises:
        OverpaintError: If it has none of that name; it says which is near.
    """
    if name in known:
        return
    near, ordered = get_close_matches(name, known, 1), sorted(known)
    hint = f"did you mean torchvision:{near[0]}?" if near else f"it has {', '.join(ordered[:3])} ... {ordered[-1]}"
    raise OverpaintError(f"{which}=torchvision:{name} is no classification network of torchvision; {hint}")
