"""Makes series of a file fit for networks: without missing values, all of one length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from overpaint.core.errors import OverpaintError
from overpaint.core.resize import resize
from overpaint.data.series.content import Case
from overpaint.data.series.module import Series

Missing = Literal["interpolate", "refuse"]
"""What becomes of missing values."""

Unequal = Literal["resample", "pad"]
"""How series get a length that is not theirs."""


@dataclass(frozen=True)
class CleaningRule:
    """How series are made complete and equally long.

    Attributes:
        missing: ``interpolate``: on the straight line between the values before and after in the same channel, at an
            end the nearest value; ``refuse``: an error.
        unequal: ``resample``: stretched or shrunk to the length, linearly, with antialiasing; ``pad``: the last value
            of each channel goes on, and what is beyond the length is cut off.
        length: The length; None: the longest series'.
    """

    missing: Missing
    unequal: Unequal
    length: int | None

    def own_length(self, cases: Sequence[Case]) -> int:
        """Returns the length that series get."""
        return max(case.shape[1] for case in cases) if self.length is None else self.length

    def cleaned(self, cases: Sequence[Case], length: int, names: Sequence[str]) -> Series:
        """Returns series without missing values, of one length.

        Args:
            cases: The series.
            length: The length.
            names: Their names, for errors.

        Raises:
            OverpaintError: If a value is missing and is to be refused, or a series has none at all.
        """
        return torch.cat(
            [self._fitted(self._complete(case, name), length) for case, name in zip(cases, names, strict=True)]
        )

    def _complete(self, case: Case, where: str) -> Case:
        absent = np.isnan(case)
        if not case.shape[1] or absent.all(axis=1).any():
            raise OverpaintError(f"the series {where} has a channel without any value")
        if absent.any() and self.missing == "refuse":
            raise OverpaintError(
                f"the series {where} lacks {int(absent.sum())} values; data.missing=interpolate fills them in"
            )
        if not absent.any():
            return case
        steps = np.arange(case.shape[1])
        return np.stack(
            [np.interp(steps, steps[~gaps], channel[~gaps]) for channel, gaps in zip(case, absent, strict=True)]
        )

    def _fitted(self, case: Case, length: int) -> Series:
        if self.unequal == "pad":
            kept = case[:, :length]
            return _as_series(np.pad(kept, ((0, 0), (0, length - kept.shape[1])), mode="edge"))
        return resize(_as_series(case), (length,))


def _as_series(case: Case) -> Series:
    return torch.from_numpy(np.ascontiguousarray(case)).float()[None]


def cleaning_notes(cases: Sequence[Case], length: int, rule: CleaningRule) -> list[str]:
    """Says, each in one sentence, how many values were filled in, and how many series have another length."""
    gaps = [int(np.isnan(case).sum()) for case in cases]
    others = [case.shape[1] for case in cases if case.shape[1] != length]
    notes = []
    if any(gaps):
        with_gaps = sum(1 for count in gaps if count)
        notes.append(f"{sum(gaps)} missing values, in {with_gaps} of {len(cases)} series, were interpolated")
    if others:
        how = "padded with their last values or cut" if rule.unequal == "pad" else "resampled"
        notes.append(
            f"{len(others)} of {len(cases)} series, of {min(others)} to {max(others)} steps, were {how} to {length}"
        )
    return notes
