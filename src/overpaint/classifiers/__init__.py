"""One face over every kind of classifier: images in [0, 1] in, class probabilities out."""
