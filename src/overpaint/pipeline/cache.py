"""Reads the folders of explained images: their numbers, and what of them still holds.

Each piece of an explanation (a map, a metric of it, the variants) has a stamp: what it depends on, in short. A piece
whose stamp is the wanted one need not be made again. ``BASE`` is the stamp of what all pieces depend on.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.core.files import read_arrays
from overpaint.core.names import row_folder
from overpaint.core.types import KnownRow, MetricResult, ProbeResult, SaliencyMaps, SeededName, Variants

BASE = "base"
VARIANTS = "variants"
PICTURES = "pictures"

Stamps = Mapping[str, str]
"""The stamp of each piece, by the piece's name."""


def map_piece(method: str, seed: int = 0) -> str:
    """Returns the name of a map among the pieces, and of its arrays."""
    return f"map_{method}" if seed == 0 else f"map_{method}_seed{seed}"


def metric_piece(method: str, metric: str) -> str:
    """Returns the name of a metric among the pieces."""
    return f"metric_{metric}_{method}"


def probe_piece(probe: str) -> str:
    """Returns the name of a probe's findings among the pieces."""
    return f"probe_{probe}"


def read_result(folder: Path) -> dict[str, Any]:
    """Reads the numbers of an explained image."""
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return content


def finished_folders(folder: Path, name: str, wanted: Stamps) -> list[Path]:
    """Returns the folders that hold the complete explanation of an image; none if a piece is missing or outdated."""
    own = row_folder(name, None)
    several = sorted(folder.glob(f"{own}@*"))  # a name that is safe for files has no sign of a pattern
    candidates = [p for p in [folder / own, *several] if _stamps(p)]
    mine = {p: read_result(p) for p in candidates if wanted.items() <= _stamps(p).items()}
    expected = max((int(result["targets_of_image"]) for result in mine.values()), default=1)
    return sorted(mine, key=lambda p: int(mine[p]["place_of_target"])) if len(mine) == expected else []


def _stamps(folder: Path) -> dict[str, str]:
    """Returns the stamps of a folder's pieces; none where there is no complete folder."""
    return dict(read_result(folder)["stamps"]) if (folder / "result.json").is_file() else {}


def read_known(
    folder: Path, wanted: Stamps, seeded: list[SeededName], metrics: list[tuple[str, str]], probes: list[str]
) -> KnownRow:
    """Reads what a folder holds and still counts.

    Args:
        folder: The folder of an image and target, whether it exists or not.
        wanted: The stamps that pieces must have.
        seeded: The maps that are wanted.
        metrics: The metrics that are wanted, by method and metric.
        probes: The probes that are wanted.
    """
    stamps = _stamps(folder)
    holds = {piece for piece, stamp in stamps.items() if wanted.get(piece) == stamp}
    if not holds - {BASE, PICTURES}:
        return KnownRow()
    result = read_result(folder)
    arrays, curves = read_arrays(folder / "saliency.npz"), read_arrays(folder / "curves.npz")
    maps = {(m, k): _map(m, k, arrays, result) for m, k in seeded if map_piece(m, k) in holds}
    measured = {
        (m, k): _measured(result["metrics"][m][k], metric_piece(m, k), curves)
        for m, k in metrics
        if metric_piece(m, k) in holds
    }
    variants = None
    if VARIANTS in holds:
        stored = read_arrays(folder / "variants.npz")
        variants = Variants(**{f.name: torch.from_numpy(stored[f.name])[None] for f in fields(Variants)})
    stored = read_arrays(folder / "probes.npz")
    probed = {name: _probed(name, result, stored) for name in probes if probe_piece(name) in holds}
    return KnownRow(maps, measured, variants, probed)


def _map(method: str, seed: int, arrays: Mapping[str, NDArray[Any]], result: Mapping[str, Any]) -> SaliencyMaps:
    piece = map_piece(method, seed)
    numbers = result["methods"][method] if seed == 0 else {}
    error = arrays.get(piece.replace("map_", "error_", 1))
    return SaliencyMaps(
        torch.from_numpy(arrays[piece])[None],
        None if error is None else torch.from_numpy(error)[None],
        torch.tensor([int(numbers.get("queries", 0))]),
        {name: torch.tensor([_number(value)]) for name, value in numbers.get("measures", {}).items()},
    )


def _measured(value: float | None, piece: str, curves: Mapping[str, NDArray[Any]]) -> MetricResult:
    if piece not in curves:
        return MetricResult(_number(value))
    curve, places = torch.from_numpy(np.asarray(curves[piece]))
    return MetricResult(_number(value), curve, places)


def _probed(name: str, result: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]) -> ProbeResult:
    numbers = {key: _number(value) for key, value in result["probes"][name].items()}
    start = f"{probe_piece(name)}/"
    arrays = {key.removeprefix(start): torch.from_numpy(v) for key, v in stored.items() if key.startswith(start)}
    return ProbeResult(numbers, arrays)


def _number(value: float | None) -> float:
    """Turns JSON's null back into what is no number."""
    return float("nan") if value is None else value
