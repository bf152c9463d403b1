"""Random models with planted repeats, shared layers, branches and several outputs."""

from __future__ import annotations

import random
from typing import Any

from specfmt.layers.naming import Namer

Entry = dict[str, Any]


class RandomSpec:
    """One random model as plain data, whose tensors are all (batch, 8, 8, 4)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.layers: list[Entry] = []
        self.tensors = ["image"]
        self.style = self.random.choice(["named", "numbered", "automatic", "mixed"])
        self.count = 0
        self.namer = Namer()

    def data(self) -> dict[str, Any]:
        """The document."""
        motifs = [self.motif() for _ in range(self.random.randint(1, 3))]
        for number in range(self.random.randint(2, 9)):
            kind = self.random.random()
            if kind < 0.6:
                self.plant(self.random.choice(motifs), number)
            elif kind < 0.7:
                self.add({"type": "Activation", "activation": "tanh"}, self.tensors[-1])
            elif kind < 0.8:
                self.add({"type": "Add"}, self.some(2))
            elif kind < 0.85 and (convs := [e for e in self.layers if "kernel_size" in e]):
                shared = self.random.choice(convs)
                place = next(k for k, e in enumerate(self.layers) if e is shared)
                self.add({"reuse": self.tensors[place + 1]}, self.tensors[-1])
            else:
                self.add({"op": "multiply"}, [self.tensors[-1], 2.0])
        outputs = self.some(self.random.choice([1, 1, 2, 3]))
        result: dict[str, Any] = {
            "specfmt": 1,
            "inputs": {"image": {"shape": [8, 8, 4]}},
            "layers": self.layers,
        }
        if self.random.random() < 0.7:
            result["outputs"] = outputs[0] if len(outputs) == 1 else list(dict.fromkeys(outputs))
        return result

    def some(self, count: int) -> list[str]:
        """Tensors made so far, recent ones more often."""
        recent = self.tensors[-4:] if self.random.random() < 0.8 else self.tensors
        return [self.random.choice(recent[-(1 if n == 0 else 4) :]) for n in range(count)]

    def add(self, entry: Entry, inputs: Any, name: str = "") -> str:
        """Add an entry and say its name."""
        self.count += 1
        if self.style in ("named", "numbered"):
            name = name or f"node{self.count}"
        tag = next(iter(entry))
        rest = {key: value for key, value in entry.items() if key != tag}
        written = {"name": name} if name else {}
        self.layers.append({tag: entry[tag], **written, **rest, "inputs": inputs})
        reused = entry["reuse"] if tag == "reuse" else None
        kind = "Multiply" if tag == "op" else str(entry[tag])
        self.tensors.append(self.namer.name(kind, name or None, reused))
        return self.tensors[-1]

    def motif(self) -> list[tuple[Entry, list[int]]]:
        """Entries, each with the places of what it reads in the motif; -1 is the input."""
        found: list[tuple[Entry, list[int]]] = []
        for place in range(self.random.randint(2, 6)):
            before = self.random.choice(
                [place - 1, place - 1, place - 1, self.random.randint(-1, place - 1)]
            )
            kind = self.random.choice(["conv", "bn", "act", "add", "drop"])
            if kind == "add" and place:
                found.append(({"type": "Add"}, [self.random.randint(-1, place - 1), place - 1]))
            elif kind == "conv":
                conv = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
                found.append((conv, [before]))
            elif kind == "bn":
                found.append(({"type": "BatchNormalization"}, [before]))
            elif kind == "drop":
                found.append(({"type": "Dropout", "rate": 0.5}, [before]))
            else:
                found.append(({"type": "Activation", "activation": "relu"}, [before]))
        return found

    def plant(self, motif: list[tuple[Entry, list[int]]], number: int) -> None:
        """Add a motif once or a few times in a row, with other values."""
        for again in range(self.random.choice([1, 2, 3, 5])):
            start = self.tensors[-1]
            made: list[str] = []
            if self.random.random() < 0.1:
                start = self.random.choice(self.tensors)
            kernel, rate = self.random.choice([1, 3]), self.random.choice([0.1, 0.2])
            for place, (entry, reads) in enumerate(motif):
                varied = dict(entry)
                if "kernel_size" in varied:
                    varied["kernel_size"] = kernel
                if "rate" in varied:
                    varied["rate"] = rate
                names = [start if read < 0 else made[read] for read in reads]
                inputs = names[0] if len(names) == 1 else names
                made.append(self.add(varied, inputs, self.name(varied, number, again, place)))

    def name(self, entry: Entry, number: int, again: int, place: int) -> str:
        """The name of a motif's entry in this model's way of naming."""
        style = self.style
        if style == "mixed":
            style = self.random.choice(["named", "named", "named", "odd", "automatic"])
        if style == "named":
            return f"stage{number}_block{again}_{place}_{str(entry['type']).lower()}"
        if style == "numbered":
            return f"{str(entry['type']).lower()}_{self.count}"
        return "" if style == "automatic" else f"node{self.count}"
