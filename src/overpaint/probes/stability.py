"""Stability of the latents under slight transforms of the input: the poster's claim."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.bounds import Bounds, Count, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.resize import resize
from overpaint.core.results import LatentSearchResult, ProbeResult
from overpaint.core.rng import drawing_as, image_rng
from overpaint.core.types import Images
from overpaint.inpainting.painted import check_painted
from overpaint.probes.base import Probe, ProbeInputs

TRANSFORMS = ("rotation", "inversion", "scaling", "shear")
"""What is done to image and region."""

Set = Float[Tensor, "variant value"]


@checked_settings
@dataclass(frozen=True)
class Stability(Probe):
    """Searches latents anew for transformed copies of image and region, and compares them with the image's.

    The poster (Thakur & Fischmeister, 2020) claims that the latents are stable under small rotation, inversion, scaling
    and shear, without a number. It does not say what is inverted; mirroring left to right is taken here, which for
    digits makes another object of most. All searches of a row start from the same random latents (common random
    numbers). Scale: images that have nothing to do with the row's, unconditional samples of the generator, searched for
    the same region from the same random latents. They are the row's own draws, so that no other image of the data is
    needed.

    The distance of two searches is ``mean_i min_j |a_i - b_j|``, averaged with that of ``b`` to ``a``: how far it is
    from a latent of the one to the nearest of the other. Latents have no partners after their selection.

    Numbers, T each of `TRANSFORMS`; NaN where the region, or its copy, is empty:

    - ``latent_ratio_T``: the distance between the copy's latents and the image's (Euclidean), divided by the mean
      distance between unrelated images' latents and the image's; well below 1 is stable, 1 is as if unrelated;
    - ``picture_ratio_T``: the same between what they paint, ``G(z)`` (root mean square over all pixels);
    - ``best_ratio_T``: the same between the single latents with the smallest contextual losses;
    - ``latent_distance_T``, ``picture_distance_T`` and ``best_distance_T``, T also ``unrelated``: the distances.

    Arrays: the image and its ``copies``, and the best ``painted`` of each, first the image's, in the order of
    `TRANSFORMS`.

    Attributes:
        rotation: Angle in degrees, counter-clockwise.
        scaling: Factor by which the copy is larger.
        shear: Angle in degrees by which its columns lean.
        unrelated: How many unrelated images.
        seed: Seed of these.

    Raises:
        OverpaintError: If a setting is out of its range; at the call, if the images are no pictures.
    """

    pictures_only: ClassVar[bool] = True

    rotation: Annotated[float, Bounds(least=-180, most=180)] = 5.0
    scaling: Annotated[float, Bounds(least=0.1, most=10)] = 1.1
    shear: Annotated[float, Bounds(above=-90, below=90)] = 5.0
    unrelated: Count = 4
    seed: Seed = 0

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`."""
        if inputs.images.ndim != 4:
            raise OverpaintError("probes=stability turns pictures, and these have another number of dimensions")
        return [self._of_row(inputs, row) for row in range(len(inputs.images))]

    def _of_row(self, inputs: ProbeInputs, row: int) -> ProbeResult:
        image, region, inpainter = inputs.images[row], inputs.regions[row], inputs.inpainter
        if not region.any():
            return self._numbers({})
        copies = [self.transformed(image, region, name) for name in TRANSFORMS]
        rng = image_rng(image, self.seed, "stability")
        with torch.no_grad():
            samples = inpainter.generator(inpainter.generator.sample_latents(self.unrelated, rng).to(image.device))
        check_painted(samples)
        if samples.shape[1:] != image.shape:
            samples = resize(samples, tuple(image.shape[1:])).clamp(0, 1)
        images = torch.cat([image[None], torch.stack([copy for copy, _ in copies]), samples])
        own = region[None]
        regions = torch.cat([own, torch.stack([moved for _, moved in copies]), own.expand(self.unrelated, -1, -1)])
        with drawing_as(image):
            found = inpainter.search_latents(images, regions)
        distances = {name: _distances(found, number) for number, name in enumerate(TRANSFORMS, start=1)}
        empty: dict[str, dict[str, float]] = {
            name: {} for name, (_, moved) in zip(TRANSFORMS, copies, strict=True) if not moved.any()
        }
        others = [_distances(found, number) for number in range(1 + len(TRANSFORMS), len(images))]
        distances["unrelated"] = {key: sum(one[key] for one in others) / len(others) for key in others[0]}
        shown = 1 + len(TRANSFORMS)
        best = torch.stack([found.images[i][best_of(found, i)] for i in range(shown)])
        return self._numbers(distances | empty, {"copies": images[:shown], "painted": best})

    def transformed(
        self, image: Float[Tensor, "channel height width"], region: Bool[Tensor, "height width"], name: str
    ) -> tuple[Float[Tensor, "channel height width"], Bool[Tensor, "height width"]]:
        """Returns the transformed copy of an image and its region, about the centre.

        Interpolation is bilinear; what comes in from outside has the border's colour and is not of the region. A
        transform that changes nothing returns the image itself, where interpolation would round.
        """
        if name == "inversion":
            return image.flip(-1), region.flip(-1)
        angle = math.radians(self.rotation)
        matrix = {
            "rotation": [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]],
            "scaling": [[1 / self.scaling, 0.0], [0.0, 1 / self.scaling]],
            "shear": [[1.0, math.tan(math.radians(self.shear))], [0.0, 1.0]],
        }[name]
        if matrix == [[1.0, 0.0], [0.0, 1.0]]:
            return image, region
        # The grid says where each pixel comes from, in units of half a side; pixels are not square in these units.
        height, width = region.shape
        (a, b), (c, d) = matrix
        theta = image.new_tensor([[a, b * height / width, 0.0], [c * width / height, d, 0.0]])
        grid = F.affine_grid(theta[None], [1, 1, height, width], align_corners=False)
        copy = F.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0].clamp(0, 1)
        share = F.grid_sample(region[None, None].to(image), grid, align_corners=False)[0, 0]
        return copy, share >= 0.5

    def _numbers(self, distances: dict[str, dict[str, float]], arrays: dict[str, Tensor] | None = None) -> ProbeResult:
        """Names the distances and their ratios; NaN for those that are not there."""
        unrelated, numbers = distances.get("unrelated", {}), {}
        for name in (*TRANSFORMS, "unrelated"):
            for key in ("latent", "picture", "best"):
                distance = distances.get(name, {}).get(key, math.nan)
                numbers[f"{key}_distance_{name}"] = distance
                if name != "unrelated":
                    scale = unrelated.get(key, math.nan)
                    numbers[f"{key}_ratio_{name}"] = distance / scale if scale else math.nan
        return ProbeResult(numbers, arrays or {})


def best_of(found: LatentSearchResult, number: int) -> int:
    """Returns which latent of an image has the smallest contextual loss."""
    return int(found.contextual_losses[number].argmin())


def set_distance(ones: Set, others: Set) -> float:
    """Returns the mean distance from a row of either set to the nearest one of the other."""
    distances = torch.cdist(ones, others, compute_mode="donot_use_mm_for_euclid_dist")
    return float((distances.amin(1).mean() + distances.amin(0).mean()) / 2)


def _distances(found: LatentSearchResult, number: int) -> dict[str, float]:
    """Returns the distances between what was found for the first image and for another one."""
    pictures: Images = found.images[number]
    norm = pictures[0].numel() ** 0.5
    best = found.latents[number][best_of(found, number)] - found.latents[0][best_of(found, 0)]
    return {
        "latent": set_distance(found.latents[number], found.latents[0]),
        "picture": set_distance(pictures.flatten(1), found.images[0].flatten(1)) / norm,
        "best": float(best.norm()),
    }
