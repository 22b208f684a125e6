"""Latent search: finds latents from which the generator continues an image's surroundings into its region."""

from overpaint.inversion.objective import Guide
from overpaint.inversion.recipes import RECIPES, SearchRecipe
from overpaint.inversion.search import LatentSearch
from overpaint.inversion.selection import keep_relevant

__all__ = ["RECIPES", "Guide", "LatentSearch", "SearchRecipe", "keep_relevant"]
