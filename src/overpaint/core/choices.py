"""Types of settings that are one of a few words."""

from typing import Literal, get_args

LatentDistribution = Literal["normal", "uniform"]
"""The distribution of a generator's latents: N(0, 1), or U(-1, 1)."""

Range = Literal["tanh", "unit"]
"""The range of a generator's images: ``[-1, 1]``, or ``[0, 1]``."""

OutputOption = Literal["auto", "logits", "probabilities", "sigmoid"]
"""The kind of a classifier's output as a user says it; ``auto`` finds it."""

ResizeMode = Literal["crop", "stretch"]
"""What of a picture of another aspect ratio is resized: its middle, or all of it, stretched."""

BaselineWord = Literal["mean", "blur", "black", "noise", "rise_blur", "linear", "auto"]
"""What stands where an image is masked, see `overpaint.perturbation.baselines.Baseline`."""

BASELINE_WORDS: tuple[str, ...] = get_args(BaselineWord)

FillKind = Literal["patch", "sample", "mean"]
"""What takes a region's place: the same place of another image, of an image that the generator paints from a random
latent, or the mean colour."""

ChannelMode = Literal["joint", "separate"]
"""Whether methods explain the channels of a series together, by a map of its steps, or one after the other."""

WandbMode = Literal["offline", "online", "none"]
"""Where a W&B run goes: to disk, to the server, nowhere."""

MODELS = ("classifier", "dcgan")
"""What ``train.py`` trains, in this order: the classifier evaluates the generator's samples."""
