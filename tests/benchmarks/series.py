"""What stands in the holes of series: maps of cylinder-bell-funnel under several fills, judged under several fills.

    python tests/benchmarks/series.py

Trains a convolutional network on 900 series, then prints for each method and fill the share of the most salient tenth
of the steps that lies on the pulse, and insertion minus deletion under three fills. Five minutes on one core.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.scale import SeriesScale
from overpaint.metrics.base import MetricInputs
from overpaint.metrics.insertion_deletion import Deletion, Insertion
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.saliency.lime import Lime
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

LENGTH, EXPLAINED, TENTH = 128, 24, 13
FILLS: tuple[Any, ...] = ("mean", "linear", "noise", "blur", "black")
JUDGES: tuple[Any, ...] = ("mean", "linear", "noise")
METHODS: dict[str, Any] = {
    "surrogate": Surrogate(),
    "rise": Rise(),
    "mask_estimation": MaskEstimation(),
    "lime": Lime(),
    "occlusion": Occlusion(),
}


def cylinder_bell_funnel(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns series after Saito (1994), their classes, and where the pulse is higher than the noise's deviation."""
    rng, steps = np.random.default_rng(seed), np.arange(1, LENGTH + 1)
    classes = rng.integers(0, 3, count)
    onset = rng.integers(16, 33, count)[:, None]
    width = rng.integers(32, 97, count)[:, None]
    box = (steps >= onset) & (steps <= onset + width)
    shapes = np.stack([np.ones((count, LENGTH)), (steps - onset) / width, (onset + width - steps) / width])
    pulse = (6 + rng.normal(size=(count, 1))) * box * shapes[classes, np.arange(count)]
    series = pulse + rng.normal(size=pulse.shape)
    return torch.tensor(series).float()[:, None], torch.tensor(classes), torch.tensor(np.abs(pulse) > 1)


def _trained(series: Tensor, classes: Tensor) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel in ((1, 16, 9), (16, 32, 7), (32, 32, 5)):
        layers += [nn.Conv1d(inputs, outputs, kernel, padding="same"), nn.BatchNorm1d(outputs), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 3))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(25):
        for rows in torch.randperm(len(series)).split(64):
            optimiser.zero_grad()
            F.cross_entropy(network(series[rows]), classes[rows]).backward()
            optimiser.step()
    return network.eval().requires_grad_(False)


def main() -> None:
    """Prints the table."""
    console = Console(width=120, highlight=False)
    raw, classes, _ = cylinder_bell_funnel(900, 0)
    scale = SeriesScale([float(raw.min())], [float(raw.max())])
    training = scale.scaled(raw)
    mean, std = float(training.mean()), float(training.std())
    network = _trained((training - mean) / std, classes)
    classifier = NetworkClassifier(network, ["cylinder", "bell", "funnel"], [LENGTH], [mean], [std]).eval()
    tested, labels, _ = cylinder_bell_funnel(600, 1)
    console.print(f"accuracy {float((classifier.scores(scale.scaled(tested)).argmax(1) == labels).float().mean()):.3f}")
    series, _, pulse = cylinder_bell_funnel(EXPLAINED, 7)
    series, engine = scale.scaled(series), Engine(classifier)
    targets = classifier.scores(series).argmax(1)
    console.print(f"chance {float(pulse.float().mean()):.2f}")
    for name, method in METHODS.items():
        for fill in FILLS:
            maps = compute_maps(replace(method, baseline=fill), classifier, series, targets[:, None], engine).maps
            on_pulse = float(pulse.gather(1, maps.topk(TENTH, 1).indices).float().mean())
            inputs, judged = MetricInputs(series, targets, maps, maps > 0), []
            for judge in JUDGES:
                insertion, deletion = Insertion(baseline=judge), Deletion(baseline=judge)
                insertion.update(inputs, engine)
                deletion.update(inputs, engine)
                judged.append(f"{judge} {float(insertion.compute() - deletion.compute()):+.2f}")
            console.print(f"{name:16s} {fill:7s} on the pulse {on_pulse:.2f}   {'   '.join(judged)}")


if __name__ == "__main__":
    main()
