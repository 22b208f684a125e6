"""Plots of the patches that were painted into the salient regions, by class."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from overpaint.core.files import read_arrays
from overpaint.core.names import safe_file_name
from overpaint.report.plots.patches import ImagePatches, image_patches, patch_map
from overpaint.report.run_plots import RunPlot, Topic
from overpaint.report.spread import spread

PATCHES = "What may stand in the salient regions of each class"
"""Where the maps of patches are folded away."""

MOST_CLASSES = 20
"""So many classes have a map at most: those with the most images."""

MOST_IMAGES = 64
"""So many images of a class are drawn at most, evenly over the run; a map has no room for the patches of more."""


def patch_plots(folders: Sequence[Path], classes: Sequence[str]) -> Iterator[RunPlot]:
    """Draws for each class of which at least two images were repainted what its regions show, accepted and flipped.

    Args:
        folders: The rows' folders.
        classes: The explained class of each.
    """
    painted = [(f, of) for f, of in zip(folders, classes, strict=True) if (f / "variants.npz").is_file()]
    counts = Counter(of for _, of in painted)
    drawn = {name for name, count in counts.most_common(MOST_CLASSES) if count > 1}
    several = sum(count > 1 for count in counts.values())
    heading = PATCHES if several == len(drawn) else f"{PATCHES}: the {len(drawn)} with the most images, of {several}"
    for name in dict.fromkeys(of for _, of in painted if of in drawn):
        own = [folder for folder, of in painted if of == name]
        shown = spread(own, MOST_IMAGES)
        count = f"{len(own)} images" if len(shown) == len(own) else f"{len(shown)} of {len(own)} images"
        picture = patch_map([_read_patches(folder) for folder in shown], f"{name}: {count}")
        caption = f"{name}: what may stand in the salient region (PCA of the patches)"
        yield RunPlot(f"patches_{safe_file_name(name)}", caption, picture, Topic.VARIANTS, heading)


def _read_patches(folder: Path) -> ImagePatches:
    variants, region = read_arrays(folder / "variants.npz"), read_arrays(folder / "saliency.npz")["region"]
    return image_patches(variants["images"], region, variants["accepted"], variants["duplicate"])
