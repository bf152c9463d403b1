"""Start-up time of ``specfmt validate``: ``python benchmarks/startup.py [RUNS]``.

Every command runs in a new process, and the commands alternate, so that other load on the machine
slows all of them alike.  Ratios are those of medians, of CPU time (user and system) and of wall-clock
time.
"""

from __future__ import annotations

import os
import statistics
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
SPECFMT = str(Path(sysconfig.get_path("scripts")) / "specfmt")
SPEC = str(ROOT / "examples" / "iris_mlp.yaml")

ONE_CLASS = "from pydantic import BaseModel\nclass A(BaseModel, defer_build=True):\n    x: int"
COMMANDS = {
    "python, nothing": [PYTHON, "-c", ""],
    "import pydantic": [PYTHON, "-c", "import pydantic"],
    "from pydantic import BaseModel": [PYTHON, "-c", "from pydantic import BaseModel"],
    "one deferred Pydantic class": [PYTHON, "-c", ONE_CLASS],
    "specfmt validate iris_mlp.yaml": [SPECFMT, "validate", SPEC],
    "specfmt validate --format json": [SPECFMT, "validate", "--format", "json", SPEC],
}
SLOW = {"import tensorflow": [PYTHON, "-c", "import tensorflow"]}
BASES = ("import pydantic", "import tensorflow")


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of CPU time and of wall clock that a command takes."""
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, wall


def main() -> None:
    """Print the table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as when installed, with compiled bytecode
    commands = COMMANDS | SLOW
    for command in commands.values():
        run(command, environment)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(runs):
        for name, command in commands.items():
            if name not in SLOW or turn % 5 == 0:
                samples[name].append(run(command, environment))
    cpu, wall = (
        {name: statistics.median(pair[kind] for pair in found) for name, found in samples.items()}
        for kind in (0, 1)
    )
    width = max(map(len, commands))
    heads = [f"{base}, {clock}" for base in BASES for clock in ("CPU", "wall")]
    print(f"| {'command':<{width}} | " + " | ".join(f"of `{head}`" for head in heads) + " |")
    print(f"|{'-' * (width + 2)}|" + "|".join("-" * (len(head) + 6) + ":" for head in heads) + "|")
    for name in commands:
        cells = [
            f"{times[name] / times[base]:.3g}x".rjust(len(f"{base}, {clock}") + 5)
            for base in BASES
            for clock, times in (("CPU", cpu), ("wall", wall))
        ]
        print(f"| {name:<{width}} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
