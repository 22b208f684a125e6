"""The scale of series: a linear map of each channel, and back."""

import pytest
import torch

from overpaint.core.errors import OverpaintError
from overpaint.core.scale import SeriesScale


def test_a_scale_maps_low_to_zero_and_high_to_one_and_back() -> None:
    scale = SeriesScale((-2.0, 10.0), (2.0, 30.0))
    values = torch.tensor([[[-2.0, 0.0, 3.0], [10.0, 30.0, 0.0]]])
    torch.testing.assert_close(scale.scaled(values), torch.tensor([[[0.0, 0.5, 1.25], [0.0, 1.0, -0.5]]]))
    torch.testing.assert_close(scale.in_units(scale.scaled(values)), values)


@pytest.mark.parametrize(("low", "high"), [((0.0,), (0.0,)), ((0.0, 1.0), (1.0,))])
def test_a_channel_without_extent_is_refused(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    with pytest.raises(OverpaintError, match="has a channel without extent"):
        SeriesScale(low, high)
