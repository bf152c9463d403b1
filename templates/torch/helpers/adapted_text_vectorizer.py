"""Texts into token numbers, by a vocabulary that is computed from training data."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .most_frequent import most_frequent
from .text_vectorizer import TextVectorizer


class AdaptedTextVectorizer(TextVectorizer):
    """A vectorizer by the ``limit`` most frequent tokens of the texts given to ``adapt``.

    The vocabulary is a part of the `state_dict`.
    """

    def __init__(
        self,
        limit: int | None = None,
        standardize: str | None = "lower_and_strip_punctuation",
        split: str | None = "whitespace",
        ngrams: Sequence[int] = (),
        length: int | None = None,
        padding: int = 0,
    ) -> None:
        super().__init__((), standardize, split, ngrams, length, padding)
        self.limit = limit
        self.vocabulary: list[str] = []

    def adapt(self, texts: ArrayLike) -> None:
        samples = np.asarray(texts, dtype=object)
        found = [token for text in samples for token in self.tokens(np.ravel(text))]
        self.set_extra_state(most_frequent(found, self.limit, ("", "[UNK]")))

    def get_extra_state(self) -> list[str]:
        return self.vocabulary

    def set_extra_state(self, state: list[str]) -> None:
        self.vocabulary = list(state)
        places = enumerate(self.vocabulary, self.padding + 2)
        self.numbers = {token: place for place, token in places} | {"": self.padding}
