"""The command ``overpaint``: ``overpaint train ...``, ``overpaint explain ...`` and ``overpaint web ...``."""

import sys
from collections.abc import Sequence

USAGE = """usage: overpaint train|explain [key=value ...]
       overpaint web [--port 8501] [--outputs outputs] [--allow-code]

  train     trains a classifier, a generator and a discriminator on images
  explain   explains a classifier: saliency maps, salient regions, repainted variants
  web       opens a local web page on which this is done without writing code

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
    if name not in ("train", "explain", "web"):
        sys.stderr.write(f"error: there is no command '{name}'; overpaint knows train, explain and web\n")
        sys.exit(2)
    try:
        if name == "web":
            _serve(overrides)
            return
        from overpaint.cli.entry import run
        from overpaint.configuration.location import configs_folder

        run("train" if name == "train" else "explain", configs_folder(), overrides)
    except KeyboardInterrupt:  # before anything was begun
        sys.stderr.write("stopped\n")
        sys.exit(130)


def _serve(words: Sequence[str]) -> None:
    """Serves the web page; its error becomes one sentence."""
    from overpaint.core.errors import OverpaintError
    from overpaint.web.launch import launch

    try:
        launch(words)
    except OverpaintError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
