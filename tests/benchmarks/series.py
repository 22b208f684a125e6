"""What stands in the holes of series: maps of cylinder-bell-funnel under several fills, judged under several fills.

    python tests/benchmarks/series.py [classifier.ckpt]

Trains a convolutional network on 900 series, then prints for each method and fill the share of the most salient tenth
of the steps that lies on the pulse, and insertion minus deletion under three fills. Five minutes on one core. With the
classifier that ``python train.py data=series`` made, the first 48 series of its test part are explained instead, by the
methods as they are by default.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.data.series.cylinder_bell_funnel import (
    CLASS_NAMES,
    STEPS,
    CylinderBellFunnelData,
    draw_pulses,
    pulse_heights,
    visible,
)
from overpaint.data.series.module import scale_of
from overpaint.metrics.base import MetricInputs
from overpaint.metrics.insertion_deletion import Deletion, Insertion
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.saliency.grad_cam import GradCam
from overpaint.saliency.iassa import Iassa
from overpaint.saliency.integrated_gradients import IntegratedGradients
from overpaint.saliency.lime import Lime
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

TRAINED, TESTED, EXPLAINED, OF_A_RUN = 900, 600, 24, 48
FILLS: tuple[Any, ...] = ("mean", "linear", "noise", "blur", "black")
JUDGES: tuple[Any, ...] = ("mean", "linear", "noise")
METHODS: dict[str, Any] = {
    "surrogate": Surrogate(),
    "rise": Rise(),
    "mask_estimation": MaskEstimation(),
    "lime": Lime(),
    "occlusion": Occlusion(),
}
WITHOUT_FILL: dict[str, Any] = {"iassa": Iassa(), "integrated_gradients": IntegratedGradients(), "grad_cam": GradCam()}
"""Asked beside them about a run's classifier."""


@dataclass(frozen=True)
class Subjects:
    """What is explained.

    Attributes:
        classifier: A convolutional network of cylinder, bell and funnel.
        accuracy: Its accuracy on series that it was not trained on.
        series: Series in ``[0, 1]``.
        targets: The class that it finds in each.
        pulse: Where the pulse shows above the noise.
    """

    classifier: NetworkClassifier
    accuracy: float
    series: Tensor
    targets: Tensor
    pulse: Tensor

    @property
    def chance(self) -> float:
        """The share of all steps that lies on the pulse."""
        return float(self.pulse.float().mean())


def subjects() -> Subjects:
    """Trains the classifier and draws the series."""
    raw, classes, _ = _drawn(TRAINED, 0)
    scale = scale_of(raw)
    training = scale.scaled(raw)
    mean, std = float(training.mean()), float(training.std())
    network = _trained((training - mean) / std, classes)
    classifier = NetworkClassifier(network, list(CLASS_NAMES), [STEPS], [mean], [std]).eval()
    tested, labels, _ = _drawn(TESTED, 1)
    accuracy = (classifier.scores(scale.scaled(tested)).argmax(1) == labels).float().mean()
    series, _, pulse = _drawn(EXPLAINED, 7)
    series = scale.scaled(series)
    return Subjects(classifier, float(accuracy), series, classifier.scores(series).argmax(1), pulse)


def subjects_of_run(path: Path) -> Subjects:
    """Loads a run's classifier, and series of its test part."""
    classifier = load_classifier(path)
    found, _ = CylinderBellFunnelData(scale=classifier.scale).open_split("test").read(range(OF_A_RUN))
    targets, objects = classifier.scores(found.images).argmax(1), found.ground_truth
    assert objects is not None
    pulse = torch.stack([own.of_class(int(label)) for own, label in zip(objects, found.labels, strict=True)])
    return Subjects(classifier, float((targets == found.labels).float().mean()), found.images, targets, pulse)


def _drawn(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns series, their classes, and where their pulses show."""
    pulses = draw_pulses(count, torch.Generator().manual_seed(seed))
    heights = pulse_heights(pulses)
    return (heights + pulses.noise)[:, None], pulses.labels, visible(heights)


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


def on_pulse(found: Subjects, maps: Tensor) -> float:
    """Returns the share of the most salient tenth of the steps that lies on the pulse."""
    top = maps.topk(round(STEPS / 10), 1).indices
    return float(found.pulse.gather(1, top).float().mean())


def judged(found: Subjects, maps: Tensor, engine: Engine) -> list[tuple[float, float]]:
    """Returns insertion and deletion under each of `JUDGES`."""
    inputs, values = MetricInputs(found.series, found.targets, maps, maps > 0), []
    for judge in JUDGES:
        insertion, deletion = Insertion(baseline=judge), Deletion(baseline=judge)
        insertion.update(inputs, engine)
        deletion.update(inputs, engine)
        values.append((float(insertion.compute()), float(deletion.compute())))
    return values


def main() -> None:
    """Prints the table."""
    torch.set_num_threads(1)
    of_run = len(sys.argv) > 1
    found = subjects_of_run(Path(sys.argv[1])) if of_run else subjects()
    asked = {(name, "default"): method for name, method in (METHODS | WITHOUT_FILL).items()}
    if not of_run:
        asked = {(name, fill): replace(method, baseline=fill) for name, method in METHODS.items() for fill in FILLS}
    engine = Engine(found.classifier)
    title = f"accuracy {found.accuracy:.3f}, chance {found.chance:.2f}; insertion - deletion by {', '.join(JUDGES)}"
    table = Table("method", "baseline", "on the pulse", *JUDGES, title=title)
    for (name, fill), method in asked.items():
        maps = compute_maps(method, found.classifier, found.series, found.targets[:, None], engine).maps
        gains = [f"{insertion - deletion:+.2f}" for insertion, deletion in judged(found, maps, engine)]
        table.add_row(name, fill, f"{on_pulse(found, maps):.2f}", *gains)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
