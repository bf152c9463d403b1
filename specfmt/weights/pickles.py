"""A safe reader for the pickle in a ``.pt`` file, which knows tensors and calls nothing.

Python's `pickle` calls the functions that a pickle names, and hashes any value as a key; so a
malicious pickle can run code or exhaust memory and stack.  This reader interprets the opcodes of
`pickletools`, knows the few names that PyTorch and Lightning write, and refuses all others.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

STORAGES: Final = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


class UnsafeError(Exception):
    """The pickle names a function or class that would be called."""


class PickleError(ValueError):
    """The pickle is damaged."""


class Storage(NamedTuple):
    """A storage that the pickle refers to: its dtype and the archive member with its data."""

    kind: str
    member: str


class View(NamedTuple):
    """A tensor: a view of a storage with offset, shape and strides."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Name(NamedTuple):
    """A known function or class in the pickle."""

    module: str
    name: str


def _mapping(*_: Any) -> dict[Any, Any]:
    return {}


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> View:
    """The view that `torch._utils._rebuild_tensor_v2` would build."""
    if not isinstance(storage, Storage):
        raise PickleError("a tensor without a storage")
    if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
        raise PickleError("a tensor whose strides do not match its shape")
    if not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
        raise PickleError("a tensor whose sizes are not integers")
    return View(storage, offset, shape, strides)


def _parameter(view: Any = None, *_: Any) -> Any:
    return view


LIGHTNING: Final = (
    "lightning_fabric.utilities.data",
    "lightning.fabric.utilities.data",
    "pytorch_lightning.utilities.parsing",
    "lightning.pytorch.utilities.parsing",
)
"""The modules of the mapping in which a Lightning checkpoint stores hyperparameters."""

FUNCTIONS: Final[dict[Name, Callable[..., Any]]] = {
    Name("collections", "OrderedDict"): _mapping,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch._utils", "_rebuild_parameter"): _parameter,
    **{Name(module, "AttributeDict"): _mapping for module in LIGHTNING},
}
KINDS: Final = {Name("torch", name): kind for name, kind in STORAGES.items()}

PLAIN: Final = frozenset(
    "BININT BININT1 BININT2 INT LONG LONG1 LONG4 BINFLOAT FLOAT BINUNICODE SHORT_BINUNICODE "
    "BINUNICODE8 UNICODE BINSTRING SHORT_BINSTRING STRING BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
"""Opcodes that push their argument."""

VALUES: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
GETS: Final = ("BINGET", "LONG_BINGET", "GET")
PUTS: Final = ("BINPUT", "LONG_BINPUT", "PUT")
Item = TypeVar("Item")


def load(data: bytes) -> Any:
    """The value of a pickle: mappings, lists, tuples, plain values and `View`s.

    Raises:
        UnsafeError: It names anything other than parts of tensors.
        PickleError: It is damaged.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return machine.pop(object)
            machine.step(opcode.name, argument)
    except (ValueError, LookupError, TypeError, OverflowError, SyntaxError) as error:
        raise PickleError(str(error)) from error
    raise PickleError("it has no STOP opcode")


class _Machine:
    """The pickle virtual machine: the stack, its marks, and the memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode."""
        if name in PLAIN:
            self.stack.append(argument)
        elif name in VALUES:
            self.stack.append(VALUES[name])
        elif name in PUTS:
            self.memo[argument] = self.top(object)
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top(object)
        elif name in GETS:
            self.stack.append(self.memo[argument])
        elif name in TUPLES:
            self.stack.append(tuple(self.take(TUPLES[name])))
        elif name not in ("PROTO", "FRAME"):
            method = getattr(self, f"on_{name.lower()}", None)
            if method is None:
                raise UnsafeError(f"a pickle with {name}")
            if name == "GLOBAL":
                method(argument)
            else:
                method()

    # -- the stack -------------------------------------------------------------------------

    def top(self, kind: type[Item]) -> Item:
        """The top of the stack."""
        if not self.stack or (self.marks and self.marks[-1] == len(self.stack)):
            raise PickleError("its stack is empty")
        value = self.stack[-1]
        if not isinstance(value, kind):
            raise PickleError(f"expected a {kind.__name__}, received a {type(value).__name__}")
        return value

    def pop(self, kind: type[Item]) -> Item:
        """Pop the top of the stack."""
        value = self.top(kind)
        del self.stack[-1]
        return value

    def take(self, count: int) -> list[Any]:
        """Pop the last ``count`` values, in order."""
        return [self.pop(object) for _ in range(count)][::-1]

    def take_marked(self) -> list[Any]:
        """Pop the values since the last mark."""
        if not self.marks:
            raise PickleError("a mark is missing")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    # -- containers ------------------------------------------------------------------------

    def on_mark(self) -> None:
        self.marks.append(len(self.stack))

    def on_empty_dict(self) -> None:
        self.stack.append({})

    def on_empty_list(self) -> None:
        self.stack.append([])

    on_empty_set = on_empty_list

    def on_tuple(self) -> None:
        self.stack.append(tuple(self.take_marked()))

    def on_list(self) -> None:
        self.stack.append(self.take_marked())

    def on_dict(self) -> None:
        values = self.take_marked()
        self.stack.append({})
        self._set(values)

    def on_append(self) -> None:
        value = self.pop(object)
        self.top(list).append(value)

    def on_appends(self) -> None:
        values = self.take_marked()
        self.top(list).extend(values)

    on_additems = on_appends

    def on_setitem(self) -> None:
        self._set(self.take(2))

    def on_setitems(self) -> None:
        self._set(self.take_marked())

    def _set(self, values: list[Any]) -> None:
        target = self.top(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Other keys are never needed, and hashing a deeply nested tuple overflows the stack.
            if type(key) not in (str, int, float, bool, type(None)):
                raise PickleError(f"a {type(key).__name__} as a key")
            target[key] = value

    # -- tensors ---------------------------------------------------------------------------

    def on_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(Name(module, name))

    def on_stack_global(self) -> None:
        name, module = self.pop(str), self.pop(str)
        self._name(Name(module, name))

    def _name(self, name: Name) -> None:
        if name not in FUNCTIONS and name not in KINDS:
            raise UnsafeError(f"a pickle that calls {name.module}.{name.name}")
        self.stack.append(name)

    def on_reduce(self) -> None:
        arguments, name = self.pop(tuple), self.pop(object)
        if type(name) is not Name or name not in FUNCTIONS:
            raise UnsafeError(f"a pickle that calls a {type(name).__name__}")
        self.stack.append(FUNCTIONS[name](*arguments))

    def on_newobj(self) -> None:
        """A mapping of hyperparameters; PyTorch does not use this opcode for tensors."""
        arguments, name = self.pop(tuple), self.pop(object)
        if type(name) is not Name or name.module not in LIGHTNING or arguments:
            raise UnsafeError("a pickle with NEWOBJ")
        self.stack.append({})

    def on_build(self) -> None:
        """Ignore the attributes of an `OrderedDict`; nothing else may have any."""
        self.pop(object)
        if type(self.top(object)) is not dict:
            raise UnsafeError("a pickle that sets attributes of a tensor")

    def on_binpersid(self) -> None:
        word, name, member, *_ = self.pop(tuple)
        if word != "storage" or type(name) is not Name or name not in KINDS:
            raise PickleError("a storage of an unknown dtype")
        if type(member) is not str:
            raise PickleError("a storage without a name")
        self.stack.append(Storage(KINDS[name], member))
