"""Runs dianna's RISE and LIME for series in an environment that has it; started by `series_peers`.

    PYTHON series_dianna.py FOLDER QUERIES TIMED ROUNDS

Reads ``net.onnx`` and ``asked.npz`` (series, targets) in the folder, writes ``answers.npz``: the network's scores, and
of each method the maps of seeds 0 and 1 and its time in units of as many bare passes. Both methods are given a function
with one session of onnxruntime on one thread; RISE has dianna's own settings (8 cells, half of them kept), LIME, whose
own settings are a single sample, as many samples and as many coefficients as the series has steps.
"""

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import dianna
import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[Any]
BATCH = 100


def main() -> None:
    """Writes the answers."""
    folder, (queries, timed, rounds) = Path(sys.argv[1]), (int(word) for word in sys.argv[2:5])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"), options)
    asked = np.load(folder / "asked.npz")
    series, targets = asked["series"], asked["targets"]

    def scores(values: Array) -> Array:
        """Answers for (batch, length, channel), as dianna asks."""
        inputs = np.ascontiguousarray(values.swapaxes(1, 2), dtype=np.float32)
        return np.asarray(session.run(None, {"series": inputs})[0])

    steps = series.shape[2]
    settings: dict[str, dict[str, Any]] = {
        "RISE": {"n_masks": queries},
        "LIME": {"num_samples": queries, "num_features": steps, "random_state": 0},
    }

    def maps(method: str, count: int, seed: int) -> Array:
        np.random.seed(seed)
        found = [
            dianna.explain_timeseries(scores, own.T, method, [int(target)], batch_size=BATCH, **settings[method])
            for own, target in zip(series[:count], targets[:count], strict=True)
        ]
        return np.stack([np.asarray(each).reshape(steps) for each in found])

    def seconds(work: Any) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    rows = np.repeat(series[:1].swapaxes(1, 2), BATCH, axis=0)
    answers = {"scores": scores(series.swapaxes(1, 2))}
    for method in settings:
        answers[f"{method} maps"] = np.stack([maps(method, len(series), seed) for seed in (0, 1)])
        spent = [
            (
                seconds(lambda: [scores(rows) for _ in range(timed * queries // BATCH)]),
                seconds(lambda m=method: maps(m, timed, 0)),
            )
            for _ in range(rounds)
        ]
        bare, own = (statistics.median(values) for values in zip(*spent, strict=True))
        answers[f"{method} time"] = np.array(own / bare)
    np.savez(folder / "answers.npz", **answers)


if __name__ == "__main__":
    main()
