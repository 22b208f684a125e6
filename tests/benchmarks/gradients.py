"""Images a second of Grad-CAM and integrated gradients, beside captum, grad-cam and torchcam. Run by hand.

    python tests/benchmarks/gradients.py [architecture] [side] [images] [rounds]

One process, one network of torchvision with random weights, frozen, in eval mode; all are given the same images on the
network's device, the same layer, and passes of the size that is the default here. Each round runs every entry once, in
turn; the medians of the rounds are compared, and a ratio above 1 says that ours takes less time. Peers that are not
installed are named. Grad-CAM ends in maps of the image's size: tensors on the device, for grad-cam numpy arrays.
The maps are compared with captum's first, so that the same work is timed.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
import torchvision
from captum.attr import IntegratedGradients as CaptumsIntegratedGradients
from captum.attr import LayerAttribution, LayerGradCam
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from overpaint.attribution.layers import choose_layer
from overpaint.attribution.state import preserve_state
from overpaint.classifiers.network import NetworkClassifier
from overpaint.cli.allocator import keep_freed_memory
from overpaint.saliency.grad_cam import GradCam
from overpaint.saliency.integrated_gradients import IntegratedGradients

ROWS, POINTS, STEPS = GradCam().batch_size, IntegratedGradients().batch_size, 50


class Module(nn.Module):
    """The classifier as the module that the peers want."""

    def __init__(self, classifier: NetworkClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        return self.classifier.logits(images)


def in_chunks(compute: Callable[[Tensor, Tensor], Tensor], images: Tensor, targets: Tensor) -> Tensor:
    """Gives a peer as many images a pass as ours."""
    return torch.cat([compute(x, t) for x, t in zip(images.split(ROWS), targets.split(ROWS), strict=True)])


def grad_cams(classifier: NetworkClassifier, images: Tensor, targets: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Returns the ways to a Grad-CAM map that can be run here."""
    with preserve_state(classifier, "grad_cam"):
        name = choose_layer(classifier, images, "auto", "grad_cam")
    layer, module, size = classifier.network.get_submodule(name), Module(classifier), tuple(images.shape[2:])
    entries = {
        "ours": lambda: GradCam(layer=name)(classifier, images, targets[:, None]).maps,
        "ours, layer=auto": lambda: GradCam()(classifier, images, targets[:, None]).maps,
    }

    def captums(x: Tensor, t: Tensor) -> Tensor:
        cam = LayerGradCam(module, layer).attribute(x, target=t, relu_attributions=True)
        return LayerAttribution.interpolate(cam, size, "bilinear")[:, 0]

    entries["captum"] = lambda: in_chunks(captums, images.clone().requires_grad_(), targets)
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        def grad_cams_own(x: Tensor, t: Tensor) -> Tensor:
            with GradCAM(model=module, target_layers=[layer]) as cam:
                return torch.from_numpy(cam(x, targets=[ClassifierOutputTarget(c) for c in t.tolist()]))

        entries["grad-cam"] = lambda: in_chunks(grad_cams_own, images.clone().requires_grad_(), targets)
    except ImportError:
        Console().print("grad-cam is not installed (pip install grad-cam)")
    try:
        from torchcam.methods import GradCAM as TorchcamGradCAM

        def torchcams(x: Tensor, t: Tensor) -> Tensor:
            with TorchcamGradCAM(classifier.network, name) as extractor:
                (maps,) = extractor(t.tolist(), classifier.logits(x), normalized=False)
            return F.interpolate(maps[:, None], size, mode="bilinear")[:, 0]

        entries["torchcam"] = lambda: in_chunks(torchcams, images.clone().requires_grad_(), targets)
    except ImportError:
        Console().print("torchcam is not installed (pip install torchcam)")
    return entries


def integrated(classifier: NetworkClassifier, images: Tensor, targets: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Returns the ways to integrated gradients; grad-cam and torchcam have none."""
    method = CaptumsIntegratedGradients(Module(classifier))
    start = classifier.mean.expand_as(images)

    def captums() -> Tensor:
        attributions, _ = method.attribute(
            images, start, targets, n_steps=STEPS, internal_batch_size=POINTS, return_convergence_delta=True
        )
        return attributions.sum(1)

    ours = IntegratedGradients(steps=STEPS)
    return {"ours": lambda: ours(classifier, images, targets[:, None]).maps, "captum": captums}


def seconds(work: Callable[[], Tensor], device: str) -> float:
    """Returns how long it takes, with the device's queue run dry."""
    begun = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def main() -> None:
    """Prints a table."""
    keep_freed_memory()
    architecture = sys.argv[1] if len(sys.argv) > 1 else "resnet18"
    side, count, rounds = (int(sys.argv[i]) if len(sys.argv) > i else n for i, n in ((2, 224), (3, 8), (4, 9)))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    network = torchvision.models.get_model(architecture, weights=None)
    names = [str(i) for i in range(1000)]
    classifier = NetworkClassifier(network.eval(), names, side, [0.5] * 3, [0.25] * 3).requires_grad_(False)
    classifier = classifier.to(device, memory_format=torch.channels_last)
    images, targets = torch.rand(count, 3, side, side).to(device), torch.arange(count).to(device)
    table = Table("method", "code", "images a second", "its time / ours", title=f"{architecture}, {side} px, {device}")
    for method, entries in (("Grad-CAM", grad_cams), ("integrated gradients", integrated)):
        ways = entries(classifier, images, targets)
        expected = ways["captum"]().detach()
        differences = {name: (work().to(device) - expected).abs().max() for name, work in ways.items()}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, work in ways.items():
                times[name].append(seconds(work, device))
        medians = {name: statistics.median(values) for name, values in times.items()}
        for name, spent in medians.items():
            same = "" if differences[name] < 1e-3 * expected.abs().max() else " (its maps are scaled)"
            table.add_row(method, name + same, f"{count / spent:.1f}", f"{spent / medians['ours']:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
