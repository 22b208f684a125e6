"""The bundled series: cylinder, bell and funnel (Saito, 1994), with the stretch that carries the class."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from overpaint.core.bounds import Count, Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.resize import resize
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Stamp, Targets
from overpaint.data.annotations.objects import MaskPerInput
from overpaint.data.domain import STAGES
from overpaint.data.series.module import Series, SeriesData
from overpaint.data.split import ImageSplit, UnreadSplit

CLASS_NAMES = ("cylinder", "bell", "funnel")

STEPS = 128
"""Of a series as it is drawn."""

ONSETS, LENGTHS = (16, 32), (32, 96)
"""Between which the pulse's first step ``a`` and its length ``b - a`` lie, ends included."""

AMPLITUDE = 6.0
"""The mean of a pulse's amplitude; its standard deviation is 1, and so is the noise's."""


@dataclass(frozen=True)
class Pulses:
    """What a set of series is drawn from.

    Attributes:
        labels: The classes, see `CLASS_NAMES`.
        onsets: ``a``, counted from 1.
        ends: ``b``, the pulse's last step.
        amplitudes: ``6 + η`` with ``η`` from N(0, 1).
        noise: ``ε``, from N(0, 1).
    """

    labels: Targets
    onsets: Int[Tensor, " count"]
    ends: Int[Tensor, " count"]
    amplitudes: Float[Tensor, " count"]
    noise: Float[Tensor, "count 128"]


def draw_pulses(count: int, rng: torch.Generator) -> Pulses:
    """Draws what ``count`` series are made of; all classes are equally likely."""
    labels = torch.randint(len(CLASS_NAMES), (count,), generator=rng)
    onsets = torch.randint(ONSETS[0], ONSETS[1] + 1, (count,), generator=rng)
    lengths = torch.randint(LENGTHS[0], LENGTHS[1] + 1, (count,), generator=rng)
    amplitudes = AMPLITUDE + torch.randn(count, generator=rng)
    return Pulses(labels, onsets, onsets + lengths, amplitudes, torch.randn(count, STEPS, generator=rng))


def pulse_heights(pulses: Pulses) -> Float[Tensor, "count 128"]:
    """Returns the series without their noise.

    With ``t`` from 1 to 128 and ``I`` 1 where ``a <= t <= b``, else 0: cylinder ``(6 + η) I``, bell
    ``(6 + η) I (t - a) / (b - a)``, funnel ``(6 + η) I (b - t) / (b - a)``.
    """
    t = torch.arange(1, STEPS + 1)
    a, b = pulses.onsets[:, None], pulses.ends[:, None]
    inside = ((t >= a) & (t <= b)).float()
    rising = (t - a) / (b - a)
    shapes = torch.stack([torch.ones_like(rising), rising, 1 - rising])
    return pulses.amplitudes[:, None] * inside * shapes[pulses.labels, torch.arange(len(a))]


def visible(heights: Float[Tensor, "count length"]) -> Bool[Tensor, "count length"]:
    """Returns where a pulse shows above the noise: where it is higher than the noise's standard deviation.

    The foot of a bell and of a funnel is low and shows nothing of the class.
    """
    return heights.abs() > 1


@checked_settings
class CylinderBellFunnelData(SeriesData):
    """Series of noise with a pulse that is a cylinder, a bell or a funnel.

    The formula is that of Saito (1994), see `pulse_heights`; the series are not standardised. The stretch that is
    annotated is `visible`.

    Args:
        train_count: Series of the training split.
        val_count: Series of the validation split.
        test_count: Series of the test split.
        length: Steps of a series, which is drawn with 128 and resampled to another number; None: 128.
        batch_size: Series in a batch.
        seed: Seed of all that is drawn.
        scale: See `SeriesData`.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    def __init__(
        self,
        train_count: Count = 9000,
        val_count: Count = 600,
        test_count: Count = 1500,
        length: Count | None = None,
        batch_size: Count = 64,
        seed: Seed = 0,
        scale: SeriesScale | None = None,
    ) -> None:
        super().__init__(STEPS if length is None else length, 1, batch_size, seed, scale)
        self.counts = {"train": train_count, "val": val_count, "test": test_count}
        self.class_names = list(CLASS_NAMES)

    def open_split(self, name: str) -> UnreadSplit:
        """See `DomainData.open_split`; reading draws the series."""
        made_of = [torch.__version__, self.counts, self.input_size, self.scale, self.seed]

        def stamp(index: int) -> Stamp:
            return Stamp(_series_name(name, index), f"series {made_of}")

        return UnreadSplit(self.counts[name], lambda indices: (self._rows(name, indices), []), stamp)

    def training_values(self) -> Series:
        """See `SeriesData.training_values`."""
        return self._values(self._pulses["train"])

    @cached_property
    def _pulses(self) -> dict[str, Pulses]:
        rngs = {name: torch.Generator().manual_seed(1000 * self.seed + i) for i, name in enumerate(STAGES[None])}
        return {name: draw_pulses(self.counts[name], rng) for name, rng in rngs.items()}

    def _values(self, pulses: Pulses) -> Series:
        return resize((pulse_heights(pulses) + pulses.noise)[:, None], self.input_size)

    def _rows(self, name: str, indices: Sequence[int]) -> ImageSplit:
        """Returns series of a split."""
        rows = torch.tensor(indices, dtype=torch.long)
        drawn = Pulses(**{field: values[rows] for field, values in vars(self._pulses[name]).items()})
        stretches = resize(pulse_heights(drawn)[:, None], self.input_size)[:, 0]
        objects = MaskPerInput(visible(stretches), drawn.labels)
        names = [_series_name(name, index) for index in indices]
        return ImageSplit(self.scale.scaled(self._values(drawn)), drawn.labels, names, objects)


def _series_name(split: str, index: int) -> str:
    return f"{split}-{index:05d}"
