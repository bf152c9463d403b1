"""Import with full static analysis against `keras.models.model_from_json`, in one run.

python benchmarks/keras_json.py [APPLICATION]
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def main(name: str) -> None:
    import keras

    import specfmt

    text = getattr(keras.applications, name)(weights=None).to_json()
    specfmt.analyze(specfmt.from_keras_json(text))  # imports excluded: modules are loaded by now
    ours = []
    for _ in range(5):
        start = time.perf_counter()
        graph = specfmt.analyze(specfmt.from_keras_json(text))
        ours.append(time.perf_counter() - start)
    keras.backend.clear_session()
    start = time.perf_counter()
    model = keras.models.model_from_json(text)
    theirs = time.perf_counter() - start
    assert graph.count() == model.count_params()
    best = sorted(ours)[len(ours) // 2]
    print(f"{name}: {len(model.layers)} layers, {graph.count():,} parameters")
    print(
        f"specfmt {best:.3f} s (median of {len(ours)}), Keras {theirs:.3f} s: 1/{theirs / best:.0f}"
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "EfficientNetV2L")
