"""Plots of the patches that were painted into the salient regions, by class."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from overpaint.core.files import read_arrays
from overpaint.core.names import safe_file_name
from overpaint.report.plots.patches import ImagePatches, image_patches, patch_map
from overpaint.report.run_plots import RunPlot, Topic

PATCHES = "What may stand in the salient regions of each class"
"""Where the maps of patches are folded away."""


def patch_plots(folders: Sequence[Path], classes: Sequence[str]) -> Iterator[RunPlot]:
    """Draws for each class of which at least two images were repainted what its regions show, accepted and flipped.

    Args:
        folders: The rows' folders.
        classes: The explained class of each.
    """
    for name in dict.fromkeys(classes):
        own = [f for f, of in zip(folders, classes, strict=True) if of == name and (f / "variants.npz").is_file()]
        if len(own) > 1:
            picture = patch_map([_read_patches(folder) for folder in own], f"{name}: {len(own)} images")
            caption = f"{name}: what may stand in the salient region (PCA of the patches)"
            yield RunPlot(f"patches_{safe_file_name(name)}", caption, picture, Topic.VARIANTS, PATCHES)


def _read_patches(folder: Path) -> ImagePatches:
    variants, region = read_arrays(folder / "variants.npz"), read_arrays(folder / "saliency.npz")["region"]
    return image_patches(variants["images"], region, variants["accepted"], variants["duplicate"])
