"""Activations as torch expressions, registered by the vocabulary's type name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.targets.torch.builder import Lower, axis
from specfmt.targets.torch.expr import Axis, Call, Tensor
from specfmt.vocab.base import Term

Function = Callable[[Any, Lower, Tensor], Tensor]

ACTIVATIONS: dict[str, Function] = {}


def activation_lowering(type_name: str) -> Callable[[Function], Function]:
    """Decorator: registers how an activation is computed in PyTorch."""

    def register(function: Function) -> Function:
        ACTIVATIONS[type_name] = function
        return function

    return register


def activation(b: Lower, term: Term, x: Tensor) -> Tensor:
    """Apply an activation; a final softmax or sigmoid is left out where training is on logits."""
    if b.without_activation and term.type in ("Softmax", "Sigmoid"):
        return x
    return ACTIVATIONS[term.type](term.spec, b, x)


@activation_lowering("Linear")
def _linear(spec: Any, b: Lower, x: Tensor) -> Tensor:
    return x


@activation_lowering("Relu")
def _relu(spec: Any, b: Lower, x: Tensor) -> Tensor:
    return b.call("F.relu", x, module=Call("nn.ReLU"))


@activation_lowering("Sigmoid")
def _sigmoid(spec: Any, b: Lower, x: Tensor) -> Tensor:
    return b.call("torch.sigmoid", x, module=Call("nn.Sigmoid"))


@activation_lowering("Tanh")
def _tanh(spec: Any, b: Lower, x: Tensor) -> Tensor:
    return b.call("torch.tanh", x, module=Call("nn.Tanh"))


@activation_lowering("Softmax")
def _softmax(spec: Any, b: Lower, x: Tensor) -> Tensor:
    dim: Axis = axis(spec.axis, x)
    return b.method(x, "softmax", dim=dim, module=Call("nn.Softmax", (), {"dim": dim}))
