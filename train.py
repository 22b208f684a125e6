"""Trains a classifier and a DCGAN on a domain: ``python train.py [key=value ...]``, see configs/train.yaml."""

import sys

from overpaint.cli.main import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
