"""Trains a classifier and a DCGAN on a domain: ``python train.py [key=value ...]``, see configs/train.yaml."""

import sys
from pathlib import Path

from overpaint.cli.console import run
from overpaint.cli.train import train

if __name__ == "__main__":
    run(train, Path(__file__).resolve().parent / "configs", sys.argv[1:])
