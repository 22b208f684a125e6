"""How good a generator's samples are, judged with the features and answers of the domain's own classifier."""

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from overpaint.classifiers.network import NetworkClassifier
from overpaint.types import Images


class ClassifierFeatures(nn.Module):
    """The input of a classifier's last linear layer, as the feature extractor of torchmetrics' distances.

    Args:
        classifier: The classifier; one without a linear layer gives its logits.

    Attributes:
        num_features: Length of a feature vector; torchmetrics reads it.
    """

    def __init__(self, classifier: NetworkClassifier) -> None:
        super().__init__()
        self.classifier = classifier
        linear = [m for m in classifier.network.modules() if isinstance(m, nn.Linear)]
        self.last = linear[-1] if linear else None
        self.num_features = self.last.in_features if self.last is not None else len(classifier.class_names)

    def forward(self, images: Images) -> Float[Tensor, "batch feature"]:
        """Returns the features of images in ``[0, 1]``."""
        if self.last is None:
            return self.classifier.logits(images)
        kept: list[Tensor] = []
        handle = self.last.register_forward_pre_hook(lambda _module, inputs: kept.append(inputs[0]))
        try:
            self.classifier.logits(images)
        finally:
            handle.remove()
        return kept[-1].flatten(1)


@torch.no_grad()
def generation_metrics(
    real: Images,
    samples: Float[Tensor, "sample channel *space"],
    classifier: NetworkClassifier,
    confident: float = 0.9,
    seed: int = 0,
) -> dict[str, float]:
    """Compares samples with real images.

    Args:
        real: Real images of the domain, not seen in training.
        samples: As many samples of the generator, or more.
        classifier: The domain's classifier, in eval mode.
        confident: The score from which the classifier counts as sure.
        seed: Seed of KID's random subsets.

    Returns:
        ``confident``: the share of samples whose best class gets at least ``confident``; ``share_of_NAME`` of each
        class among the samples, as the classifier judges; ``least_share``, the smallest of them (mode coverage);
        ``kid``, the kernel distance (Bińkowski et al., 2018, mean over subsets); ``fid_like``, the Fréchet distance
        (Heusel et al., 2017). Both distances use this classifier's features, so they compare runs with one
        classifier and are not comparable with published figures from Inception features.
    """
    scores = torch.cat([classifier.scores(part) for part in samples.split(256)])
    shares = scores.argmax(1).bincount(minlength=scores.shape[1]).float() / len(scores)
    result = {"confident": float((scores.amax(1) >= confident).float().mean()), "least_share": float(shares.min())}
    result |= {f"share_of_{name}": float(s) for name, s in zip(classifier.class_names, shares, strict=True)}
    features = ClassifierFeatures(classifier)
    subset = min(len(real), len(samples), 500)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*will save all extracted features in buffer.*")
        kid = KernelInceptionDistance(features, subsets=20, subset_size=subset).to(samples.device)
    # Its sums are float64 anyway; set_dtype would make the classifier float64 too.
    fid = FrechetInceptionDistance(features, normalize=True).to(samples.device)
    for images, is_real in ((real, True), (samples, False)):
        for part in images.split(256):
            kid.update(part, real=is_real)
            fid.update(part, real=is_real)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kid_mean, _ = kid.compute()
    return result | {"kid": float(kid_mean), "fid_like": float(fid.compute())}
