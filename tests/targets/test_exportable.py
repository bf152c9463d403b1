"""Generated modules go through `torch.export` and `torch.jit.trace`, for inputs of any size.

Every module is exported for any batch, and again, from the same case with open axes, for any
time and space. What PyTorch itself cannot follow is in `LIMITS`, with its own words; a module
there that passes fails the test as one that is not there and does not pass.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfmt.diagnostics import SpecError
from tests.tools.harness import Case, as_list, build_graph, channels_first, execute, random_inputs

ALL = bool(os.environ.get("SPECFMT_ALL_CASES"))
"""Whether every different module is exported, not one of each kind."""


@dataclass(frozen=True)
class Limit:
    """What PyTorch cannot follow.

    Attributes:
        code: Found in the modules that it is about (a regular expression).
        says: What PyTorch answers (a regular expression).
        why: The reason, in plain words.
        program: "export" or "trace".
        fixed: Whether it is so for a batch of any size too; else only for open time or space.
    """

    code: str
    says: str
    why: str
    program: str = "export"
    fixed: bool = False


SPECIALIZED = "specialized it to be a constant"
LIMITS = (
    Limit(r"nn\.(LSTM|GRU|RNN)\(", SPECIALIZED, "torch.export unrolls recurrent layers"),
    Limit(r"def (scan|each)_steps?\(", SPECIALIZED, "torch.export unrolls loops"),
    Limit(
        r"max_pool1d|nn\.MaxPool1d", f"{SPECIALIZED}|Guard failed", "max_pool1d fixes the length"
    ),
    Limit(
        r"_pool\dd\(\w+, 2, stride=3, ceil_mode=True",
        "Guard failed",
        "ceil_mode asks whether the last window begins inside",
    ),
    Limit(
        r"\.reshape\([^()]*, 3, 4, -1\)",
        "Guard failed",
        "a reshape of an open size asks what it divides by",
    ),
    Limit(r"\.tensor_split\(3", "Guard failed", "parts of an open size ask how many are larger"),
    Limit(r"matrix_norm\(", SPECIALIZED, "matrix_norm fixes all sizes", fixed=True),
    Limit(r"take_along_dim\(", SPECIALIZED, "take_along_dim fixes all sizes", fixed=True),
    Limit(
        r"def bincount",
        "data-dependent|DataDependent",
        "a size that depends on the data",
        fixed=True,
    ),
    Limit(r"torch\.kron\(", SPECIALIZED, "kron fixes all sizes", fixed=True),
    Limit(r"torch\.corrcoef\(", "DataDependentOutput", "corrcoef compares values", fixed=True),
    Limit(r"F\.ctc_loss\(", "DynamicOutputShape", "ctc_loss takes lengths as numbers", fixed=True),
    Limit(r"\.view\(torch\.", "report a bug to PyTorch", "no view of bytes", "trace", fixed=True),
    Limit(
        r"IntegerLookup\([^)]*unknown=0",
        "Could not guard on data-dependent expression",
        "an error that depends on the data has no place in a graph",
        fixed=True,
    ),
    Limit(
        r"def keyed_hash|def fingerprint",
        r"\.numpy\(\) is not supported",
        "no text in tensors",
        fixed=True,
    ),
    Limit(
        r"def keyed_hash|def fingerprint",
        "other numbers",
        "no text in tensors",
        "trace",
        fixed=True,
    ),
    Limit(
        r"def hashed_integers",
        "unhashable type: non-nested SymInt",
        "the digits of a number are text",
        fixed=True,
    ),
    Limit(
        r"def hashed_integers",
        "failed in the TorchScript interpreter|other numbers",
        "the digits of a number are text",
        "trace",
        fixed=True,
    ),
    Limit(r"\.bool\(\) & True", "report a bug to PyTorch", "no `&` of bool", "trace", fixed=True),
)

ONE_BATCH = {
    # Keras lines up axes from the last: the batch of one operand meets another axis of the other.
    "multiply(inputs=['in0','in1'])-(3,6,3)x(6,3)",
    "tensordot(inputs=['in0','in1'],axes=1)-(4,3)x(5,)",
    "broadcast_to(inputs=['e'],shape=[3,5,4])-4",
    # Constant indices say something of each sample.
    *(f"segment_{kind}-sorted" for kind in ("sum", "max", "min", "prod")),
    *(
        f"segment_{kind}-{case}"
        for kind in ("sum", "max", "min", "prod")
        for case in ("(2,)-float32", "(2, 3)-float32", "(2,)-int32")
    ),
    "segment_max-open",
    "scatter-rows",
    "scatter_update-rows-{}",
    *(f"scatter_update-rows-{{'reduction': '{kind}'}}" for kind in ("add", "max", "min", "mul")),
}


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    """Without the records of each step of an export, which would be half of the time."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def families() -> list[str]:
    from tests import cases

    return sorted(path.stem for path in Path(cases.__path__[0]).glob("[a-z]*.py"))


def cases_of(family: str) -> list[Case]:
    """The cases that PyTorch expresses with tensors, of any batch size."""
    found: list[Case] = import_module(f"tests.cases.{family}").CASES
    return [
        case
        for case in found
        if case.torch
        and "string" not in case.dtypes
        and "'stateful': True" not in str(case.entries)
    ]


def opened(case: Case) -> Case | None:
    """The case with open time and space; an axis of one is kept, as PyTorch takes it for constant."""
    first = "channels_first" in str(case.entries)
    shapes = case.input_shapes()
    dtypes = (*case.dtypes, *("float32",) * len(shapes))
    inner = [  # numbers of words have no features
        range(first, len(s) if first or "int" in dtype else max(len(s) - 1, 1))
        for s, dtype in zip(shapes, dtypes, strict=False)
    ]
    new = [
        tuple(None if k in axes and size != 1 else size for k, size in enumerate(shape))
        for shape, axes in zip(shapes, inner, strict=True)
    ]
    if all(None not in shape for shape in new):
        return None
    return replace(case, shapes=tuple(new), name=f"{case} as {new}")


@dataclass
class Program:
    """A module, an example, the open axes of each input, inputs of another batch and of all sizes."""

    name: str
    code: str
    module: Any
    example: tuple[Any, ...]
    axes: tuple[tuple[int, ...], ...]
    larger: tuple[Any, ...]
    other: tuple[Any, ...]
    is_open: bool

    def limits(self, how: str) -> list[Limit]:
        """What PyTorch cannot do with it."""
        return [
            limit
            for limit in LIMITS
            if limit.program == how
            and (limit.fixed or self.is_open)
            and re.search(limit.code, self.code)
        ]


def kind_of(run: Program) -> str:
    """A module without its sizes, names, comments and initial values; the helpers by name.

    What PyTorch cannot follow is one kind for each reason and helper.
    """
    helpers, _, body = run.code.partition("class Case(")
    body = re.sub(r'"""(.|\n)*?"""|#.*', "", body).partition("def build_model")[0]
    body = re.sub(r"    def reset_parameters(.|\n)*?(?=\n    def )", "", body)
    body = re.sub(r"\b(x|in\d+|o\d+|[a-z]\w*_\d+)\b", "x", body)
    body = re.sub(r"\b\d+(\.\d+)?(e[-+]?\d+)?\b", "0", body)
    names = re.findall(r"^(?:class|def) \w+", helpers, re.M)
    if run.is_open and (limits := run.limits("export")):
        return " ".join([limit.code for limit in limits] + names)
    return " ".join(names + body.split())


def program(case: Case, source: Case) -> Program | None:
    """The program of a case, whose data are those of ``source``; None if there is none."""
    import torch

    from specfmt.graph.build import build
    from specfmt.spec.document import parse_document
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import is_channels_first

    spec, problems = parse_document(case.document())
    graph, found = build(spec)
    if problems or found:
        return None
    try:
        code = torch_target.generate_model(graph, style="subclass")
    except SpecError:
        return None  # needs a size that is open here
    module = execute(code).eval()
    stays = is_channels_first(graph)
    data = random_inputs(source)
    if any(len(x) == 1 for x in data):  # a batch of one is exported as that size, not as any
        data = [np.concatenate([x, np.flip(x), x]) for x in data]
    axes = [[k for k, size in enumerate(s, 1) if size is None] for s in case.input_shapes()]
    is_open = case is not source

    def arranged(times: float, more: int) -> tuple[Any, ...]:
        """The data with every open axis so many times as long, and so much longer."""
        arrays = [
            stretched(x, {k: int(x.shape[k] * times) + more for k in ks} if is_open else {})
            for x, ks in zip(data, axes, strict=True)
        ]
        if more:
            arrays = [stretched(x, {0: len(x) + more}) for x in arrays]
        return tuple(torch.tensor(channels_first(x, stays).copy()) for x in arrays)

    def fits(inputs: tuple[Any, ...]) -> bool:
        """Whether the module takes inputs as they are, each of the batch for itself."""
        try:
            outputs = as_list(module(*inputs))
        except (RuntimeError, IndexError):
            return False
        return all(y.ndim and len(y) == len(inputs[0]) for y in outputs)

    times = 2 if max(x.ndim for x in data) < 4 else 3  # no size that the module has by chance
    example, other = arranged(times, 0), arranged(times, 1)
    if not fits(other):  # sizes with a common divisor, as a reshape needs
        other = one_more(arranged(times + 1, 0))
    if is_open and not (fits(example) and fits(other)):
        return None
    places = [
        moved_axes(ks if is_open else [], x.ndim, stays) for ks, x in zip(axes, data, strict=True)
    ]
    larger = one_more(example)
    return Program(
        str(case),
        code,
        module,
        example,
        tuple(places),
        larger,
        other if is_open else larger,
        is_open,
    )


def one_more(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """A batch that is larger by one."""
    import torch

    return tuple(torch.cat([x, x[:1]]) for x in inputs)


def stretched(array: np.ndarray, sizes: dict[int, int]) -> np.ndarray:
    """The array with axes of other sizes, its values again from the start."""
    for axis, size in sizes.items():
        array = np.take(array, np.arange(size) % array.shape[axis], axis)
    return array


def moved_axes(axes: list[int], rank: int, stays: bool) -> tuple[int, ...]:
    """Where Keras's axes stand in the inputs of a generated module; the batch besides."""
    first = [k if stays or rank not in (4, 5) else 1 if k == rank - 1 else k + 1 for k in axes]
    return (0, *first)


def failure(run: Program, how: str) -> str:
    """What PyTorch says to an exported or traced program; nothing if it gives the same."""
    import torch
    from torch.export import Dim, export

    inputs = run.other if how == "export" else run.larger
    expected = as_list(run.module(*inputs))
    dynamic = tuple(dict.fromkeys(axes, Dim.DYNAMIC) for axes in run.axes)
    try:
        made = (
            torch.jit.trace(run.module, run.example, check_trace=False)
            if how == "trace"
            else export(run.module, run.example, dynamic_shapes=dynamic, strict=False).module()
        )
        got = as_list(made(*inputs))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    same = all(
        ours.shape == theirs.shape
        and torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6, equal_nan=True)
        for ours, theirs in zip(expected, got, strict=True)
    )
    return "" if same else "other numbers"


def complaints(run: Program) -> list[str]:
    """Where a program and the list of limits disagree."""
    found = []
    for how in ("export", "trace"):
        said = failure(run, how)
        limits = run.limits(how)
        if limits and not said:
            found.append(f"{run.name}: {how} passes, but the list says: {limits[0].why}")
        if said and not any(re.search(limit.says, said) for limit in limits):
            found.append(f"{run.name}: {how} says {said[:600]}")
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", families())
def test_modules_take_any_size(family: str) -> None:
    """An exported and a traced module give the module's own outputs at other sizes."""
    seen: set[tuple[str, bool]] = set()
    found: list[str] = []
    for source in cases_of(family):
        if str(source) in ONE_BATCH:
            continue
        for case in (opened(source), source):
            run = program(case, source) if case else None
            if run is None:
                continue
            kind = run.code if ALL else kind_of(run)
            if (kind, run.is_open) in seen:
                continue
            found += complaints(run)
            seen.add((kind, run.is_open))
            if not run.limits("export"):  # what passes with open axes passes with fixed ones
                seen.add((kind, False))
    assert seen
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_limits_are_those_of_bare_pytorch() -> None:
    """What the list says of sizes, PyTorch says of its own layers and functions alone."""
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch.export import Dim, export

    class Bare(nn.Module):
        def __init__(self, call: Any) -> None:
            super().__init__()
            self.call = call

        def forward(self, x: torch.Tensor) -> Any:
            return self.call(x)

    x, every = torch.randn(3, 7, 4), {0: Dim.DYNAMIC, 1: Dim.DYNAMIC, 2: Dim.STATIC}
    last = {0: Dim.DYNAMIC, 1: Dim.STATIC, 2: Dim.DYNAMIC}
    for call, axes in (
        (nn.LSTM(4, 2, batch_first=True), every),
        (nn.GRU(4, 2, batch_first=True), every),
        (nn.RNN(4, 2, batch_first=True), every),
        (lambda x: torch.stack(x.unbind(1)), every),
        (lambda x: F.max_pool1d(x, 2), last),
        (lambda x: torch.linalg.matrix_norm(x, 1), every),
        (lambda x: torch.take_along_dim(x, (x > 0).long(), dim=1), every),
    ):
        with pytest.raises(Exception, match=SPECIALIZED):
            export(Bare(call), (x,), dynamic_shapes=(axes,), strict=False)


@pytest.mark.slow
def test_modules_of_one_batch_take_no_other() -> None:
    """What is left out of the test of all sizes cannot run with them."""
    named = {str(case): case for family in families() for case in cases_of(family)}
    for name in ONE_BATCH:
        run = program(named[name], named[name])
        assert run is not None
        with pytest.raises(RuntimeError):
            run.module(*run.larger)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("zero_masked", [False, True])
def test_steps_of_a_masked_layer_are_those_of_packed_sequences(
    kind: str, bidirectional: bool, zero_masked: bool
) -> None:
    """Padding at either end, gaps, nothing at all: outputs, states and gradients agree."""
    import torch
    from torch import nn

    from specfmt.targets import torch as torch_target

    masked = [
        {"type": "Embedding", "input_dim": 9, "output_dim": 3, "mask_zero": True},
        {"type": "LSTM", "units": 4},
    ]
    code = torch_target.generate_model(
        build_graph(Case(masked, (6,), dtypes=("int32",)).document())
    )
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated.py", "exec"), names)
    torch.manual_seed(0)
    layer = getattr(nn, kind)(3, 4, batch_first=True, bidirectional=bidirectional)
    mask = torch.tensor(
        [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [0] * 5, [1] * 5]
    ).bool()
    one = torch.randn(1 + bidirectional, 6, 4)
    for state in (None, (one, -one) if kind == "LSTM" else one):
        found = []
        for run in (names["masked_rnn"], names["masked_steps"]):
            x = torch.arange(90.0).reshape(6, 5, 3).sin().requires_grad_()
            out, last = run(layer, x, mask, state, zero_masked)
            if bidirectional and not zero_masked:
                out = out[..., :4]  # Keras's two directions always put zeros at masked steps
            ends = last if isinstance(last, tuple) else (last,)
            layer.zero_grad()
            total = (out * out).sum() + sum((end * end).sum() for end in ends)
            total.backward()
            found.append([out, *ends, x.grad, *(p.grad.clone() for p in layer.parameters())])
        for ours, theirs in zip(*found, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
