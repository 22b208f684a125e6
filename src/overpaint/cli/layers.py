"""The table of layers that ``python explain.py list_layers=true`` prints."""

import torch
from rich.markup import escape
from rich.table import Table

from overpaint.attribution.layers import choose_layer, spatial_layers
from overpaint.attribution.state import preserve_state
from overpaint.core.protocols import Classifier


def layer_table(classifier: Classifier) -> Table:
    """Makes a table of the layers that ``layer=`` can name: their outputs' channels and cells, and what auto takes.

    Raises:
        OverpaintError: If the classifier has no layers, or none with a map.
    """
    image = torch.zeros(1, classifier.channels, *classifier.input_size)
    image = image.to(classifier.mean.device)
    with preserve_state(classifier, "list_layers"):
        last = choose_layer(classifier, image, "auto", "list_layers")
    table = Table("layer", "channels", "cells", "tokens left out", "")
    for layer in spatial_layers(classifier, image):
        cells = "x".join(map(str, layer.layout.grid))
        mark = "auto" if layer.name == last else ""
        table.add_row(escape(layer.name), str(layer.channels), cells, str(layer.layout.extra or "-"), mark)
    return table
