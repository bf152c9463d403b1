"""Peak memory of `specfmt weights` for a large model, including the interpreter.

    python benchmarks/memory.py [APPLICATION]

Keras, in a separate process, writes the model's architecture and a `.weights.h5` file with random
weights.  Every conversion then runs as a command, as a user would run it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

MAKE = """
import sys
import keras
model = getattr(keras.applications, sys.argv[1])(weights=None)
model.save_weights(sys.argv[2] + "/keras.weights.h5")
open(sys.argv[2] + "/model.json", "w").write(model.to_json())
"""

ROUTES = (
    ("keras.weights.h5", "a.safetensors"),
    ("keras.weights.h5", "a.pt"),
    ("a.safetensors", "b.weights.h5"),
    ("a.pt", "c.weights.h5"),
)
"""From Keras to both formats of PyTorch, and back."""


def peak(arguments: list[str], folder: Path) -> float:
    """The peak memory of a command in megabytes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "specfmt", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"specfmt {' '.join(arguments)} failed")
    return usage.ru_maxrss / 1024


def main(name: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        subprocess.run([sys.executable, "-c", MAKE, name, temporary], check=True, env=environment)
        subprocess.run(
            [sys.executable, "-m", "specfmt", "import", "model.json", "-o", "model.yaml"],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            check=True,
        )
        size = (folder / "keras.weights.h5").stat().st_size / 2**20
        print(
            f"{name}: {size:.0f} MB of weights; importing alone {peak(['--version'], folder):.0f} MB"
        )
        for source, target in ROUTES:
            megabytes = peak(["weights", "model.yaml", source, "-o", target], folder)
            print(f"{source:<18} -> {target:<14} {megabytes:6.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "VGG19")
