"""Time of an import with full static analysis, relative to `keras.models.model_from_json`.

python benchmarks/keras_json.py [APPLICATION]

Importing modules is excluded: both run once before they are timed.  Both then run `RUNS` times
alternately, and the medians are compared, with Python's garbage collector on and off.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

RUNS = 5


def seconds(run: Callable[[], Any], *, collects: bool) -> float:
    gc.collect()
    if not collects:
        gc.disable()
    try:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    finally:
        gc.enable()


def main(name: str) -> None:
    import keras

    import specfmt

    text = getattr(keras.applications, name)(weights=None).to_json()

    def ours() -> Any:
        return specfmt.from_keras_json(text)  # analyzes what it reads

    def theirs() -> Any:
        keras.backend.clear_session()
        return keras.models.model_from_json(text)

    graph, model = ours(), theirs()
    assert graph.count() == model.count_params()
    layers = len(model.layers)
    del model
    print(f"{name}: {layers} layers, {graph.count():,} parameters, medians of {RUNS} runs in turn")
    for collects in (True, False):
        times: dict[str, list[float]] = {"specfmt": [], "Keras": []}
        for _ in range(RUNS):
            times["specfmt"].append(seconds(ours, collects=collects))
            times["Keras"].append(seconds(theirs, collects=collects))
        first, second = (statistics.median(found) for found in times.values())
        state = "on" if collects else "off"
        print(
            f"collector {state}: specfmt {first:.3f} s, Keras {second:.3f} s, 1/{second / first:.0f}"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "EfficientNetV2L")
