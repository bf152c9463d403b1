"""Preprocessing layers that map texts, numbers and categories to indices or vectors.

Their vocabulary, boundaries or statistics, whether set in the constructor or computed by
``adapt()``, are fields here, which generated code contains.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Either, Integer, Nullable, Number, SizeRule, Text, Tuple
from specfmt.fields.spellings import FormerArguments, Replacement
from specfmt.fields.types import (
    Bool,
    Float,
    Literal,
    NaturalInt,
    OptionalInt,
    OptionalPositiveInt,
    OptionalStr,
    PositiveInt,
    Str,
)
from specfmt.layers.base import Argument, Shape, ShapeError
from specfmt.layers.categorical import Categorical, Lookup, check_sparse, one_hot_shape
from specfmt.layers.policies import variable_dtype
from specfmt.layers.registry import layer

OOV_TOKEN: Final = "[UNK]"  # noqa: S105 (a token of text)


class Vocabulary(Tuple):
    """The tokens of a vocabulary; a path, from which Keras reads them, is refused."""

    def check(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            raise FieldError(
                "a list of tokens",
                value,
                "Keras takes a string as the path of a file of tokens, which is not read here: list "
                "its lines; to save a model with them, give the list to the layer in Keras",
            )
        return super().check(value)


Words = Annotated[tuple[str, ...] | None, Nullable(Vocabulary(Text(), 1))]
Numbers = Annotated[tuple[float, ...] | None, Nullable(Tuple(Number(), 1))]
Integers = Annotated[tuple[int, ...] | None, Nullable(Vocabulary(Integer(), 1))]
Salt = Annotated[int | tuple[int, int] | None, Nullable(SizeRule(2, 0))]
OptionalSize = Annotated[int | None, Nullable(Integer(2))]
OutputMode = Literal["int", "one_hot", "multi_hot", "count", "tf_idf"]
CountMode = Literal["int", "one_hot", "multi_hot", "count"]
VectorMode = Literal["one_hot", "multi_hot", "count"]
CrossMode = Literal["int", "one_hot"]
Standardize = Literal["lower_and_strip_punctuation", "lower", "strip_punctuation"] | None
Split = Literal["whitespace", "character"] | None
MAX_NGRAM = 1000
"""The largest n of an n-gram."""

Ngrams = Annotated[
    int | tuple[int, ...] | None,
    Nullable(
        Either(
            Integer(1, MAX_NGRAM),
            Tuple(Integer(1, MAX_NGRAM), 1),
            expected=f"an integer from 1 to {MAX_NGRAM} or a list of them",
        )
    ),
]


class IndexLookup(Lookup):
    """Base of the layers that look up each element in a vocabulary."""

    build_arguments = ()

    def output_shape(self, x: Shape) -> Shape:
        if getattr(self, "invert", False) and self.mode != "int":
            raise ShapeError("output_mode int for `invert: true`", self.mode, field="output_mode")
        if getattr(self, "invert", False) and getattr(self, "oov_token", None) in (
            self.table or ()
        ):
            raise ShapeError(
                "an `oov_token` that is not in the vocabulary",
                repr(getattr(self, "oov_token", None)),
                field="oov_token",
            )
        return super().output_shape(x)


@layer
class StringLookup(IndexLookup):
    """Maps strings to their indices in a vocabulary, or to vectors made of these indices.

    The first ``num_oov_indices`` indices are for strings that are not in the vocabulary; if there
    is a ``mask_token``, it has index 0 and precedes them.
    """

    keras_2_lacks = ("salt",)

    max_tokens: OptionalSize = None
    num_oov_indices: NaturalInt = 1
    mask_token: OptionalStr = None
    oov_token: OptionalStr = OOV_TOKEN
    vocabulary: Words = None
    idf_weights: Numbers = None
    invert: Bool = False
    output_mode: OutputMode = "int"
    pad_to_max_tokens: Bool = False
    sparse: Bool = False
    encoding: Str = "utf-8"
    salt: Salt = None

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return super().output_dtype(compute_dtype, *dtypes)

    def extra_config(self) -> dict[str, Any]:
        return {**super().extra_config(), "oov_method": "floormod"}


@layer
class IntegerLookup(IndexLookup):
    """Maps integers to their indices in a vocabulary, or to vectors made of these indices."""

    keras_2_lacks = ("oov_method", "salt")
    former_arguments: ClassVar[FormerArguments] = {
        "max_values": "max_tokens",
        "mask_value": "mask_token",
        "oov_value": "oov_token",
    }

    max_tokens: OptionalSize = None
    num_oov_indices: NaturalInt = 1
    mask_token: OptionalInt = None
    oov_token: OptionalInt = -1
    vocabulary: Integers = None
    vocabulary_dtype: Literal["int64"] = "int64"
    idf_weights: Numbers = None
    invert: Bool = False
    output_mode: OutputMode = "int"
    sparse: Bool = False
    pad_to_max_tokens: Bool = False
    oov_method: Literal["floormod", "farmhash"] = "floormod"
    salt: Salt = None


@layer
class TextVectorization(Lookup):
    """Splits texts into tokens and maps these to their indices in a vocabulary, or to vectors.

    Index 0 is padding, index 1 is for tokens that are not in the vocabulary; vectors have no
    element for padding.
    """

    idf_stores = ("", "_lookup_layer/")
    mask_token: ClassVar[str] = ""
    oov_token: ClassVar[str] = OOV_TOKEN

    max_tokens: OptionalSize = None
    standardize: Standardize = "lower_and_strip_punctuation"
    split: Split = "whitespace"
    ngrams: Ngrams = None
    output_mode: OutputMode = "int"
    output_sequence_length: OptionalPositiveInt = None
    pad_to_max_tokens: Bool = False
    vocabulary: Words = None
    idf_weights: Numbers = None
    sparse: Bool = False
    ragged: Bool = False
    encoding: Str = "utf-8"

    @classmethod
    def unsupported_config(cls, config: dict[str, Any]) -> str:
        own = [
            key for key in ("standardize", "split") if not isinstance(config.get(key), str | None)
        ]
        return f"its `{own[0]}` is a function" if own else super().unsupported_config(config)

    def keras_2_dtype(self) -> str:
        return "string"

    @property
    def widths(self) -> tuple[int, ...]:
        """The lengths of the n-grams; empty without n-grams."""
        if isinstance(self.ngrams, int):
            return tuple(range(1, self.ngrams + 1))
        return self.ngrams or ()

    def output_shape(self, x: Shape) -> Shape:
        if self.split is not None and len(x) > 1 and x[-1] != 1:
            raise ShapeError(
                "one text per sample: shape [] or [1]",
                f"shape {x}",
                "give each sample one text, or set `split: null`",
            )
        if self.output_mode != "int" and self.output_sequence_length is not None:
            raise ShapeError(
                "`output_sequence_length` only with output_mode int",
                f"output_mode {self.output_mode}",
                field="output_sequence_length",
            )
        if self.ragged and self.output_mode != "int":
            raise ShapeError("output_mode int for `ragged: true`", self.output_mode, field="ragged")
        if self.output_mode == "int":
            self.check_table()
            return (x[0], self.output_sequence_length)
        texts: Shape = (*x, None) if self.split is not None else x if len(x) > 1 else (*x, 1)
        return super().output_shape(texts)


@layer
class Discretization(Categorical):
    """Maps numbers to the indices of the bins that they fall in, or to vectors made of these
    indices."""

    takes_trainable = False
    keras_2_inputs = ("float",)
    former_arguments: ClassVar[FormerArguments] = {
        "bins": Replacement("bin_boundaries", keras_2=True)
    }

    bin_boundaries: Annotated[tuple[float, ...] | None, Nullable(Tuple(Number()))] = None
    num_bins: Annotated[int | None, Nullable(Integer(0))] = None
    epsilon: Float = 0.01
    output_mode: CountMode = "int"
    sparse: Bool = False

    @classmethod
    def remove_derived(cls, config: dict[str, Any]) -> None:
        if config.get("bin_boundaries") is not None:
            config.pop("num_bins", None)  # after `adapt` the config has both

    @property
    def unadapted(self) -> bool:
        return self.bin_boundaries is None

    @property
    def depth(self) -> int | None:
        """The number of bins."""
        return self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    def output_shape(self, x: Shape) -> Shape:
        check_sparse(self.sparse, self.output_mode)
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise ShapeError(
                "either `bin_boundaries` or `num_bins`",
                "both" if self.num_bins is not None else "neither",
                "give the boundaries that `adapt()` computed, or the number of bins to compute",
                field="bin_boundaries" if self.num_bins is not None else "",
            )
        if list(self.bin_boundaries or ()) != sorted(self.bin_boundaries or ()):
            raise ShapeError(
                "boundaries in ascending order", "another order", field="bin_boundaries"
            )
        if self.output_mode == "int":
            return x
        if self.output_mode == "one_hot":
            return one_hot_shape(x, self.depth)
        return (x[0], *x[2:], self.depth) if len(x) > 1 else (self.depth,)

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return "int32" if self.output_mode == "int" else compute_dtype


@layer
class CategoryEncoding(Categorical):
    """Encodes category indices as vectors: one-hot, multi-hot, or counts of each category."""

    call_arguments = (Argument("inputs"), Argument("count_weights", required=False))
    omitted_fields = ("sparse",)
    former_arguments: ClassVar[FormerArguments] = {
        "max_tokens": Replacement("num_tokens", keras_2=True)
    }

    num_tokens: PositiveInt
    output_mode: VectorMode = "multi_hot"
    sparse: Bool = False

    @classmethod
    def unsupported_config(cls, config: dict[str, Any]) -> str:
        mode = str(config.get("output_mode", ""))
        if mode.replace("-", "_") == "tf_idf":
            return "its output_mode tf_idf is only in Keras 2.3 to 2.5"
        sizes = [config[key] for key in ("num_tokens", "max_tokens") if key in config]
        if sizes == [None]:
            return "its config does not hold the number of tokens, which `adapt()` found"
        return super().unsupported_config(config)

    def output_shape(self, x: Shape, count_weights: Shape | None = None) -> Shape:
        if count_weights is not None and self.output_mode != "count":
            raise ShapeError("output_mode count for `count_weights`", self.output_mode)
        if self.output_mode == "one_hot":
            return one_hot_shape(x, self.num_tokens)
        return (*x[:-1], self.num_tokens)

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype


class Hashed(Categorical):
    """Base of the layers that map values to bins by a hash."""

    @classmethod
    def own_dtype(cls, fields: dict[str, Any]) -> str | None:
        return "int64" if fields.get("output_mode", "int") == "int" else "float32"

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        if isinstance(self.dtype, str):
            return variable_dtype(self.dtype)
        return self.own_dtype(vars(self)) or compute_dtype


@layer
class Hashing(Hashed):
    """Maps strings or integers to the indices of bins by a hash, or to vectors made of these.

    With ``mask_value``, bin 0 is for this value alone.
    """

    num_bins: PositiveInt
    mask_value: Annotated[
        int | str | None, Nullable(Either(Integer(), Text(), expected="an integer or a string"))
    ] = None
    salt: Salt = None
    output_mode: CountMode = "int"
    sparse: Bool = False

    def output_shape(self, x: Shape) -> Shape:
        check_sparse(self.sparse, self.output_mode)
        return x if self.output_mode == "int" else (*x[:-1], self.num_bins)


@layer
class HashedCrossing(Hashed):
    """Maps each combination of two categories to a bin by a hash (a feature cross)."""

    in_keras_2 = False
    keras_2_inputs = ("float",)
    call_arguments = (Argument("inputs", "tensors"),)
    takes_trainable = False

    num_bins: PositiveInt
    output_mode: CrossMode = "int"
    sparse: Bool = False

    def output_shape(self, x: list[Shape]) -> Shape:
        check_sparse(self.sparse, self.output_mode)
        if len(x) != 2:
            raise ShapeError("two inputs", str(len(x)))
        first = x[0]
        if len(first) > 2 or (len(first) == 2 and first[-1] != 1) or x[1][-1] != first[-1]:
            raise ShapeError("inputs of the same shape, [] or [1]", f"shapes {first} and {x[1]}")
        return first if self.output_mode == "int" else one_hot_shape(first, self.num_bins)
