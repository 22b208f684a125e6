"""Metrics of generated samples: KID, precision, recall and coverage in the features of the domain's classifier."""

import warnings
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintWarning
from overpaint.core.names import distinct_names
from overpaint.core.types import Images, Scores
from overpaint.training.precision_recall import covered, precision_and_recall

Features = Float[Tensor, "batch feature"]

PASS = 256
"""Images of a pass."""

FEWEST_REAL = {"kid": 2, "fid_like": 2, "precision": 4, "recall": 4, "coverage": 6}
"""So many real images each of these takes: two have a spread, and nearest neighbours are counted among the others."""


def unmeasured(count: int) -> list[str]:
    """Returns which measures of samples can't be had of so few real images."""
    return [name for name, fewest in FEWEST_REAL.items() if count < fewest]


def warn_of_unmeasured(count: int) -> bool:
    """Warns of the measures that can't be had of so few real images, and returns whether there are such."""
    missing = ", ".join(f"samples/{name}" for name in unmeasured(count))
    if missing:
        text = f"{missing} are left out: they take more real images than the {count} of the validation split"
        warnings.warn(text, OverpaintWarning, stacklevel=2)
    return bool(missing)


class ClassifierFeatures(nn.Module):
    """The input of a classifier's last linear layer.

    Args:
        classifier: The classifier; one without a linear layer gives its logits.

    Attributes:
        num_features: Length of a feature vector.
    """

    def __init__(self, classifier: NetworkClassifier) -> None:
        super().__init__()
        self.classifier = classifier
        linear = [m for m in classifier.network.modules() if isinstance(m, nn.Linear)]
        self.last = linear[-1] if linear else None
        self.num_features = self.last.in_features if self.last is not None else len(classifier.class_names)

    def forward(self, images: Images) -> Features:
        """Returns the features of images in ``[0, 1]``."""
        return self.with_scores(images)[0]

    def with_scores(self, images: Images) -> tuple[Features, Scores]:
        """Returns the features of images in ``[0, 1]`` and the classifier's scores, from one pass."""
        kept: list[Tensor] = []
        layer = nn.Identity() if self.last is None else self.last
        handle = layer.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
        try:
            logits = self.classifier.logits(images)
        finally:
            handle.remove()
        return (kept[-1].flatten(1) if kept else logits), logits.softmax(1)


class _Given(nn.Identity):
    """The feature extractor of torchmetrics' distances where the features are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features  # torchmetrics reads it


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
        What the classifier says of the samples: ``confident``, the share whose best class gets at least ``confident``;
        ``share_of_NAME`` of each class; ``least_fraction``, the smallest of them (mode coverage).

        Distances between the two sets: ``kid``, the kernel distance (Bińkowski et al., 2018, mean over subsets);
        ``fid_like``, the Fréchet distance (Heusel et al., 2017).

        How they lie within each other: ``precision`` and ``recall`` (Kynkäänniemi et al., 2019); ``coverage`` (Naeem
        et al., 2020) and ``coverage_of_NAME``, the covered share of the real images of a class, where there are any.
        A real image's class is the one that the classifier sees; its ball is the one among all real images.

        All but the first group are measured in this classifier's features, so they compare runs with one classifier
        and are not comparable with published figures from Inception features. What `unmeasured` names is left out.
    """
    extractor = ClassifierFeatures(classifier)
    real_features, real_scores = _in_parts(extractor, real)
    sample_features, scores = _in_parts(extractor, samples)
    shares = scores.argmax(1).bincount(minlength=scores.shape[1]).float() / len(scores)
    result = {"confident": float((scores.amax(1) >= confident).float().mean()), "least_fraction": float(shares.min())}
    result |= {
        f"share_of_{name}": float(s) for name, s in zip(distinct_names(classifier.class_names), shares, strict=True)
    }
    missing = unmeasured(len(real))
    if "fid_like" not in missing:
        result |= _distances(real_features, sample_features, seed)
    if "precision" not in missing:
        result["precision"], result["recall"] = precision_and_recall(real_features, sample_features)
    if "coverage" not in missing:
        result |= _coverage(real_features, sample_features, real_scores.argmax(1), classifier.class_names)
    return result


def _coverage(
    real: Float[Tensor, "real feature"],
    samples: Float[Tensor, "sample feature"],
    seen: Int[Tensor, " real"],
    class_names: Sequence[str],
) -> dict[str, float]:
    is_covered = covered(real, samples)
    result = {"coverage": float(is_covered.double().mean())}
    for index, name in enumerate(distinct_names(class_names)):
        if bool((seen == index).any()):
            result[f"coverage_of_{name}"] = float(is_covered[seen == index].double().mean())
    return result


@torch.no_grad()
def kernel_distance(
    real: Iterable[Float[Tensor, "_ channel *space"]],
    samples: Iterable[Float[Tensor, "_ channel *space"]],
    classifier: NetworkClassifier,
    seed: int = 0,
) -> float:
    """Returns KID (Bińkowski et al., 2018, mean over subsets) of samples and real images in a classifier's features.

    Args:
        real: Real images in ``[0, 1]``, some at a time.
        samples: What is compared with them, some at a time.
        classifier: The classifier, in eval mode.
        seed: Seed of the random subsets.
    """
    extractor = ClassifierFeatures(classifier)
    features = [torch.cat([_in_parts(extractor, part)[0] for part in parts]) for parts in (real, samples)]
    return _distances(features[0], features[1], seed)["kid"]


def _in_parts(extractor: ClassifierFeatures, images: Images) -> tuple[Features, Scores]:
    parts = [extractor.with_scores(part) for part in images.split(PASS)]
    return torch.cat([features for features, _ in parts]), torch.cat([scores for _, scores in parts])


def _distances(
    real: Float[Tensor, "real feature"], samples: Float[Tensor, "sample feature"], seed: int
) -> dict[str, float]:
    given = _Given(real.shape[1])
    subset = min(len(real), len(samples), 500)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*will save all extracted features in buffer.*")
        kid = KernelInceptionDistance(given, subsets=20, subset_size=subset).to(real.device)
    fid = FrechetInceptionDistance(given).to(real.device)
    for features, is_real in ((real, True), (samples, False)):
        kid.update(features, real=is_real)
        fid.update(features, real=is_real)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kid_mean, _ = kid.compute()
    return {"kid": float(kid_mean), "fid_like": float(fid.compute())}
