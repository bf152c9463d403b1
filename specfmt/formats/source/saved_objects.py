"""The objects, constants and assets in the ``saved_model.pb`` of a SavedModel, read on demand.

Only lookup tables are read: what they contain is the argument of the function that initializes them,
two constants of the graph or a file in ``assets``.  No operation is run.  Source:
`tensorflow/core/protobuf/meta_graph.proto`, `saved_object_graph.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final

from specfmt.formats.source.checkpoint.objects import MAX_OBJECTS
from specfmt.formats.source.folders import METADATA, SAVED_MODEL, mapped
from specfmt.formats.source.protobuf import Data, messages, numbers, packed, parts, text
from specfmt.formats.source.tensor_protos import constant

ASSETS: Final = "assets"

CHILDREN, USER, ASSET, FUNCTION, CONSTANT = 1, 4, 5, 6, 9
"""Fields of a `SavedObject`."""

MAX_ARGUMENTS: Final = 8
"""The most arguments of a function that initializes a table: it has two or three."""


class SavedObjects:
    """The objects of a SavedModel; number 0 is the model.

    Args:
        folder: The SavedModel.

    Raises:
        ValueError: A file is damaged.
        OSError: A file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: list[Data] = []
        self.functions: dict[str, Data] = {}
        meta = next(messages(mapped(folder / SAVED_MODEL), 2), b"")
        self.graphs = list(messages(meta, 2))
        self.assets = [text(parts(item).get(2, b"")) for item in messages(meta, 6)]
        for objects in messages(meta, 7):
            for node in messages(objects, 1):
                self.nodes.append(node)
                if len(self.nodes) > MAX_OBJECTS:
                    raise ValueError(f"more than {MAX_OBJECTS} objects")
            for function in map(parts, messages(objects, 2)):
                self.functions[text(function.get(1, b""))] = function.get(2, b"")

    def node(self, number: int) -> Data:
        """An object.

        Raises:
            ValueError: There is none of this number.
        """
        if not 0 <= number < len(self.nodes):
            raise ValueError("an object that does not exist")
        return self.nodes[number]

    def children(self, number: int) -> dict[str, int]:
        """The attributes of an object: name -> number."""
        found = {}
        for item in messages(self.node(number), CHILDREN):
            found[text(parts(item).get(2, b""))] = numbers(item).get(1, 0)
        return found

    @cached_property
    def descriptions(self) -> dict[int, Data]:
        """Number of an object of Keras -> its description, in JSON."""
        file = self.folder / METADATA
        if not file.is_file():
            users = ((n, messages(node, USER)) for n, node in enumerate(self.nodes))
            return {n: parts(kind).get(3, b"") for n, kinds in users for kind in kinds}
        listed = messages(mapped(file), 1)
        return {numbers(node).get(2, 0): parts(node).get(5, b"") for node in listed}

    @cached_property
    def constants(self) -> dict[str, Data]:
        """Name -> the tensor of each constant of the graph."""
        found: dict[str, Data] = {}
        for graph in self.graphs:
            for node in messages(graph, 1):
                if not any(text(op) == "Const" for op in messages(node, 2)):
                    continue
                name = "".join(map(text, messages(node, 1)))
                for attribute in map(parts, messages(node, 5)):
                    if text(attribute.get(1, b"")) == "value":
                        found[name] = parts(attribute.get(2, b"")).get(8, b"")
        return found

    def table(self, number: int) -> bytes | list[list[Any]]:
        """What a lookup table is initialized with: the content of a file, or keys and values.

        Raises:
            ValueError: A file is damaged or missing.
        """
        found: list[list[Any]] = []
        for argument in self._arguments(self.children(number).get("_initialize", -1)):
            node = parts(self.node(argument))
            if ASSET in node:
                return self._asset(numbers(node[ASSET]).get(1, 0))
            if CONSTANT in node:
                operation = text(parts(node[CONSTANT]).get(1, b""))
                found.append(constant(self.constants.get(operation, b"")))
        return found

    def _arguments(self, number: int) -> Iterator[int]:
        """The numbers of the objects that a function uses."""
        for function in messages(self.node(number), FUNCTION):
            for name in messages(function, 1):
                for bound in messages(self.functions.get(text(name), b""), 2):
                    yield from islice(packed(bound), MAX_ARGUMENTS)
                return

    def _asset(self, number: int) -> bytes:
        """The content of a file in the folder ``assets``."""
        if number >= len(self.assets):
            raise ValueError("an asset that does not exist")
        name = self.assets[number]
        if PurePosixPath(name.replace("\\", "/")).name != name or ":" in name or name == "..":
            raise ValueError("an asset outside the folder of assets")
        try:
            return bytes(mapped(self.folder / ASSETS / name))
        except OSError as error:
            raise ValueError(f"an asset that cannot be read: {error.strerror}") from error
