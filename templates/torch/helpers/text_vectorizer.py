"""Texts into token numbers."""

import re
import string
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn


class TextVectorizer(nn.Module):
    """Texts (N,) or (N, 1) into the numbers (N, T) of their tokens.

    The vocabulary's numbers follow those for padding and for unknown tokens.  Only ASCII
    letters are lowered, only ASCII punctuation and white space count, as in TensorFlow.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        standardize: str | None = "lower_and_strip_punctuation",
        split: str | None = "whitespace",
        ngrams: Sequence[int] = (),
        length: int | None = None,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.standardize, self.split = standardize or "", split
        self.ngrams, self.length, self.padding = ngrams, length, padding
        self.numbers = {token: i for i, token in enumerate(vocabulary, padding + 2)}
        self.numbers[""] = padding
        self.place = nn.Buffer(torch.empty(0), persistent=False)

    def tokens(self, texts: Iterable[str]) -> list[str]:
        """The tokens of one sample."""
        found: list[str] = []
        for text in texts:
            if "lower" in self.standardize:
                upper, lower = string.ascii_uppercase, string.ascii_lowercase
                text = text.translate(str.maketrans(upper, lower))
            if "strip_punctuation" in self.standardize:
                text = text.translate(str.maketrans("", "", string.punctuation))
            if self.split == "whitespace":
                found += re.findall(r"[^ \t\n\v\f\r]+", text)
            else:
                found += text if self.split == "character" else [text]
        if not self.ngrams:
            return found
        return [
            " ".join(found[start : start + n])
            for n in self.ngrams
            for start in range(len(found) - n + 1)
        ]

    def forward(self, texts: ArrayLike) -> torch.Tensor:
        samples = np.asarray(texts, dtype=object)
        unknown = self.padding + 1
        rows = [
            [
                self.numbers.get(token, unknown)
                for token in self.tokens(np.ravel(sample))
            ]
            for sample in samples
        ]
        length = self.length or max(map(len, rows), default=0)
        rows = [(row + [self.padding] * length)[:length] for row in rows]
        numbers = torch.tensor(rows, dtype=torch.int64, device=self.place.device)
        return numbers.view(len(rows), length)
