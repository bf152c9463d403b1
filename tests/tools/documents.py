"""Random documents made from the JSON Schema itself, right ones and slightly wrong ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from specfmt.reference.json_schema import schema_file

JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 3.0, 0.5, -0.5, 1e-7, 1.5, 10**18, 10**400, 1e308, -1e308,
    "", " ", "x", "x:1", "a/b", "a\nb", "a\n", "\n", "3", "true", "null", "same", "relu", "zeros",
    "mse", "sgd", "full", "auto", "é", "\u2028", "\x85", "\x00", "LSTM", "Dense", "Model", "Adam",
    "0", "²", "01", "-1", "a" * 300,
    [], [0], [1], [-1], [2, 2], [2.0, 2], [True, 2], [1, 2, 3], [None], [None, 4], ["x"], [[]], [[1, 1]],
    [[1, 1], [1, 2]], ["x", 3], [0.5], [1e-3, 2],
    {}, {"type": "Dense"}, {"type": "Dense", "units": 3}, {"type": "LSTM", "units": 2}, {"type": None},
    {"type": []}, {"type": "relu"}, {"type": "l2", "l2": 0.1}, {"type": "Nonsense"}, {"a": "b"}, {"a": 1},
    {"0": 1.0}, {"const": "x"}, {"x": None}, {"shape": [4]}, {"units": 3}, {"a": ["x"]}, {"a": [[1]]},
    {"rmax": 1.0}, {"slice": [None, 2]}, {"ellipsis": True}, {"ellipsis": 1}, {"slice": 3}, {"": "x"},
)  # fmt: skip
KEYS = (
    "name",
    "type",
    "units",
    "inputs",
    "dtype",
    "nonsense",
    "lr",
    "input_shape",
    "op",
    "reuse",
    "",
)
STRINGS = (
    "x",
    "a",
    "features",
    "x:1",
    "hidden_1",
    "a.b.C",
    "Class",
    ",",
    "val_loss",
    "0",
    "ij,jk->ik",
)


@cache
def committed_schema() -> dict[str, Any]:
    """The schema from its file, which `test_the_committed_schema_is_fresh` holds to the code's.

    The code takes a second to make it, and every process of a test run wants it.
    """
    found: dict[str, Any] = json.loads(schema_file().read_text(encoding="utf-8"))
    return found


class Documents:
    """Makes values that a schema accepts (mostly), and changes them at random."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self.defs = schema["$defs"]

    def sample(self, schema: dict[str, Any], random: Random, depth: int = 0) -> Any:
        """A value that fits the schema, unless a pattern or a `not` gets in the way."""
        if "$ref" in schema:
            return self.sample(self.defs[schema["$ref"].removeprefix("#/$defs/")], random, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return random.choice(schema["enum"])
        if "anyOf" in schema:
            return self.sample(random.choice(schema["anyOf"]), random, depth)
        if "allOf" in schema:
            branches = [item["then"] for item in schema["allOf"] if "$ref" in item["then"]]
            return self.sample(random.choice(branches), random, depth)
        kind = schema.get("type")
        kind = random.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            return self._object(schema, random, depth)
        if kind == "array":
            low = schema.get("minItems", 0)
            high = schema.get("maxItems", low + (2 if depth < 5 else 0))
            items = schema.get("items", {})
            return [self.sample(items, random, depth + 1) for _ in range(random.randint(low, high))]
        return self._scalar(kind, schema, random)

    def _object(self, schema: dict[str, Any], random: Random, depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        found: dict[str, Any] = {}
        for key, item in schema.get("properties", {}).items():
            if key in required or random.random() < (0.2 if depth < 5 else 0.0):
                found[key] = self.sample(item, random, depth + 1)
        extra = schema.get("additionalProperties", {})
        low = schema.get("minProperties", 0)
        if extra is not False and (low or "properties" not in schema):
            digits = "pattern" in schema.get("propertyNames", {}) and "0-9" in str(
                schema["propertyNames"]
            )
            for number in range(low, low + random.randint(0, 1) + 1 if depth < 5 else low):
                key = str(number) if digits else random.choice(STRINGS)
                found[key] = self.sample(extra, random, depth + 1)
        return found

    def _scalar(self, kind: str | None, schema: dict[str, Any], random: Random) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return random.random() < 0.5
        if kind == "string":
            return random.choice(STRINGS)
        if kind is None:
            return random.choice(JUNK)
        low = schema.get("minimum", schema.get("exclusiveMinimum", -3))
        high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 0) + 4))
        if kind == "integer":
            number = random.randint(int(low), int(min(high, low + 5)))
            return float(number) if random.random() < 0.1 else number
        return random.choice([low, high, (low + high) / 2, 1, 0.5])

    def mutate(self, value: Any, random: Random) -> Any:
        """The value with one change: another value, a key or an item less or more."""
        value = copy.deepcopy(value)
        places = list(_places(value))
        holder, key = random.choice(places)
        if holder is None:
            return random.choice(JUNK)
        choice = random.random()
        if choice < 0.2:
            del holder[key]
        elif choice < 0.3 and isinstance(holder, dict):
            holder[random.choice(KEYS)] = random.choice(JUNK)
        elif choice < 0.4 and isinstance(holder, dict):
            holder[f"{key}s"] = holder.pop(key)
        elif choice < 0.5 and isinstance(holder, list):
            holder.insert(key, random.choice(JUNK))
        else:
            holder[key] = random.choice(JUNK)
        return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value as its holder and key; the whole value has no holder."""
    yield None, None
    stack = [value]
    while stack:
        holder = stack.pop()
        if isinstance(holder, dict):
            keys: list[Any] = list(holder)
        elif isinstance(holder, list):
            keys = list(range(len(holder)))
        else:
            continue
        for key in keys:
            yield holder, key
            stack.append(holder[key])
