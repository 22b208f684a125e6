"""Explains a classifier from checkpoints: ``python explain.py [key=value ...]``, see configs/explain.yaml."""

import sys

from overpaint.cli.main import main

if __name__ == "__main__":
    main(["explain", *sys.argv[1:]])
