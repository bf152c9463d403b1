"""Random blocks: the Keras code with functions does the same as the flat code, step by step."""

from __future__ import annotations

import random
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from specfmt import SpecError, analyze, loads
from specfmt.targets.keras import generate_model
from specfmt.vocab.naming import to_snake_case

COUNT = 40
"""The number of random documents."""

FIELDS = {"Dense": ["units"], "Dropout": ["rate"], "Concatenate": []}
DEFAULTS = {"activation": "linear", "use_bias": True}


class Recorder:
    """Stands in for Keras: writes down which layers are created and what they are called on."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.tensors = 0
        self.counts: Counter[str] = Counter()

    def layer(self, kind: str) -> Any:
        def create(*args: Any, **given: Any) -> Any:
            fields = dict(zip(FIELDS[kind], args, strict=False)) | given
            name = fields.pop("name", None)
            if name is None:
                base = to_snake_case(kind)
                name = f"{base}_{self.counts[base]}" if self.counts[base] else base
                self.counts[base] += 1
            fields = {key: v for key, v in fields.items() if (key, v) not in DEFAULTS.items()}
            self.log.append((kind, name, sorted(fields.items())))

            def call(x: Any) -> int:
                self.log.append((name, x))
                return self.tensor()

            return call

        return create

    def tensor(self) -> int:
        self.tensors += 1
        return self.tensors

    def run(self, code: str) -> list[Any]:
        lines = [line for line in code.splitlines() if not line.startswith(("import ", "from "))]
        layers = SimpleNamespace(**{kind: self.layer(kind) for kind in FIELDS}, Layer=object)
        keras = SimpleNamespace(
            KerasTensor=object,
            Input=lambda *args, **options: self.tensor(),
            Model=lambda inputs, outputs, name: self.log.append((inputs, outputs)),
            Sequential=lambda items, name: self.log.append(len(items)),
        )
        keras.Model.__name__ = "Model"
        space: dict[str, Any] = {"__name__": "generated", "layers": layers, "keras": keras}
        source = "\n".join(lines).replace("-> keras.Model", "")
        exec(compile(source, "generated", "exec"), space)
        space["build_model"]()
        return self.log


PARAMETERS: dict[str, list[str]] = {}
"""Block -> its parameters."""


def given(kind: str, rng: random.Random, values: dict[str, Any]) -> str:
    """Random arguments of a use of a block."""
    parts = [f"block: {kind}"]
    for name, choices in values.items():
        if name in PARAMETERS[kind] and (name == "p" or rng.random() < 0.5):
            parts.append(f"{name}: {rng.choice(choices)}")
    return ", ".join(parts)


def block_text(rng: random.Random, number: int, known: list[tuple[str, int, int]]) -> str:
    """One random block; ``known`` gets its name and the numbers of its inputs and outputs."""
    inputs = ["x"] if rng.random() < 0.7 else ["x", "other"]
    names = list(inputs)
    lines = []
    for place in range(rng.randint(1, 6)):
        name = f"l{place}" if rng.random() < 0.8 else f"{place}_l"
        named = rng.random() < 0.9
        reads = rng.choice([[], [], [rng.choice(names)]])
        parts = []
        if rng.random() < 0.3:
            parts.append("when: " + rng.choice(["$c", "$(s > 1)", "$(p != 4)", "$(not c)"]))
        if known and rng.random() < 0.3:
            kind, takes, gives = rng.choice(known)
            arguments = given(
                kind, rng, {"p": ["$p", "$(p + 1)", "3"], "s": ["$s", "2"], "c": ["$c", "true"]}
            )
            if rng.random() < 0.4:
                arguments += ", repeat: " + rng.choice(["2", "$(s + 1)"])
            if takes > 1 or reads:
                reads = [rng.choice(names) for _ in range(takes)]
            parts = [arguments, f"name: {name}", *parts]
            if reads:
                parts.append(f"inputs: [{', '.join(reads)}]")
            names.append(name)
            if gives > 1:
                names.append(f'"{name}:1"')
            lines.append(f"      - {{{', '.join(parts)}}}")
            continue
        kind = rng.choice(["Dense", "Dense", "Dropout", "Concatenate"])
        parts = [f"type: {kind}", *([f"name: {name}"] if named else []), *parts]
        if kind == "Dense":
            parts.append(
                "units: " + rng.choice(["$p", "$(2 * p)", "$(p + s)", "5", "$(p // 2 + 1)"])
            )
            parts += rng.choice([[], ["activation: $act"], ["use_bias: $c"], ["use_bias: false"]])
        if kind == "Dropout":
            parts.append("rate: " + rng.choice(["0.5", "$r"]))
        if kind == "Concatenate":
            reads = [rng.choice(names) for _ in range(2)]
        if reads:
            parts.append(
                f"inputs: [{', '.join(reads)}]" if len(reads) > 1 else f"inputs: {reads[0]}"
            )
        if named:
            names.append(name)
        lines.append(f"      - {{{', '.join(parts)}}}")
    body = "\n".join(lines)
    unread = [name for name in inputs if not re.search(rf"[\[ ]{name}[\],}}]", body)]
    if unread and (len(inputs) > 1 or "inputs" in lines[0]):
        lines.append(
            f"      - {{type: Concatenate, name: end, inputs: [{', '.join([*unread, names[-1]])}]}}"
        )
        names.append("end")
    made = [name for name in names if name not in inputs]
    gives = 1
    if len(made) > 1 and rng.random() < 0.3:
        gives = 2
        lines.append(f"    outputs: [{', '.join(rng.sample(made, 2))}]")
    known.append((f"b{number}", len(inputs), gives))
    head = f"  b{number}:\n    inputs: [{', '.join(inputs)}]\n"
    body = "\n".join(lines)
    defaults = {"p": "required", "s": "1", "c": "false", "act": "relu", "r": "0.25"}
    used = [key for key in defaults if re.search(rf"\$\(?[^}},]*\b{key}\b", body)]
    PARAMETERS[f"b{number}"] = used
    values = ", ".join(f"{key}: {defaults[key]}" for key in used)
    return f"{head}    parameters: {{{values}}}\n    layers:\n" + "\n".join(lines) + "\n"


def document(rng: random.Random) -> str:
    known: list[tuple[str, int, int]] = []
    text = "specfmt: 1\nname: m\ninputs: {start: {shape: [4]}}\nblocks:\n"
    text += "".join(block_text(rng, number, known) for number in range(rng.randint(1, 3)))
    text += "layers:\n  - {type: Dense, name: first, units: 4}\n"
    names = ["first"]
    for place in range(rng.randint(2, 6)):
        kind, takes, gives = rng.choice(known)
        arguments = given(
            kind, rng, {"p": "468", "s": "2", "c": ["true"], "act": ["gelu"], "r": ["0.5"]}
        )
        if rng.random() < 0.2:
            arguments += ", repeat: 2"
        if rng.random() < 0.85:
            arguments += f", name: u{place}"
        if takes > 1 or rng.random() < 0.2:
            arguments += f", inputs: [{', '.join(rng.choice(names) for _ in range(takes))}]"
        if "name:" in arguments:
            names.append(f"u{place}")
            if gives > 1:
                names.append(f'"u{place}:1"')
        text += f"  - {{{arguments}}}\n"
    if rng.random() < 0.8:
        text += f"  - {{type: Concatenate, name: all, inputs: [{', '.join(names)}]}}\n"
    return text


@pytest.mark.parametrize("part", range(4))
def test_the_same_calls(part: int) -> None:
    made = functions = 0
    for seed in range(part * COUNT, (part + 1) * COUNT):
        text = document(random.Random(seed))
        try:
            graph = analyze(loads(text))
        except SpecError:
            continue
        code = generate_model(graph)
        made += 1
        functions += code.count("\ndef ") - 1
        graph.items = None
        flat = generate_model(graph)
        assert Recorder().run(code) == Recorder().run(flat), f"{text}\n{code}"
    assert made > COUNT / 2
    assert functions > made / 2
