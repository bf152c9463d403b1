"""Mutated models, Keras's and specfmt's own, on the whole path.

``python -m tests.fuzz.mutations COUNT SEED [SECONDS]`` says what came of so many inputs, with the
programs of every style and option.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.formats.test_import_fuzz import JUNK, damage, mutate, places, sources
from tests.fuzz.markers import PAYLOADS
from tests.fuzz.odd_values import VALUES, written
from tests.fuzz.whole_path import SLOW, Journey, imported, limit_memory, travel

ROOT = Path(__file__).resolve().parents[2]
LARGE = 40_000
"""Characters from which on an input is not small."""


def documents() -> list[dict[str, Any]]:
    """Examples and starters as data."""
    paths = [
        *(ROOT / "examples").rglob("*.yaml"),
        *(ROOT / "templates" / "starters").glob("*.yaml"),
    ]
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(paths)]


def spoilt(model: Any, rng: random.Random) -> Any:
    """A model with a few parts moved, copied, lost, or replaced by an odd value or a payload."""
    moved = rng.random() < 0.4
    changed = mutate(model, rng) if moved else copy.deepcopy(model)
    for _ in range(rng.choice([0, 1]) if moved else rng.choice([1, 1, 1, 2, 3])):
        containers = places(changed, [])
        if not containers:
            break
        place = rng.choice(containers)
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        value = rng.choice([rng.choice(VALUES), rng.choice(VALUES), *PAYLOADS.values(), *JUNK])
        if isinstance(place, dict) and rng.random() < 0.1:
            place[rng.choice(list(PAYLOADS.values()))] = place.pop(key)
        else:
            place[key] = copy.deepcopy(value)  # a shared one would come to hold itself
    return changed


@dataclass
class Outcome:
    """What came of many inputs.

    Attributes:
        inputs, read, programs: How many there were, were accepted, were generated.
        faults: Error and place -> how often, and one input with it.
        slow: Seconds and input of each small one that took longer than it may.
    """

    inputs: int = 0
    read: int = 0
    programs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    slow: list[tuple[float, str]] = field(default_factory=list)

    def add(self, journey: Journey, text: str) -> None:
        self.inputs += 1
        self.read += journey.read
        self.programs += journey.programs
        for step, fault in journey.faults:
            kind = fault.split(": ")[0]
            self.faults[kind] += 1
            self.examples.setdefault(kind, (step, fault, text))
        slowest = max(journey.seconds.values(), default=0.0)
        if slowest > SLOW and len(text) < LARGE:
            self.slow.append((slowest, text))


def inputs(seed: int) -> Iterator[tuple[bool, str]]:
    """Endless texts: whether it is one of Keras's, and the text."""
    rng = random.Random(seed)
    keras, own = sources(), documents()
    while True:
        is_keras = rng.random() < 0.6
        model = spoilt(rng.choice(keras if is_keras else own), rng)
        text = json.dumps(model) if is_keras else written(model)
        yield is_keras, damage(text, rng) if rng.random() < 0.05 else text


def run(count: int, seed: int, seconds: float = float("inf"), form: str = "short") -> Outcome:
    """So many inputs, or as many as the time allows; ``form`` is a key of `OPTIONS`."""
    outcome = Outcome()
    end = time.monotonic() + seconds
    for is_keras, text in inputs(seed):
        if outcome.inputs >= count or time.monotonic() > end:
            return outcome
        content = text.encode("utf-8", "surrogatepass")
        outcome.add(imported(content, form) if is_keras else travel(content, form), text)
    return outcome


def main() -> None:
    limit_memory()
    outcome = run(int(sys.argv[1]), int(sys.argv[2]), float((sys.argv[3:] or ["inf"])[0]), "long")
    print(f"{outcome.inputs} inputs, {outcome.read} accepted, {outcome.programs} programs")
    for kind, count in outcome.faults.most_common():
        step, fault, text = outcome.examples[kind]
        print(f"{count} x {fault}\n    in {step}, {len(text)} characters: {text[:2000]}")
    for seconds, text in sorted(outcome.slow)[-10:]:
        print(f"{seconds:.1f} s: {text[:2000]}")


if __name__ == "__main__":
    main()
