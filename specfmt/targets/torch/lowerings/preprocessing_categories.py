"""PyTorch lowerings of the layers that return category numbers or encode them as vectors.

Texts are lists or NumPy arrays of strings; the lookup module returns the first tensor of the
model.
"""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import Shape
from specfmt.layers.categorical import Lookup
from specfmt.layers.preprocessing_categories import (
    CategoryEncoding,
    Discretization,
    HashedCrossing,
    Hashing,
    IndexLookup,
    IntegerLookup,
    StringLookup,
    TextVectorization,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Method, Name, Tensor
from specfmt.targets.torch.registry import TargetError, lower

STRING = "string"
DEFAULT_EPSILON = Discretization.model_fields["epsilon"].default
LARGEST_RANK = 3
"""Strings with more axes would have to be channels-first, like images."""


def refuse_unsupported(layer: Any) -> None:
    """Refuse outputs that a PyTorch tensor cannot represent.

    Raises:
        TargetError: The layer's output is sparse or ragged, or its encoding is not UTF-8.
    """
    for field, kind in (("sparse", "sparse vectors"), ("ragged", "rows of different lengths")):
        if getattr(layer, field, False):
            raise TargetError(
                f"the layers that follow cannot take {kind}", f"remove `{field}`", field
            )
    if getattr(layer, "encoding", "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise TargetError("Python's strings have no encoding", "remove `encoding`", "encoding")


def learns(layer: Lookup, builder: LayerBuilder) -> bool:
    """Whether the layer's module computes its vocabulary from training data.

    Raises:
        TargetError: The layer needs a vocabulary to be translated.
    """
    if layer.table is not None or not builder.class_builder.adapts:
        return False
    refuse_unsupported(layer)
    if layer.mode != "int" and layer.depth() is None:
        raise TargetError(
            f"the length of {layer.mode} vectors is unknown until `adapt()` has run",
            "set `max_tokens` and `pad_to_max_tokens: true`",
            "output_mode",
        )
    return True


def limit(layer: Lookup) -> dict[str, int]:
    """The largest number of values that ``adapt()`` puts into the vocabulary, if there is one."""
    most = getattr(layer, "max_tokens", None)
    return {} if most is None else {"limit": most - len(layer.special_tokens)}


def vocabulary(layer: Lookup, builder: LayerBuilder) -> Any:
    """The vocabulary as a constructor argument.

    Raises:
        TargetError: The vocabulary is unknown.
    """
    refuse_unsupported(layer)
    if layer.table is None:
        raise TargetError(
            "the vocabulary is unknown until `adapt()` has run in Keras",
            "set `vocabulary`, or import the .keras file that was saved after `adapt()`",
            "vocabulary",
        )
    return builder.table(layer.table, "vocabulary")


def check_strings(x: Tensor, wanted: bool) -> None:
    """Check whether the input is strings.

    Raises:
        TargetError: The input is not strings and should be, or the reverse.
    """
    if (x.dtype == STRING) != wanted:
        kind = "strings" if wanted else "numbers"
        raise TargetError(
            f"expected {kind}, received {x.dtype}", "set the input's `dtype`", "inputs"
        )
    if wanted and x.rank > LARGEST_RANK:
        raise TargetError(
            f"expected strings of at most {LARGEST_RANK} axes, received {x.rank}",
            "use a list of strings per sample",
        )


def vectors(
    builder: LayerBuilder,
    mode: str,
    x: Tensor,
    depth: int | None,
    *,
    inside: bool,
    weights: tuple[float, ...] = (),
    counted: Tensor | None = None,
) -> Tensor:
    """Encode category numbers in the layer's ``output_mode``.

    Args:
        builder: The layer's builder.
        mode: The layer's ``output_mode``.
        x: The category numbers.
        depth: The length of the vectors.
        inside: Whether all numbers are surely from 0 to ``depth - 1``.
        weights: For ``tf_idf``, the weight of each category.
        counted: The count of each element; None for 1.

    Raises:
        TargetError: Keras does not encode each sample separately.
    """
    if mode == "int":
        return x
    out: Shape
    if mode == "one_hot":
        single = x.rank > 1 and x.shape[-1] == 1
        out = (*x.shape[:-1], depth) if single else (*x.shape, depth)
        if inside:
            numbers: Any = Method(x, "squeeze", (-1,)) if single else x
            return placed(builder, Method(Call("F.one_hot", (numbers, depth)), "float"), out)
        listed: Any = x if single else Method(x, "unsqueeze", (-1,))
        return placed(builder, Call(builder.helper("count_categories"), (listed, depth)), out)
    check_lists(mode, x)
    args = (x, depth) if counted is None else (x, depth, counted)
    counts: Any = Call(builder.helper("count_categories"), args)
    out = (x.shape[0], depth)
    if mode == "multi_hot":
        counts = Method(counts, "clamp", (), {"max": 1})
    y = builder.tensor(out, "float32")
    if mode == "tf_idf":
        counts = Binary("*", counts, builder.table_buffer(weights, "idf_weights"))
    result: Tensor = builder.step(counts, y, layout="keras")
    return result


def check_lists(mode: str, x: Tensor) -> None:
    """Check that each sample is one list of categories.

    Raises:
        TargetError: Keras does not encode each sample separately.
    """
    if x.rank != 2:
        raise TargetError(
            f"expected one list of categories per sample for {mode}, received {x.rank} axes",
            "use one list of categories per sample: shape [n]",
            "output_mode",
        )


def placed(builder: LayerBuilder, expr: Any, out: Shape) -> Tensor:
    """Add a step whose output is float32 in Keras's axis order."""
    result: Tensor = builder.step(expr, builder.tensor(out, "float32"), layout="keras")
    return result


def lookup_arguments(layer: IndexLookup) -> dict[str, Any]:
    """The constructor arguments of a lookup: first number, numbers for unknown values, mask."""
    found: dict[str, Any] = {}
    if layer.masked:
        found["first"] = 1
    if layer.unknown != 1:
        found["unknown"] = layer.unknown
    mask = getattr(layer, "mask_token", None)
    if mask is not None:
        found["mask"] = {mask: 0 if layer.masked else -1}
    return found


def looked_up(
    layer: IndexLookup, builder: LayerBuilder, x: Tensor, ctor: str, **kwargs: Any
) -> Tensor:
    """Look up category numbers with a module and encode them."""
    arguments = {**lookup_arguments(layer), **kwargs}
    if learns(layer, builder):
        token = getattr(layer, "oov_token", None)
        if token != type(layer).model_fields["oov_token"].default:
            arguments["special"] = [] if token is None else [token]
        arguments = {**limit(layer), **arguments}
        ctor = f"Adapted{ctor}"
        if layer.mode == "tf_idf":
            return learned_weights(layer, builder, x, ctor, arguments)
        module = builder.module(builder.helper(ctor), heavy=True, **arguments)
    else:
        table = vocabulary(layer, builder)
        module = builder.module(builder.helper(ctor), table, heavy=True, **arguments)
    numbers = builder.apply(module, x, shape=x.shape, layout="keras", dtype="int64")
    masked = getattr(layer, "mask_token", None) is not None
    weights = layer.weighting() if layer.mode == "tf_idf" else ()
    return vectors(builder, layer.mode, numbers, layer.depth(), inside=not masked, weights=weights)


def learned_weights(
    layer: Lookup, builder: LayerBuilder, x: Tensor, ctor: str, arguments: dict[str, Any]
) -> Tensor:
    """The counts of categories times weights that are computed with the vocabulary.

    Args:
        layer: The layer.
        builder: Its builder.
        x: The categories.
        ctor, arguments: The lookup.
    """
    if not isinstance(layer, TextVectorization):
        check_lists(layer.mode, x)
    lookup = Call(builder.helper(ctor), (), arguments)
    depth, first = layer.depth(), len(layer.special_tokens)
    module = builder.module(builder.helper("TfIdfVectors"), lookup, depth, first, heavy=True)
    return builder.apply(module, x, shape=(x.shape[0], depth), layout="keras", dtype="float32")


def hasher(builder: LayerBuilder, salt: int | tuple[int, int] | None) -> Any:
    """The function that hashes strings: FarmHash, or SipHash with a key."""
    if salt is None:
        return Name(builder.helper("fingerprint"))
    key = (salt, salt) if isinstance(salt, int) else tuple(salt)
    return Call("partial", (Name(builder.helper("keyed_hash")),), {"key": key})


@lower(StringLookup)
def string_lookup(layer: StringLookup, builder: LayerBuilder, x: Tensor) -> Tensor:
    if layer.invert:
        raise TargetError(
            "it returns strings, which a PyTorch tensor cannot contain",
            "remove it from the model and index a list of the vocabulary",
            "invert",
        )
    check_strings(x, wanted=True)
    if layer.unknown < 2:
        return looked_up(layer, builder, x, "StringLookup")
    hashed = hasher(builder, layer.salt)
    return looked_up(layer, builder, x, "HashedStringLookup", hasher=hashed)


@lower(IntegerLookup)
def integer_lookup(layer: IntegerLookup, builder: LayerBuilder, x: Tensor) -> Tensor:
    check_strings(x, wanted=False)
    if layer.invert:
        return integer_table(layer, builder, x)
    if layer.unknown > 1 and layer.oov_method == "farmhash":
        hashed = hasher(builder, layer.salt)
        return looked_up(layer, builder, x, "HashedIntegerLookup", hasher=hashed)
    return looked_up(layer, builder, x, "IntegerLookup")


def integer_table(layer: IntegerLookup, builder: LayerBuilder, x: Tensor) -> Tensor:
    """The inverse lookup: from indices to the integers of the vocabulary."""
    vocabulary(layer, builder)
    if layer.oov_token is None:
        raise TargetError("no number is set for unknown indices", "set `oov_token`", "oov_token")
    values = (*layer.special_tokens, *(layer.table or ()))
    table = Call("torch.tensor", (builder.table(values, "vocabulary"),))
    module = builder.module(builder.helper("TableEntries"), table, layer.oov_token, heavy=True)
    return builder.apply(module, x, shape=x.shape, layout="any", dtype="int64")


@lower(TextVectorization)
def text_vectorization(layer: TextVectorization, builder: LayerBuilder, x: Tensor) -> Tensor:
    check_strings(x, wanted=True)
    table: tuple[Any, ...] = ()
    arguments: dict[str, Any] = {}
    if learns(layer, builder):
        ctor, arguments = "AdaptedTextVectorizer", dict(limit(layer))
    else:
        ctor, table = "TextVectorizer", (vocabulary(layer, builder),)
    rank = 1 if layer.split is None else 0
    if not rank < x.rank <= 2:
        raise TargetError(
            f"expected one text per sample, received shape {list(x.shape[1:])}",
            "use one text per sample: shape [1]",
            "split",
        )
    if layer.mode == "one_hot" and layer.split is not None:
        raise TargetError(
            "one-hot rows for each token of a text have no fixed shape",
            "use `multi_hot`",
            "output_mode",
        )
    if layer.standardize != "lower_and_strip_punctuation":
        arguments["standardize"] = layer.standardize
    if layer.split != "whitespace":
        arguments["split"] = layer.split
    if layer.widths:
        arguments["ngrams"] = layer.widths
    if layer.output_sequence_length is not None:
        arguments["length"] = layer.output_sequence_length
    if layer.mode != "int":
        arguments["padding"] = -1
    if layer.mode == "tf_idf" and not table:
        return learned_weights(layer, builder, x, ctor, arguments)
    module = builder.module(builder.helper(ctor), *table, heavy=True, **arguments)
    steps = layer.output_sequence_length
    if steps is None and layer.split is None and not layer.widths:
        steps = x.shape[-1]
    numbers = builder.apply(module, x, shape=(x.shape[0], steps), layout="keras", dtype="int64")
    weights = layer.weighting() if layer.mode == "tf_idf" else ()
    return vectors(builder, layer.mode, numbers, layer.depth(), inside=False, weights=weights)


@lower(Discretization)
def discretization(layer: Discretization, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`torch.bucketize`; a number equal to a boundary is in the bin above it."""
    refuse_unsupported(layer)
    check_strings(x, wanted=False)
    bounds = layer.bin_boundaries
    if bounds is None and builder.class_builder.adapts and layer.num_bins:
        return adapted_bins(layer, builder, x, layer.num_bins)
    if bounds is None:
        raise TargetError(
            "the boundaries are unknown until `adapt()` has run in Keras",
            "set `bin_boundaries` instead of `num_bins`",
            "num_bins",
        )
    y = builder.tensor(x.shape, "int64" if layer.output_mode != "int" else "int32")
    buffer = builder.table_buffer(bounds, "boundaries")
    arguments: dict[str, Any] = {"right": True}
    if layer.output_mode == "int":
        arguments["out_int32"] = True
    bins: Tensor = builder.step(Call("torch.bucketize", (x, buffer), arguments), y)
    return vectors(builder, layer.output_mode, bins, layer.depth, inside=True)


def adapted_bins(layer: Discretization, builder: LayerBuilder, x: Tensor, count: int) -> Tensor:
    """A module whose boundaries are computed from training data."""
    precision: dict[str, Any] = (
        {} if layer.epsilon == DEFAULT_EPSILON else {"epsilon": layer.epsilon}
    )
    module = builder.module(builder.helper("AdaptedBins"), count, heavy=True, **precision)
    bins = builder.apply(module, x, dtype="int64")
    if layer.output_mode == "int":
        return builder.method(bins, "int", dtype="int32")
    return vectors(builder, layer.output_mode, bins, count, inside=True)


@lower(CategoryEncoding)
def category_encoding(
    layer: CategoryEncoding, builder: LayerBuilder, x: Tensor, count_weights: Tensor | None = None
) -> Tensor:
    refuse_unsupported(layer)
    check_strings(x, wanted=False)
    return vectors(
        builder, layer.output_mode, x, layer.num_tokens, inside=False, counted=count_weights
    )


@lower(Hashing)
def hashing(layer: Hashing, builder: LayerBuilder, x: Tensor) -> Tensor:
    refuse_unsupported(layer)
    if x.dtype.startswith(("float", "bfloat", "bool")):
        raise TargetError(
            f"expected integers or strings, received {x.dtype}",
            "cast the input to an integer dtype",
            "inputs",
        )
    check_strings(x, wanted=x.dtype == STRING)
    args: tuple[Any, ...] = (x, layer.num_bins, hasher(builder, layer.salt))
    if layer.mask_value is not None:
        args = (*args, layer.mask_value)
    call = Call(builder.helper("string_bins"), args)
    bins: Tensor = builder.step(call, builder.tensor(x.shape, "int64"), layout="keras")
    if layer.output_mode == "int" and layer.dtype == "int32":
        return builder.method(bins, "int", layout="keras", dtype="int32")
    return vectors(builder, layer.output_mode, bins, layer.num_bins, inside=True)


@lower(HashedCrossing)
def hashed_crossing(layer: HashedCrossing, builder: LayerBuilder, x: list[Tensor]) -> Tensor:
    refuse_unsupported(layer)
    if any(column.dtype.startswith(("float", "bfloat", "bool")) for column in x):
        dtypes = " and ".join(column.dtype for column in x)
        raise TargetError(
            f"expected integers or strings, received {dtypes}",
            "cast the inputs to an integer dtype",
            "inputs",
        )
    call = Call(builder.helper("crossed_bins"), (list(x), layer.num_bins))
    bins: Tensor = builder.step(call, builder.tensor(x[0].shape, "int64"), layout="keras")
    if layer.output_mode == "int" and layer.dtype == "int32":
        return builder.method(bins, "int", layout="keras", dtype="int32")
    return vectors(builder, layer.output_mode, bins, layer.num_bins, inside=True)
