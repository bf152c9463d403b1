"""Generated modules go through `torch.export` and `torch.jit.trace`, for batches of any size."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness import Case, as_list, build_graph, channels_first, execute, random_inputs

EVERY = 1 if os.environ.get("SPECFMT_ALL_CASES") else 14
"""Exporting a module takes a second or more, most of a recurrent one's loop."""


NOT_ANY_BATCH = {
    # Keras lines up axes from the last: the batch of one operand meets the other's second axis.
    "multiply(inputs=['in0','in1'])-(3,6,3)x(6,3)",
}


def families() -> list[str]:
    from tests import cases

    return sorted(path.stem for path in Path(cases.__path__[0]).glob("[a-z]*.py"))


def exportable(family: str) -> list[Case]:
    found: list[Case] = import_module(f"tests.cases.{family}").CASES
    return [
        case
        for case in found[::EVERY]
        if case.torch and "string" not in case.dtypes and str(case) not in NOT_ANY_BATCH
    ]


def module_and_data(case: Case) -> tuple[Any, list[Any]]:
    """The module of a case, and inputs with a batch of three or more."""
    import torch

    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import _is_channels_first

    graph = build_graph(case.document())
    module = execute(torch_target.generate_model(graph, style="subclass")).eval()
    stays = _is_channels_first(graph)
    data = random_inputs(case)
    if any(len(x) == 1 for x in data):  # a batch of one is exported as that size, not as any
        data = [np.concatenate([x, 2 * x, -x]) for x in data]
    arrays = [channels_first(x, stays) for x in data]
    return module, [torch.tensor(np.ascontiguousarray(x)) for x in arrays]


def check(case: Case) -> None:
    """An exported and a traced module give the module's own outputs for a larger batch."""
    import torch
    from torch.export import Dim, export

    module, data = module_and_data(case)
    larger = [torch.cat([x, x[:1]]) for x in data]
    expected = as_list(module(*larger))
    axes = tuple({0: Dim.DYNAMIC} for _ in data)
    programs = {
        "export": export(module, tuple(data), dynamic_shapes=axes, strict=False).module(),
        "trace": torch.jit.trace(module, tuple(data), check_trace=False),
    }
    for name, program in programs.items():
        for ours, theirs in zip(expected, as_list(program(*larger)), strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6, equal_nan=True), (name, case)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", families())
def test_modules_take_any_batch(family: str) -> None:
    for case in exportable(family):
        check(case)


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
