"""Classifiers of every kind behind one protocol: images in [0, 1] in, class probabilities out."""
