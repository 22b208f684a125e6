"""The numbers of an explained row, and the sentence that names it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from overpaint.core.intervals import share_with_interval
from overpaint.core.results import Explanation, RegionSearch, SaliencyMaps, Variants
from overpaint.inpainting.region import is_flat
from overpaint.metrics.agreement import spearman
from overpaint.perturbation.method import relative_errors
from overpaint.pipeline.cache import REGION_NUMBERS

NOT_DECISIVE = "no region is decisive: every fill keeps the class, even over the whole image"
"""What is said where the class can't be taken away."""


def row_numbers(explanation: Explanation, row: int, class_names: Sequence[str]) -> dict[str, Any]:
    """Returns the numbers of a row, as ``result.json`` has them.

    Args:
        explanation: The explanation.
        row: Which of its rows.
        class_names: The classifier's.
    """
    scores, target = explanation.scores[row], int(explanation.targets[row])
    first = next(iter(explanation.saliency))
    numbers: dict[str, Any] = {
        "prediction": class_names[int(scores.argmax())],
        "target": class_names[target],
        "confidence": float(scores[target]),
        "region_fraction": float(explanation.regions[first][row].float().mean()),
        "flat_map": bool(explanation.flat[first][row]),
    }
    if explanation.troubles and explanation.troubles[row]:
        numbers["trouble"] = "; ".join(explanation.troubles[row])
    search = explanation.region_search
    numbers |= {name: getattr(search, field)[row].item() for field, name in REGION_NUMBERS.items()}
    numbers |= _necessity(search, row)
    if (variants := explanation.variants) is not None:
        numbers |= _variant_numbers(variants, row)
    numbers["methods"] = {
        name: _method_numbers(saliency, row)
        | {"flat": bool(explanation.flat[name][row])}
        | ({} if name == first else {"agreement": _agreement(saliency, explanation.saliency[first], row)})
        for name, saliency in explanation.saliency.items()
    }
    numbers["metrics"] = {
        method: {metric: results[row].value for metric, results in own.items()}
        for method, own in explanation.metric_results.items()
    }
    numbers["probes"] = {name: dict(found[row].numbers) for name, found in explanation.probe_results.items()}
    return numbers


def _necessity(search: RegionSearch, row: int) -> dict[str, float]:
    """Returns the share of the fills that were held out which take the class away, and its 95 % interval."""
    lost, count = int(search.held_out_lost[row]), int(search.held_out[row])
    share, low, high = share_with_interval(lost, count)
    return {"necessity": share, "necessity_low": low, "necessity_high": high}


def _variant_numbers(variants: Variants, row: int) -> dict[str, Any]:
    counted = ~variants.duplicate[row]
    _, low, high = share_with_interval(int((variants.accepted[row] & counted).sum()), int(counted.sum()))
    empty = bool(variants.acceptance_rates[row].isnan())
    return {
        "variants": len(counted),
        "different_variants": int(counted.sum()),
        "accepted": int((variants.accepted[row] & counted).sum()),
        "flipped": int((~variants.accepted[row] & counted).sum()),
        "acceptance_rate": float(variants.acceptance_rates[row]),
        "acceptance_low": math.nan if empty else low,
        "acceptance_high": math.nan if empty else high,
        "mean_confidence": float(variants.mean_confidences[row]),
        "contextual_loss": float(variants.contextual_losses[row].mean()),
        "realism": float(variants.realism[row].mean()),
        "diversity": float(variants.diversities[row]),
        "search_steps": int(variants.steps[row]),
        "search_improved": float(variants.improved[row].float().mean()),
    }


def _method_numbers(saliency: SaliencyMaps, row: int) -> dict[str, Any]:
    numbers: dict[str, Any] = {"queries": int(saliency.queries[row])}
    if (errors := saliency.standard_errors) is not None:
        mine = slice(row, row + 1)
        numbers["relative_error"] = float(relative_errors(saliency.maps[mine], errors[mine]))
    return numbers | {"measures": {name: float(values[row]) for name, values in saliency.measures.items()}}


def _agreement(saliency: SaliencyMaps, first: SaliencyMaps, row: int) -> float:
    """Returns the rank correlation of a row's map with that of the first method; NaN where one is flat."""
    own, other = (maps.maps[row : row + 1] for maps in (saliency, first))
    return math.nan if bool(is_flat(own) | is_flat(other)) else float(spearman(own, other))


def row_title(result: Mapping[str, Any]) -> str:
    """Says of a row what it shows: its name, class and score, and what became of its variants."""
    title = f"{result['name']}: {result['target']} ({result['confidence']:.2f})"
    if result["prediction"] != result["target"]:
        title += f", predicted {result['prediction']}"
    if result["flat_map"]:
        title += "; the map is flat, so it has no salient region"
        return title
    if result["fills_left_out"] and not result["fills"]:
        title += f"; {NOT_DECISIVE}"
    if "accepted" in result:
        title += f"; {result['accepted']} of {result['different_variants']} different variants accepted"
    return title
