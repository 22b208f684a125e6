"""Explains a classifier's answers from checkpoints: ``python explain.py [key=value ...]``, see configs/explain.yaml."""

import sys
from pathlib import Path

from overpaint.cli.console import run
from overpaint.cli.explain import explain

if __name__ == "__main__":
    run(explain, Path(__file__).resolve().parent / "configs", sys.argv[1:])
