"""Names of the artifacts of an explanation, each with a cache key of its own, and of their arrays in files."""

BASE = "base"
"""What all artifacts of a row depend on: the classifier, the target, the engine's settings."""

SETTINGS = "settings"
"""The settings that all artifacts of a run share: where they differ, those of two runs do not belong together."""

REGION = "region"
"""The region that is repainted, and the name of its array."""

ACCEPTANCE = "region_acceptance"
"""The name of the array of the curve that found it."""

VARIANTS = "variants"
PICTURES = "pictures"


SCALE = "scale"
"""The name of the array of the values of a series' channels that are 0, and of those that are 1."""


def map_artifact(method: str, seed: int = 0) -> str:
    """Returns the name of a map, and of its array."""
    return f"map_{method}" if seed == 0 else f"map_{method}_seed{seed}"


def error_array(method: str) -> str:
    """Returns the name of the array of a map's standard errors."""
    return f"error_{method}"


def channels_array(method: str) -> str:
    """Returns the name of the array of a method's map of each channel, where these were explained apart."""
    return f"channels_{method}"


def channels_error_array(method: str) -> str:
    """Returns the name of the array of the standard errors of these."""
    return f"error_channels_{method}"


def region_array(method: str) -> str:
    """Returns the name of the array of a map's salient region."""
    return f"region_{method}"


def metric_artifact(method: str, metric: str) -> str:
    """Returns the name of a metric of a method's map, and of its curve's array."""
    return f"metric_{metric}_{method}"


def probe_artifact(probe: str) -> str:
    """Returns the name of a probe's result."""
    return f"probe_{probe}"


def probe_array(probe: str, array: str) -> str:
    """Returns the name of one of the arrays of a probe's result."""
    return f"{probe_artifact(probe)}/{array}"
