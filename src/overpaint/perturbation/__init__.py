"""The one engine through which every masked query of a classifier goes."""
