"""Explains a classifier in one call, or in many calls with the same parts."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from overpaint.api.classifiers import UnsizedClassifier, as_classifier
from overpaint.api.earlier import known_rows
from overpaint.api.explanation import Explanation
from overpaint.api.images import GivenImages, Pictures, as_images
from overpaint.api.watcher import Watcher
from overpaint.classifiers.targets import choose_targets
from overpaint.configuration.named import named_parts
from overpaint.configuration.parts import check_channels, check_oracle, with_discriminator
from overpaint.core.bounds import Count, Seed
from overpaint.core.choices import ChannelMode, ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.modules import evaluation_mode
from overpaint.core.names import distinct_names
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.types import Images, Regions, TargetSets
from overpaint.core.value_range import to_stored
from overpaint.data.files.values import PILLOW_MEGAPIXELS, GivenRange, PictureOptions
from overpaint.inpainting.blending import Blend
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.painted import try_generator
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import SaliencyMetric
from overpaint.networks.checkpoint import load_generator
from overpaint.networks.gan import Gan
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import ExplainedBatch
from overpaint.probes.base import Probe
from overpaint.saliency.requirements import usable_methods, usable_parts

Methods = str | SaliencyMethod | Sequence[str | SaliencyMethod] | Mapping[str, str | SaliencyMethod] | Any
Metrics = str | SaliencyMetric | Sequence[str | SaliencyMetric] | Mapping[str, str | SaliencyMetric] | Any
Probes = str | Probe | Sequence[str | Probe] | Mapping[str, str | Probe] | Any
"""Parts by name, as objects with their own settings, several of either, or both by names of one's own; anything
else is refused in a sentence."""

Model = Classifier | UnsizedClassifier | nn.Module | Callable[..., Any] | str | Path
Targets = str | int | Sequence[str | int] | Tensor

OF_CALL = ("ground_truth", "resize_mode", "range", "max_megapixels", "regions", "earlier", "watcher")
"""Arguments of `explain` that are those of `Explainer.explain`, beside images and targets."""


@checked_settings
class Explainer:
    """Holds a classifier, a generator and the settings of an explanation, for many calls.

    Everything takes the way of ``explain.py``: the same methods, the same region, the same search, the same numbers.
    Nothing is written to disk, and neither Lightning's Trainer nor W&B is started.

    Args:
        classifier: The classifier; a network of torch, a function, a path or a word becomes one by `as_classifier`.
        methods: Saliency methods, the first of which gives the region: names of ``configs/saliency/``, objects, or
            objects by names of one's own.
        generator: Repaints the region; a path is a checkpoint of ``train.py``. It is moved to the classifier's device.
            None: there are no variants.
        metrics: Metrics of the maps: names of ``configs/metrics/``, or objects.
        probes: Probes of the variants: names of ``configs/probes/``, or objects.
        region: How a map becomes the salient region.
        search: The latent search.
        blend: How the repainted region meets its surroundings.
        channels: How series of several channels are explained: ``joint`` by a map of the steps; ``separate`` by a map
            of each channel too, while the others stay as they are, for so many times the queries.
        seeds: Runs of each method that draws at random, for the metrics of agreement.
        oracle: A second classifier of the same classes, for probes that ask it.
        batch_size: Images of a forward pass of masked queries; ``auto`` is found while the first ones are answered.
        seed: The seed of methods, metrics and probes that are given by name.

    Raises:
        OverpaintError: If a name is unknown, or the parts do not fit each other.
    """

    def __init__(
        self,
        classifier: Model,
        methods: Methods = "surrogate",
        generator: Gan | str | Path | None = None,
        metrics: Metrics = (),
        probes: Probes = (),
        region: RegionRule | None = None,
        search: LatentSearch | None = None,
        blend: Blend = "paste",
        channels: ChannelMode = "joint",
        seeds: Count = 1,
        oracle: Model | None = None,
        batch_size: Count | Literal["auto"] = "auto",
        seed: Seed = 0,
    ) -> None:
        self.classifier = as_classifier(classifier)
        self.oracle = None if oracle is None else as_classifier(oracle)
        self.gan = load_generator(generator) if isinstance(generator, str | Path) else generator
        self.methods = named_parts(methods, "methods", "saliency", SaliencyMethod, seed)
        self.metrics = named_parts(metrics, "metrics", "metrics", SaliencyMetric, seed)
        self.probes = named_parts(probes, "probes", "probes", Probe, seed)
        self.region, self.search, self.blend = (
            region or RegionRule(method="decisive", seed=seed),
            search or LatentSearch(seed=seed),
            blend,
        )
        self.channels, self.seeds, self.batch_size = channels, seeds, batch_size
        if not self.methods:
            raise OverpaintError("methods names no saliency method; name one, such as methods=['surrogate']")
        if self.probes and self.gan is None:
            raise OverpaintError(f"probes={list(self.probes)} ask about variants; give a generator, which makes them")

    def explain(
        self,
        images: Pictures,
        targets: Targets | None = None,
        ground_truth: Bool[Tensor, "row *space"] | None = None,
        resize_mode: ResizeMode = "crop",
        range: GivenRange | Any = "auto",  # noqa: A002  # the name that the setting has everywhere
        max_megapixels: int | float = PILLOW_MEGAPIXELS,
        regions: Regions | None = None,
        earlier: Explanation | None = None,
        watcher: Watcher | None = None,
    ) -> Explanation:
        """Explains images.

        Args:
            images: A tensor or array, uint8 or in ``[0, 1]``, one image or a batch; a PIL image; a path; a list of
                these. Files and PIL images are resized to the classifier's size; tensors and arrays keep theirs. Where
                the classifier takes series, a tensor or array of floats: ``(length,)``, ``(channel, length)``, or a
                batch of the latter, scaled so that most values lie in ``[0, 1]`` (`overpaint.core.scale`); or the path
                of a file of series in their own units (``.ts``, ``.csv``, ``.npy``, …), all of which are explained.
            targets: The classes to explain: None for the predicted one; an index; a class name; ``top3``; a list of
                these; or a tensor of indices for each image.
            ground_truth: True where an annotated object of the class is, for metrics of localisation; a row for each
                image and target.
            resize_mode: What of a file or PIL image of another aspect ratio is shown: ``crop`` its middle, ``stretch``
                all of it.
            range: Which values of files and PIL images are black and white: ``auto`` by their bit depth, or two
                numbers, such as ``(0, 4095)``.
            max_megapixels: Larger files are refused.
            regions: True where it is repainted, a row for each image and target; None: where the first map says so.
            earlier: An explanation of the same images and targets by the same classifier: of methods with the same
                names and settings its maps are taken. So metrics, other methods or another region are added to it.
            watcher: Callbacks while it is made.

        Raises:
            OverpaintError: If the images or targets are not of these kinds, or a part can't explain this classifier.
        """
        dimensions, own_channels = _expected(self.classifier)
        options, scale = PictureOptions.of(range, max_megapixels, ""), self.classifier.scale
        given = as_images(images, dimensions, resize_mode, options, own_channels, scale)
        size, channels = _common_size(given, self.classifier), max(given.channels)
        classifier = _sized(self.classifier, size, channels)
        with ExitStack() as stack:
            oracle = None if self.oracle is None else _sized(self.oracle, size, channels)
            parts = self.gan.networks() if self.gan is not None else []
            stack.enter_context(evaluation_mode(classifier, oracle, *parts))
            stack.enter_context(torch.enable_grad())
            batch = given.load(size, classifier.channels).to(classifier.mean.device)
            runner = _watched(self._runner(classifier, oracle, batch), watcher or Watcher())
            chosen = _chosen_targets(targets, classifier, batch)
            cached = known_rows(runner, batch, chosen, earlier, regions)
            found = runner.run(batch, chosen, ground_truth, cached)
        each, called = chosen.shape[1], distinct_names(classifier.class_names)
        rows = ExplainedBatch(
            images=[*chain.from_iterable([name] * each for name in given.names)],
            classes=[called[t] if each > 1 else None for t in chosen.flatten().tolist()],
            labels=[-1] * len(chosen.flatten()),
            explanation=found,
        )
        return Explanation(rows, runner)

    def _runner(self, classifier: Classifier, oracle: Classifier | None, images: Images) -> Runner:
        inpainter, gan = None, self.gan
        if oracle is not None:
            check_oracle(oracle, classifier, "oracle")
        if gan is not None:
            check_channels(gan, classifier, "the generator")
            try_generator(gan.generator, "the generator")
            for network in gan.networks():
                network.to(classifier.mean.device)
            inpainter = Inpainter(
                gan.generator, gan.discriminator, self.search, self.region, self.blend, encoder=gan.encoder
            )
        methods = {name: with_discriminator(method, gan) for name, method in self.methods.items()}
        size: Any = self.batch_size
        return Runner(
            classifier=classifier,
            methods=usable_methods(methods, classifier, self.channels),
            engine=Engine(classifier, size),
            region_rule=self.region,
            inpainter=inpainter,
            metrics=usable_parts(self.metrics, classifier),
            channels=self.channels,
            seeds=self.seeds,
            probes=usable_parts(self.probes, classifier),
            oracle=oracle,
            other_images=to_stored(images),
        )


def explain(
    classifier: Model,
    images: Pictures,
    targets: Targets | None = None,
    methods: Methods = "surrogate",
    generator: Gan | str | Path | None = None,
    metrics: Metrics = (),
    **settings: Any,
) -> Explanation:
    """Explains images in one call: `Explainer` and its `Explainer.explain`.

    Args:
        classifier: See `Explainer`.
        images: See `Explainer.explain`.
        targets: See `Explainer.explain`.
        methods: See `Explainer`.
        generator: See `Explainer`.
        metrics: See `Explainer`.
        settings: Further arguments of `Explainer`, and those of `Explainer.explain` from ``ground_truth`` on.

    Raises:
        OverpaintError: As these.
    """
    of_call = {name: settings.pop(name) for name in OF_CALL if name in settings}
    return Explainer(classifier, methods, generator, metrics, **settings).explain(images, targets, **of_call)


def _watched(runner: Runner, watcher: Watcher) -> Runner:
    """Returns a runner that tells a watcher what it does."""
    runner.engine.on_batch, inpainter = watcher.on_queries, runner.inpainter
    if inpainter is not None:
        inpainter = replace(inpainter, on_variants=watcher.on_variants)
        inpainter = inpainter if watcher.on_step is None else inpainter.with_search(on_step=watcher.on_step)
    if (on_maps := watcher.on_maps) is None:
        return replace(runner, inpainter=inpainter)
    return replace(runner, inpainter=inpainter, on_maps=lambda seeded, image, maps: on_maps(seeded[0], image, maps))


def _expected(classifier: Classifier | UnsizedClassifier) -> tuple[int, int | None]:
    """Returns the spatial dimensions of a classifier's inputs, and their channels where it says them."""
    if isinstance(classifier, UnsizedClassifier):
        return classifier.dimensions, None
    return len(classifier.input_size), classifier.channels


def _sized(classifier: Classifier | UnsizedClassifier, size: tuple[int, ...], channels: int) -> Classifier:
    return classifier.at(size, channels) if isinstance(classifier, UnsizedClassifier) else classifier


def _common_size(given: GivenImages, classifier: Classifier | UnsizedClassifier) -> tuple[int, ...]:
    """Returns the size at which images are explained: that of tensors, else the classifier's, else the images'.

    Raises:
        OverpaintError: If the images have several sizes, and the classifier says none.
    """
    if given.fixed:
        return given.fixed[0]
    if isinstance(classifier, Classifier):
        return tuple(classifier.input_size)
    if len(set(given.sizes)) > 1:
        raise OverpaintError(
            f"the images have {len(set(given.sizes))} sizes and the classifier says none; give image_size= to "
            "as_classifier"
        )
    return given.sizes[0]


def _chosen_targets(targets: Targets | None, classifier: Classifier, images: Images) -> TargetSets:
    if not isinstance(targets, Tensor):
        word = "predicted" if targets is None else targets
        return choose_targets(word, classifier.scores(images), classifier.class_names)
    chosen = targets.to(images.device).long()
    chosen = chosen[:, None] if chosen.ndim == 1 else chosen
    classes = len(classifier.class_names)
    if chosen.ndim != 2 or len(chosen) != len(images) or chosen.min() < 0 or chosen.max() >= classes:
        raise OverpaintError(
            f"targets has shape {tuple(targets.shape)}; it takes indices from 0 to {classes - 1}, one or more for each "
            f"of the {len(images)} images"
        )
    return chosen
