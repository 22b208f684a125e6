"""The folder of the configuration files: beside the code of a clone, or in the installed package."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def configs_folder() -> Path:
    """Returns the folder of the configuration files.

    In a clone these are ``configs/`` at its top; a wheel carries them in the package.
    """
    packed = PACKAGE / "configs"
    return packed if packed.is_dir() else PACKAGE.parents[1] / "configs"
