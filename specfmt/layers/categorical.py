"""Bases of the layers that compute category indices: encoding as vectors, and vocabularies."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

from specfmt.layers.base import Argument, Layer, Shape, ShapeError
from specfmt.layers.core import INPUTS_ONLY

OOV_INDICES: Final = 1
"""The number of out-of-vocabulary indices of a text layer."""


def one_hot_shape(x: Shape, depth: int | None) -> Shape:
    """The shape with a vector of size ``depth`` per element; it replaces a last axis of size 1."""
    return (*x[:-1], depth) if len(x) > 1 and type(x[-1]) is int and x[-1] == 1 else (*x, depth)


def check_sparse(sparse: bool, mode: str) -> None:
    """Check that only vectors are sparse.

    Raises:
        ShapeError: Sparse indices, which Keras does not have.
    """
    if sparse and mode == "int":
        raise ShapeError(
            "an output_mode that returns vectors for `sparse: true`",
            "output_mode int",
            "leave `sparse` out",
            field="sparse",
        )


class Categorical(Layer):
    """Base of the layers that return indices of categories, or vectors made of them."""

    call_arguments: ClassVar[tuple[Argument, ...]] = INPUTS_ONLY
    supports_masking = False
    casts_inputs = False
    tables = ("vocabulary", "idf_weights", "bin_boundaries")
    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float", "int")

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def keras_2_dtype(self) -> str | None:
        return "int64" if getattr(self, "output_mode", "") == "int" else None


class Lookup(Categorical):
    """Base of the layers with a vocabulary.

    Attributes:
        idf_stores: The groups in which Keras 3 stores the IDF weights.
    """

    idf_stores: ClassVar[tuple[str, ...]] = ("",)

    @classmethod
    def unsupported_config(cls, config: dict[str, Any]) -> str:
        sized = config.get("vocabulary") is not None or config.get("pad_to_max_tokens")
        if sized or config.get("output_mode", "int") == "int":
            return ""
        return "the file does not hold its vocabulary, which determines the size of its output"

    @property
    def table(self) -> tuple[Any, ...] | None:
        """The vocabulary without the special tokens that may precede it, as Keras reads it."""
        given: tuple[Any, ...] | None = getattr(self, "vocabulary", None)
        if given is None:
            return None
        special = self.special_tokens
        return given[len(special) :] if given[: len(special)] == special else given

    @property
    def unadapted(self) -> bool:
        return self.table is None

    @property
    def mode(self) -> str:
        """The form of the output, a value of ``output_mode``."""
        return str(getattr(self, "output_mode", "int"))

    @property
    def masked(self) -> bool:
        """Whether index 0 is the mask token's."""
        return getattr(self, "mask_token", None) is not None and self.mode == "int"

    @property
    def unknown(self) -> int:
        """The number of out-of-vocabulary indices."""
        return int(getattr(self, "num_oov_indices", OOV_INDICES))

    @property
    def special_tokens(self) -> tuple[Any, ...]:
        """The tokens that precede those of the vocabulary."""
        mask = getattr(self, "mask_token", None)
        token = getattr(self, "oov_token", None)
        return (*((mask,) if self.masked else ()), *(token,) * self.unknown)

    @property
    def size(self) -> int | None:
        """The number of indices; None without a vocabulary."""
        return None if self.table is None else len(self.special_tokens) + len(self.table)

    def depth(self) -> int | None:
        """The length of the vectors."""
        if getattr(self, "pad_to_max_tokens", False):
            return getattr(self, "max_tokens", None)
        return self.size

    def weighting(self) -> tuple[float, ...]:
        """The ``tf_idf`` weight of each index: special tokens have the mean, padding has 0."""
        given: tuple[float, ...] = getattr(self, "idf_weights", None) or ()
        vocabulary: tuple[Any, ...] = getattr(self, "vocabulary", None) or ()
        front = 0 if len(vocabulary) == self.size else len(self.special_tokens)
        mean = sum(given) / max(len(given), 1)
        filled = (*(mean,) * front, *given)
        return (*filled, *(0.0,) * ((self.depth() or 0) - len(filled)))

    def stored_tables(self) -> dict[str, tuple[float, ...]]:
        weights = self.weighting() if self.mode == "tf_idf" and self.table is not None else ()
        return {f"{store}vars/idf_weights": weights for store in self.idf_stores if weights}

    def check_table(self) -> None:
        """Check the vocabulary against the other fields.

        Raises:
            ShapeError: Keras would raise for it.
        """
        mode, size = self.mode, self.size
        limit: int | None = getattr(self, "max_tokens", None)
        weights: tuple[float, ...] | None = getattr(self, "idf_weights", None)
        padded: bool = getattr(self, "pad_to_max_tokens", False)
        check_sparse(getattr(self, "sparse", False), mode)
        if padded and limit is None:
            raise ShapeError(
                "`max_tokens` for `pad_to_max_tokens: true`", "none", field="pad_to_max_tokens"
            )
        if (weights is not None) != (mode == "tf_idf" and self.table is not None):
            given = f"output_mode {mode}" if weights is not None else "none"
            raise ShapeError(
                "`idf_weights` if and only if output_mode is tf_idf",
                given,
                "give one weight for each token of the vocabulary",
                field="idf_weights",
            )
        if size is None:
            if mode != "int" and not padded:
                raise ShapeError(
                    f"a vocabulary, which determines the length of output_mode {mode}'s vectors",
                    "none",
                    "give `vocabulary`, or `max_tokens` and `pad_to_max_tokens: true`",
                    field="output_mode",
                )
            return
        tokens = self.table or ()
        if len(set(tokens)) < len(tokens):
            twice = next(token for token, many in Counter(tokens).items() if many > 1)
            raise ShapeError(
                "every token once", f"{twice!r} twice", "remove one of them", field="vocabulary"
            )
        mask = getattr(self, "mask_token", None)
        if mask is not None and mask in tokens:
            raise ShapeError(
                f"the mask token {mask!r} as the first token or not at all",
                "it after others",
                "remove it from the vocabulary",
                field="vocabulary",
            )
        if limit is not None and size > limit:
            raise ShapeError(
                f"a vocabulary of at most {limit} tokens, the special ones included",
                str(size),
                "raise `max_tokens`",
                field="vocabulary",
            )
        if weights is not None and len(weights) != len(getattr(self, "vocabulary", None) or ()):
            raise ShapeError(
                "one weight for each token of the vocabulary",
                str(len(weights)),
                field="idf_weights",
            )

    def output_shape(self, x: Shape) -> Shape:
        self.check_table()
        if self.mode == "int":
            return x
        if self.mode == "one_hot":
            return one_hot_shape(x, self.depth())
        return (*x[:-1], self.depth())

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return "int64" if self.mode == "int" else "float32"

    def extra_config(self) -> dict[str, Any]:
        return {"vocabulary_size": self.size}
