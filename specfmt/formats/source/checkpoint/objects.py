"""The objects that own the tensors of a checkpoint of TensorFlow 2: models, layers, variables.

Source: `tensorflow/core/protobuf/trackable_object_graph.proto`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from specfmt.formats.source.protobuf import fields, messages, numbers, parts, text

OBJECTS: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The key of the objects that own the tensors, in checkpoints of TensorFlow 2."""

VALUE: Final = "VARIABLE_VALUE"
"""What is saved of a variable."""

MAX_OBJECTS: Final = 200_000
VISITS: Final = 16
"""How often an object may be visited, on average: shared layers are visited several times."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object that was saved: a model, a layer, a variable.

    Attributes:
        children: Attribute name -> number of the object, in the order in which they were set.
        tensors: Name of what was saved -> (key of the tensor, name of the variable).
    """

    children: dict[str, int]
    tensors: dict[str, tuple[str, str]]


class Objects:
    """The objects of a checkpoint, read on demand; number 0 is the one that was saved.

    Args:
        data: The message `TrackableObjectGraph` of `trackable_object_graph.proto`.
        fail: Raises an error about the file, with the reason.

    Raises:
        SpecError: The message is damaged.
    """

    def __init__(self, data: bytes, fail: Callable[[object], Any]) -> None:
        self.fail = fail
        self.known: dict[int, Object] = {}
        self.nodes: list[Any] = []
        try:
            for node in messages(memoryview(data), 1):
                self.nodes.append(node)
                if len(self.nodes) > MAX_OBJECTS:
                    raise ValueError(f"more than {MAX_OBJECTS} objects")
        except ValueError as error:
            fail(error)
        self.visits = VISITS * len(self.nodes) + 1000

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, number: int) -> Object:
        self.visits -= 1
        if self.visits < 0:
            self.fail("its objects refer to each other too often")
        if number not in self.known:
            try:
                self.known[number] = _object(self.nodes[number])
            except (ValueError, IndexError, KeyError, TypeError) as error:
                self.fail(error)
        return self.known[number]


def _object(data: Any) -> Object:
    children: dict[str, int] = {}
    tensors: dict[str, tuple[str, str]] = {}
    for number, value in fields(data):
        if number not in (1, 2) or isinstance(value, int):
            continue
        found = parts(value)
        if number == 1:
            children[text(found.get(2, b""))] = numbers(value).get(1, 0)
        else:
            name, full, key = (text(found.get(i, b"")) for i in (1, 2, 3))
            tensors[name] = (key, full)
    return Object(children, tensors)
