"""The commands that messages tell a user to run."""

from pathlib import Path


def command(entry: str) -> str:
    """Returns how an entry point is called here.

    Args:
        entry: ``train`` or ``explain``.

    Returns:
        ``python train.py`` in a clone of the repository, ``overpaint train`` elsewhere.
    """
    return f"python {entry}.py" if Path(f"{entry}.py").is_file() else f"overpaint {entry}"
