"""The command ``overpaint``: ``overpaint train ...`` and ``overpaint explain ...``."""

import sys
from collections.abc import Sequence

USAGE = """usage: overpaint train|explain [key=value ...]

  train     trains a classifier, a generator and a discriminator on images
  explain   explains a classifier: saliency maps, salient regions, repainted variants

'overpaint train --help' and 'overpaint explain --help' list the settings."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs an entry point and exits with its status; 2 for an unknown one.

    Args:
        arguments: The entry point's name and its overrides; None: those of the process.
    """
    name, *overrides = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        sys.stdout.write(f"{USAGE}\n")
        return
    if name not in ("train", "explain"):
        sys.stderr.write(f"error: there is no command '{name}'; overpaint knows train and explain\n")
        sys.exit(2)
    try:
        from overpaint.cli.entry import run
        from overpaint.configuration.location import configs_folder

        run("train" if name == "train" else "explain", configs_folder(), overrides)
    except KeyboardInterrupt:  # before anything was begun
        sys.stderr.write("stopped\n")
        sys.exit(130)
