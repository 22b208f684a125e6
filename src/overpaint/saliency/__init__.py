"""Saliency methods, one a file: a frozen dataclass of settings whose call computes maps."""
