"""Keras losses as PyTorch training code.

Values, reductions and sample weights are Keras's (keras/src/losses/losses.py and loss.py).
`torch.nn` losses are used where they compute the same, otherwise small helper functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from specfmt.layers.base import Shape
from specfmt.targets.source import literal, number, string
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.training.scores import Registry, changed_arguments, smoothed, torch_dim
from specfmt.targets.user_objects import python_name
from specfmt.vocab.base import CUSTOM, Term

Activation = Literal["Softmax", "Sigmoid"]
TargetKind = Literal["values", "classes", "one_hot"]

LOGIT_LOSSES = ("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy")
"""Losses that Keras computes from logits if the final activation is a softmax or sigmoid."""

CLIP = "clamp(1e-7, 1 - 1e-7)"


@dataclass(frozen=True)
class LossCode:
    """The loss of one output in a training script.

    Attributes:
        create: The expression that creates ``loss_fn``; empty if ``call`` needs no object.
        call: A scalar expression over ``loss_fn``, ``{prediction}`` and ``{target}``.
        create_weighted: ``create`` for ``weighted_call``.
        weighted_call: A scalar expression that also has ``{weight}``, with one weight per value
            of the unreduced loss: (N,), or the output's shape without the axis that the loss
            reduces, in the output's axis order.
        helpers: The helper functions in the expressions.
        on_logits: Whether ``{prediction}`` is the input of the final softmax or sigmoid.
        target: The kind of targets: ``values``, ``classes`` or ``one_hot``.
        target_dtype: ``torch.float32`` or ``torch.int64``.
        target_shape: The shape of the targets in Keras's axis order; targets of another shape
            with as many elements must be reshaped to it.
    """

    create: str
    call: str
    create_weighted: str
    weighted_call: str
    helpers: tuple[str, ...]
    on_logits: bool
    target: TargetKind
    target_dtype: str
    target_shape: Shape


@dataclass(frozen=True)
class _Request:
    """A loss and its arguments.

    Attributes:
        shape: The output's shape in Keras's axis order.
        kind: The kind of targets.
        dim: PyTorch's number of the class axis.
        p, t: The expressions for predictions and targets.
    """

    term: Term
    spec: Any
    on_logits: bool
    shape: Shape
    kind: TargetKind
    dim: int
    p: str = "{prediction}"
    t: str = "{target}"

    @property
    def logits(self) -> bool:
        return self.on_logits or bool(getattr(self.spec, "from_logits", False))

    def dim_argument(self) -> str:
        return "" if self.dim == -1 else f", dim={self.dim}"

    def smoothed(self, classes: int) -> str:
        return smoothed(self.t, self.spec.label_smoothing, classes)


@dataclass(frozen=True)
class _Values:
    """A loss before reduction.

    Attributes:
        call: The expression for the unreduced values (N, ...); over ``loss_fn`` if it is stock.
        stock: The `torch.nn` class, whose mean over all elements equals Keras's.
        arguments: The arguments of its constructor.
        mean: The expression for the mean of all values; empty if ``call`` with the stock loss's
            own reduction is the mean.
        helpers: The helper functions in ``call``.
        count: The expression for the number of values in the mean, if some are ignored.
    """

    call: str
    stock: str = ""
    arguments: tuple[str, ...] = ()
    mean: str = ""
    helpers: tuple[str, ...] = ()
    count: str = ""


def trains_on_logits(loss: Term, activation: Term | None) -> bool:
    """Whether a model with this final activation trains on its inputs (logits).

    Keras's TensorFlow backend does so for cross-entropies.
    """
    if activation is None or activation.type not in ("Softmax", "Sigmoid"):
        return False
    if activation.type == "Softmax" and activation.spec.axis != -1:
        return False
    if loss.type in LOGIT_LOSSES:
        return True
    return loss.type == "BinaryFocalCrossentropy" and activation.type == "Sigmoid"


def loss_code(
    term: Term,
    *,
    from_logits_of: Activation | None = None,
    output_shape: Shape,
    target_kind: TargetKind | None = None,
    channels_first: bool = True,
) -> LossCode:
    """The code of one output's loss.

    Args:
        term: The loss; ``CrossentropyByShape`` must have been resolved (`vocab.by_shape`).
        from_logits_of: The final activation that the model leaves out while it trains (see
            `trains_on_logits`); None if none is left out.
        output_shape: The output's shape in Keras's axis order, batch first.
        target_kind: The kind of targets in the data; `nn.CrossEntropyLoss` can take class numbers
            even for a categorical cross-entropy.  By default, the loss's own.
        channels_first: Whether outputs of rank 4 and 5 are channels-first.

    Raises:
        TargetError: PyTorch code cannot express the loss (SF304).
    """
    if term.type == CUSTOM:
        call = f"{python_name(term)}({{prediction}}, {{target}})"
        return LossCode(
            "",
            f"{call}.mean()",
            "",
            f"({call} * {{weight}}).mean()",
            (),
            False,
            "values",
            "torch.float32",
            output_shape,
        )
    if term.type not in LOSSES:
        raise TargetError(
            f"the loss {term.name} has no PyTorch form",
            "use a loss of Keras 3, or generate the Keras target",
            code="SF304",
        )
    spec = term.spec
    own: TargetKind = type(spec).targets
    kind = own
    if term.type == "CategoricalCrossentropy" and target_kind == "classes":
        kind = "classes"
    last = len(output_shape) - 1
    axis = getattr(spec, "axis", -1)
    axis = last if not isinstance(axis, int) else axis % len(output_shape)
    dim = torch_dim(axis, len(output_shape), channels_first=channels_first)
    request = _Request(term, spec, from_logits_of is not None, output_shape, kind, dim)
    values = LOSSES[term.type](request)
    create, call = _reduced(values, spec.reduction)
    create_weighted, weighted_call = _weighted(values, spec.reduction)
    classes = kind == "classes"
    return LossCode(
        create,
        call,
        create_weighted,
        weighted_call,
        values.helpers,
        from_logits_of is not None,
        kind,
        "torch.int64" if classes else "torch.float32",
        _target_shape(term, output_shape, axis, classes=classes),
    )


def _target_shape(term: Term, shape: Shape, axis: int, *, classes: bool) -> Shape:
    if not classes:
        return shape
    if term.type == "CTC":
        return (shape[0], None)
    return tuple(size for index, size in enumerate(shape) if index != axis)


def _create(values: _Values, reduction: str) -> str:
    if not values.stock:
        return ""
    arguments = (*values.arguments, *([f"reduction={string(reduction)}"] if reduction else []))
    return f"{values.stock}({', '.join(arguments)})"


def _check_reduction(reduction: str | None) -> None:
    if reduction in (None, "none"):
        raise TargetError(
            "expected a loss with a reduction, received none",
            "use reduction: sum or sum_over_batch_size",
            "reduction",
            code="SF304",
        )


def _reduced(values: _Values, reduction: str | None) -> tuple[str, str]:
    _check_reduction(reduction)
    if reduction == "sum":
        if values.mean or not values.stock:
            return _create(values, "none"), f"{values.call}.sum()"
        return _create(values, "sum"), values.call
    if values.stock:
        return _create(values, ""), values.mean or values.call
    return "", values.mean or f"{values.call}.mean()"


def _weighted(values: _Values, reduction: str | None) -> tuple[str, str]:
    """The weighted mean as in Keras: the weighted sum divided by the number of values."""
    create = _create(values, "none")
    product = f"({values.call} * {{weight}})"
    if reduction == "sum":
        return create, f"{product}.sum()"
    if reduction == "mean_with_sample_weight":
        return create, f"{product}.sum() / {{weight}}.sum()"
    if values.count:
        return create, f"{product}.sum() / {values.count}"
    return create, f"{product}.mean()"


LOSSES: Registry[Callable[[_Request], _Values]] = Registry()


def _elementwise(r: _Request, stock: str, *arguments: str, target: str = "") -> _Values:
    """A `torch.nn` loss whose mean over all elements equals Keras's mean."""
    call = f"loss_fn({r.p}, {target or r.t})"
    return _Values(f"{call}.mean(dim={r.dim})", stock, arguments, mean=call)


@LOSSES("MeanSquaredError")
def _mse(r: _Request) -> _Values:
    return _elementwise(r, "nn.MSELoss")


@LOSSES("MeanAbsoluteError")
def _mae(r: _Request) -> _Values:
    return _elementwise(r, "nn.L1Loss")


@LOSSES("Huber")
def _huber(r: _Request) -> _Values:
    arguments = () if r.spec.delta == 1 else (f"delta={number(r.spec.delta)}",)
    return _elementwise(r, "nn.HuberLoss", *arguments)


@LOSSES("Poisson")
def _poisson(r: _Request) -> _Values:
    return _elementwise(r, "nn.PoissonNLLLoss", "log_input=False", "eps=1e-7")


@LOSSES("BinaryCrossentropy")
def _bce(r: _Request) -> _Values:
    target = r.smoothed(2)
    if r.logits:
        return _elementwise(r, "nn.BCEWithLogitsLoss", target=target)
    clipped = _Request(r.term, r.spec, r.on_logits, r.shape, r.kind, r.dim, f"{r.p}.{CLIP}")
    return _elementwise(clipped, "nn.BCELoss", target=target)


@LOSSES("CategoricalCrossentropy", "SparseCategoricalCrossentropy")
def _crossentropy(r: _Request) -> _Values:
    """`nn.CrossEntropyLoss`, which takes the classes on axis 1; in Keras they are last."""
    ignored = getattr(r.spec, "ignore_class", None)
    arguments = []
    if ignored is not None:
        arguments.append(f"ignore_index={ignored}")
    smoothing = getattr(r.spec, "label_smoothing", 0.0)
    if smoothing:
        arguments.append(f"label_smoothing={number(smoothing)}")
    sparse = r.term.type == "SparseCategoricalCrossentropy"
    if not r.logits and not sparse:
        if r.kind == "classes":
            raise TargetError(
                "expected one-hot targets for categorical_crossentropy of probabilities, "
                "received class numbers",
                "use sparse_categorical_crossentropy",
                code="SF304",
            )
        helper = "probability_crossentropy"
        call = f"{helper}({r.p}, {r.smoothed(r.shape[-1] or 1)}{r.dim_argument()})"
        return _Values(call, helpers=(helper,))
    # Keras renormalizes the clipped probabilities, as the softmax of their logarithm does.
    p = r.p if r.logits else f"{r.p}.{CLIP}.log()"
    t = r.t
    if r.dim != 1 and len(r.shape) > 2:
        move = ".transpose(1, 2)" if len(r.shape) == 3 else f".movedim({r.dim}, 1)"
        p += move
        t += move if r.kind == "one_hot" else ""
    count = "" if ignored is None else f"({r.t} != {ignored}).sum()"
    call = f"loss_fn({p}, {t})"
    return _Values(call, "nn.CrossEntropyLoss", tuple(arguments), count=count)


@LOSSES("CosineSimilarity")
def _cosine(r: _Request) -> _Values:
    return _Values(f"-F.cosine_similarity({r.p}, {r.t}, dim={r.dim}, eps=1e-7)")


@LOSSES("Hinge", "SquaredHinge")
def _hinge(r: _Request) -> _Values:
    square = ".square()" if r.term.type == "SquaredHinge" else ""
    call = f"hinge_margin({r.p}, {r.t}){square}.mean(dim={r.dim})"
    return _Values(call, helpers=("hinge_margin",))


HELPERS: dict[str, tuple[str, dict[str, Any]]] = {
    "MeanAbsolutePercentageError": ("mean_absolute_percentage_error", {}),
    "MeanSquaredLogarithmicError": ("mean_squared_logarithmic_error", {}),
    "LogCosh": ("log_cosh", {}),
    "KLDivergence": ("kl_divergence", {}),
    "CategoricalHinge": ("categorical_hinge", {}),
    "CategoricalGeneralizedCrossEntropy": ("generalized_crossentropy", {"q": 0.5}),
}
"""Loss -> helper function and the defaults of its arguments."""


def _call(r: _Request, name: str, *given: str, **defaults: Any) -> str:
    """The call of a helper function, without ``)``, with the arguments that are not defaults."""
    changed = changed_arguments(**{k: (getattr(r.spec, k), v) for k, v in defaults.items()})
    return f"{name}({', '.join([*given, *changed])}"


@LOSSES(*HELPERS)
def _helper(r: _Request) -> _Values:
    name, defaults = HELPERS[r.term.type]
    return _Values(f"{_call(r, name, r.p, r.t, **defaults)}{r.dim_argument()})", helpers=(name,))


@LOSSES("CTC")
def _ctc(r: _Request) -> _Values:
    return _Values(f"ctc_loss({r.p}, {r.t})", helpers=("ctc_loss",))


@LOSSES("Circle")
def _circle(r: _Request) -> _Values:
    """The mean over the samples whose loss is not 0; Keras masks out the others."""
    call = _call(r, "circle_loss", r.p, r.t, gamma=80.0, margin=0.4, remove_diagonal=True) + ")"
    return _Values(
        call,
        mean=f"positive_mean({call})",
        helpers=("circle_loss", "positive_mean"),
        count=f"{call}.count_nonzero()",
    )


@LOSSES("BinaryFocalCrossentropy")
def _binary_focal(r: _Request) -> _Values:
    name = "binary_focal_crossentropy"
    alpha = [f"alpha={number(r.spec.alpha)}"] * r.spec.apply_class_balancing
    logits = ", from_logits=True" * r.logits
    call = _call(r, name, r.p, r.smoothed(2), *alpha, gamma=2.0)
    return _Values(f"{call}{logits}{r.dim_argument()})", helpers=(name,))


@LOSSES("CategoricalFocalCrossentropy")
def _categorical_focal(r: _Request) -> _Values:
    name = "categorical_focal_crossentropy"
    p = f"{r.p}.softmax(dim={r.dim})" if r.logits else r.p
    call = _call(r, name, p, r.smoothed(r.shape[-1] or 1), alpha=0.25, gamma=2.0)
    return _Values(f"{call}{r.dim_argument()})", helpers=(name,))


@LOSSES("Dice", "Tversky")
def _overlap(r: _Request) -> _Values:
    name = r.term.type.lower()
    dim = ""
    if r.spec.axis is not None:
        axes = (r.spec.axis,) if isinstance(r.spec.axis, int) else r.spec.axis
        rank = len(r.shape)
        channels_first = r.dim == 1 and rank in (4, 5)
        dims = tuple(torch_dim(axis, rank, channels_first=channels_first) for axis in axes)
        dim = f", dim={literal(dims[0] if len(dims) == 1 else dims)}"
    defaults = {"alpha": 0.5, "beta": 0.5} if name == "tversky" else {}
    return _Values(f"{_call(r, name, r.p, r.t, **defaults)}{dim})", helpers=(name,))
