"""What layers over categories share: vectors made of category numbers, and vocabularies."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

from specfmt.layers.base import Argument, Layer, Shape, ShapeError
from specfmt.layers.core import INPUTS_ONLY

UNKNOWN: Final = 1
"""How many numbers of a text layer's vocabulary stand for what is not in it."""


def one_hot_shape(x: Shape, depth: int | None) -> Shape:
    """A vector for each element; a last axis of size 1 is taken for it."""
    return (*x[:-1], depth) if len(x) > 1 and x[-1] == 1 else (*x, depth)


def check_sparse(sparse: bool, mode: str) -> None:
    """Keras has sparse vectors, but no sparse numbers."""
    if sparse and mode == "int":
        raise ShapeError(
            "a mode that gives vectors beside `sparse: true`",
            "output_mode int",
            "leave `sparse` out",
            field="sparse",
        )


class Categorical(Layer):
    """Base of layers that give category numbers, or vectors made of them."""

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
    """Base of layers with a vocabulary."""

    @classmethod
    def unreadable(cls, config: dict[str, Any]) -> str:
        sized = config.get("vocabulary") is not None or config.get("pad_to_max_tokens")
        if sized or config.get("output_mode", "int") == "int":
            return ""
        return "the file does not hold its vocabulary, which its output's size follows from"

    @property
    def table(self) -> tuple[Any, ...] | None:
        """The vocabulary without the special tokens that may stand before it, as Keras reads it."""
        given: tuple[Any, ...] | None = getattr(self, "vocabulary", None)
        if given is None:
            return None
        special = self.special_tokens
        return given[len(special) :] if given[: len(special)] == special else given

    @property
    def mode(self) -> str:
        """What a call gives."""
        return str(getattr(self, "output_mode", "int"))

    @property
    def masked(self) -> bool:
        """Whether number 0 stands for the mask token."""
        return getattr(self, "mask_token", None) is not None and self.mode == "int"

    @property
    def unknown(self) -> int:
        """How many numbers stand for what is not in the vocabulary."""
        return int(getattr(self, "num_oov_indices", UNKNOWN))

    @property
    def special_tokens(self) -> tuple[Any, ...]:
        """What stands before the vocabulary's own tokens."""
        mask = getattr(self, "mask_token", None)
        token = getattr(self, "oov_token", None)
        return (*((mask,) if self.masked else ()), *(token,) * self.unknown)

    @property
    def size(self) -> int | None:
        """How many numbers there are; None without a vocabulary."""
        return None if self.table is None else len(self.special_tokens) + len(self.table)

    def depth(self) -> int | None:
        """The length of the vectors."""
        if getattr(self, "pad_to_max_tokens", False):
            return getattr(self, "max_tokens", None)
        return self.size

    def weighting(self) -> tuple[float, ...]:
        """The weight of each number for ``tf_idf``, as Keras fills it up."""
        given: tuple[float, ...] = getattr(self, "idf_weights", None) or ()
        vocabulary: tuple[Any, ...] = getattr(self, "vocabulary", None) or ()
        front = 0 if len(vocabulary) == self.size else len(self.special_tokens)
        mean = sum(given) / max(len(given), 1)
        filled = (*(mean,) * front, *given)
        return (*filled, *(0.0,) * ((self.depth() or 0) - len(filled)))

    def check_table(self) -> None:
        """Hold the vocabulary against the other fields.

        Raises:
            ShapeError: Keras would refuse it.
        """
        mode, size = self.mode, self.size
        limit: int | None = getattr(self, "max_tokens", None)
        weights: tuple[float, ...] | None = getattr(self, "idf_weights", None)
        padded: bool = getattr(self, "pad_to_max_tokens", False)
        check_sparse(getattr(self, "sparse", False), mode)
        if padded and limit is None:
            raise ShapeError(
                "`max_tokens` beside `pad_to_max_tokens`", "none", field="pad_to_max_tokens"
            )
        if (weights is not None) != (mode == "tf_idf" and self.table is not None):
            given = f"output_mode {mode}" if weights is not None else "none"
            raise ShapeError(
                "`idf_weights` where output_mode is tf_idf, and there alone",
                given,
                "give one weight for each token of the vocabulary",
                field="idf_weights",
            )
        if size is None:
            if mode != "int" and not padded:
                raise ShapeError(
                    f"a vocabulary, which the vectors of output_mode {mode} get their length from",
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
                f"the mask token {mask!r} before the vocabulary or not at all",
                "it among the others",
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
                "as many weights as the vocabulary has tokens",
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

    def written_besides(self) -> dict[str, Any]:
        return {"vocabulary_size": self.size}
