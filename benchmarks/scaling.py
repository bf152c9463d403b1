"""How checking grows with the number of layers: ``python benchmarks/scaling.py``.

Specs of 1,000 and 10,000 layers (convolutions, normalization, residual sums) are read and
analyzed; runs of the sizes alternate, so that a busy machine slows both alike.  As in
``specfmt validate``, the garbage collector is off.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

SIZES = (1_000, 10_000)


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


def stages(text: str) -> dict[str, float]:
    """Seconds that each stage takes for one spec."""
    from specfmt.graph.build import build
    from specfmt.lint import lint
    from specfmt.spec.document import parse_document
    from specfmt.text.events import event_source
    from specfmt.text.reading import read

    found: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        gc.collect()
        gc.disable()
        start = time.perf_counter()
        result = work()
        found[stage] = time.perf_counter() - start
        gc.enable()
        return result

    def events() -> None:
        next_event = event_source(text)
        while next_event() is not None:
            pass

    timed("of which libyaml", events)
    document = timed("read", lambda: read(text))
    spec, problems = timed("check fields", lambda: parse_document(document.data))
    assert spec is not None
    assert not problems
    graph, problems = timed("analyze graph", lambda: build(spec))
    assert not problems
    timed("lint", lambda: lint(graph))
    return found


def measure(runs: int = 5) -> dict[int, dict[str, float]]:
    """The median seconds of each stage for each size."""
    texts = {size: spec_text(size) for size in SIZES}
    stages(texts[SIZES[0]])
    samples: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    for _ in range(runs):
        for size, text in texts.items():
            samples[size].append(stages(text))
    return {
        size: {stage: statistics.median(run[stage] for run in found) for stage in found[0]}
        for size, found in samples.items()
    }


def main() -> None:
    """Print the table."""
    table = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    small, large = (table[size] for size in SIZES)
    header = " | ".join(f"{size:>7,} layers, us/layer" for size in SIZES)
    print(f"| {'stage':<16} | {header} | {'growth for 10x':>14} | share |")
    print(f"|{'-' * 18}|{'-' * 25}:|{'-' * 25}:|{'-' * 15}:|{'-' * 6}:|")
    whole = [
        sum(v for k, v in sizes.items() if k != "of which libyaml") for sizes in (small, large)
    ]
    rows = [(stage, small[stage], large[stage]) for stage in small]
    rows.sort(key=lambda row: row[0] == "of which libyaml")
    for stage, one, other in [*rows, ("all", *whole)]:
        costs = [
            f"{seconds / size * 1e6:24.1f}"
            for seconds, size in zip((one, other), SIZES, strict=True)
        ]
        print(
            f"| {stage:<16} | {' | '.join(costs)} | {other / one:>13.1f}x | {other / whole[1]:>4.0%} |"
        )


if __name__ == "__main__":
    main()
