"""Time and memory by the number of layers: ``python benchmarks/scaling.py [SIZE ...]``.

Every command (`validate`, and `generate` for both targets) runs in a separate process on a residual
network (convolutions, normalization, sums).  As in the command line, the garbage collector is off.
Times are processor time; "ruff" is that of the formatter, a child process.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SIZES = (1_000, 10_000, 100_000)
COMMANDS = ("validate", "keras", "torch")


def spec_text(layers: int) -> str:
    """A residual network of ``layers`` entries, as a person would write it in YAML."""
    lines = ["specfmt: 1", "name: deep", "inputs:", "  image: {shape: [32, 32, 16]}", "layers:"]
    before = "image"
    for block in range(layers // 4):
        lines += [
            f"  - {{type: Conv2D, name: conv_{block}, inputs: {before}, filters: 16, "
            "kernel_size: 3, padding: same, use_bias: false}",
            f"  - {{type: BatchNormalization, name: norm_{block}}}",
            f"  - {{type: ReLU, name: relu_{block}}}",
            f"  - {{type: Add, name: sum_{block}, inputs: [{before}, relu_{block}]}}",
        ]
        before = f"sum_{block}"
    return "\n".join(lines) + "\n"


def stages(command: str, text: str) -> dict[str, float]:
    """The processor time of each stage of a command in seconds, and the peak memory in megabytes."""
    from specfmt.graph.build import build
    from specfmt.lint import lint
    from specfmt.spec.document import parse_document
    from specfmt.targets import keras, ruff, torch
    from specfmt.text.reading import read

    found: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        found[stage] = time.process_time() - start
        return result

    def unformatted(source: str, _: tuple[str, ...]) -> str:
        return source

    gc.disable()
    spec, problems = timed("read and check", lambda: parse_document(read(text).data))
    assert spec is not None
    assert not problems
    graph, problems = timed("analyze", lambda: build(spec))
    assert not problems
    if command == "validate":
        timed("lint", lambda: lint(graph))
    else:
        ruff.set_formatter(unformatted)
        target = {"keras": keras, "torch": torch}[command]
        code = timed(command, lambda: target.generate_model(graph))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ruff.run_ruff(code, ())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found["ruff"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found["MB of ruff"] = after.ru_maxrss / 1024
    found["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def measure(command: str, size: int) -> dict[str, float]:
    """Measure the stages of one command in a separate process."""
    done = subprocess.run(
        [sys.executable, __file__, "--stages", command, str(size)],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(sizes: list[int]) -> None:
    """Print the table."""
    print(
        f"| command  | stage                     | {' | '.join(f'{n:>7,} layers' for n in sizes)} |  ratio |"
    )
    print(f"|----------|---------------------------|{'---------------:|' * len(sizes)}-------:|")
    for command in COMMANDS:
        found = {size: measure(command, size) for size in sizes}
        for stage in found[sizes[0]]:
            is_memory = stage.startswith("MB")
            unit = "MB" if is_memory else "us"
            cells = [found[n][stage] / (1 if is_memory else n / 1e6) for n in sizes]
            shown = " | ".join(f"{cell:>11.0f} {unit}" for cell in cells)
            name = stage.replace("MB", "peak memory") if is_memory else f"{stage}, per layer"
            print(
                f"| {command:<8} | {name:<25} | {shown} | {cells[-1] / cells[0]:>5.1f}x |",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stages"]:
        print(json.dumps(stages(sys.argv[2], spec_text(int(sys.argv[3])))))
    else:
        main([int(size) for size in sys.argv[1:]] or list(SIZES))
