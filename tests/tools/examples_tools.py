"""The examples, and every file that is generated from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import specfmt

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ADAPTED = ("penguins_wide_deep", "tweet_sentiment")
"""Examples whose layers have no tables before a training script adapts them."""

TARGETS = ("keras", "torch")
STYLES = ("auto", "sequential", "functional", "subclass")


class Generated(NamedTuple):
    """A file to generate: an example, a target, and a style or ``train``."""

    example: str
    target: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.example}_{self.target}_{self.kind}"

    def code(self) -> str:
        """The file's text."""
        source = f"{self.example}.yaml"
        if self.kind == "train":
            return specfmt.generate(spec(self.example), self.target, part="train", source=source)
        return specfmt.generate(spec(self.example), self.target, style=self.kind, source=source)


@cache
def spec(example: str) -> Any:
    return specfmt.load(FOLDER / f"{example}.yaml")


def generated() -> Iterator[Generated]:
    """Every example in every target and style that can express it, and its training script."""
    for example in EXAMPLES:
        for target in TARGETS:
            for style in STYLES:
                if style != "sequential" or is_sequential(example, target):
                    yield Generated(example, target, style)
            yield Generated(example, target, "train")


def is_sequential(example: str, target: str) -> bool:
    """Whether a chain of stock parts can say the model.

    In PyTorch a mask, as in `mnist_rows_lstm`, and random transformations need a class; a block is a
    part of a chain, whatever is in it.
    """
    graph = specfmt.analyze(spec(example))
    needs_class = ("mnist_rows_lstm", "digits_augmented", "tweet_sentiment")
    chain_of_blocks = ("digits_resnet",)
    if target == "torch" and example in chain_of_blocks:
        return True
    return graph.is_chain and not (target == "torch" and example in needs_class)


ALONE = """
import json, runpy, sys
sys.modules["specfmt"] = None  # an import of it fails
"""


def run_alone(code: str, *arguments: str, folder: Path, threads: int = 2) -> str:
    """Run Python code in a fresh process in which specfmt cannot be imported; its stdout."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "MPLBACKEND": "Agg",
    }
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, "-c", ALONE + code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    return done.stdout


def run_script(path: Path, *options: str, threads: int = 2) -> str:
    """Run a generated training script as a user does, without specfmt; its stdout."""
    code = "sys.argv[:] = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    return run_alone(code, str(path), *options, folder=path.parent, threads=threads)


def count_parameters(paths: list[Path], target: str) -> dict[str, dict[str, int]]:
    """Total and trainable parameters of every model file, built in one process alone."""
    count = (
        "{'total': model.count_params(), 'trainable': sum(int(w.numpy().size) for w in model.trainable_weights)}"
        if target == "keras"
        else "{'trainable': sum(p.numel() for p in model.parameters() if p.requires_grad)}"
    )
    code = (
        "found = {}\n"
        "for path in sys.argv[1:]:\n"
        "    model = runpy.run_path(path)['build_model']()\n"
        f"    found[path] = {count}\n"
        "print(json.dumps(found))"
    )
    output = run_alone(code, *map(str, paths), folder=paths[0].parent)
    found: dict[str, dict[str, int]] = json.loads(output.splitlines()[-1])
    return {Path(path).stem: counts for path, counts in found.items()}
