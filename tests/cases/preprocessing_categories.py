"""Cases of the layers that give category numbers or vectors made of them."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case

WORDS = ["cat", "dog", "É", "日本", "a b", "", "x" * 40]
TEXTS = [
    "The cat sat on the mat.",
    "",
    "  CAT\tcat\n(dog)!  é É don't 日本 日本語",
    "a\u00a0b c\u2028d, e-f_g h i j k l m n",
]
DENSE = {"type": "Dense", "units": 2}
LOOK = {"type": "StringLookup", "vocabulary": ["cat", "dog", "É", "日本"]}
TEXT = {"type": "TextVectorization", "vocabulary": ["the", "cat", "dog", "dont", "日本", "c"]}
NUMBER = {"type": "IntegerLookup", "vocabulary": [10, -3, 7]}
BINS = {"type": "Discretization", "bin_boundaries": [-0.5, 0.0, 0.75]}
ENCODE = {"type": "CategoryEncoding", "num_tokens": 6}
HASH = {"type": "Hashing", "num_bins": 5}

STRINGS = [["cat", "", "x" * 40], ["dog", "日本", "[UNK]"], ["É", "é", "no"]]
COLUMN = [["cat"], ["zebra"], ["日本"]]
INTEGERS = [[10, 0, 7], [-3, 5, -1], [7, 7, 8]]
GROUPS = {"ngrams": 2, "vocabulary": ["the cat", "cat", "mat", "on the"]}


def strings(layers: Any, values: Any = STRINGS, **options: Any) -> Case:
    """A case of strings."""
    shape = () if isinstance(values[0], str) else (len(values[0]),)
    return Case(layers, (shape,), dtypes=("string",), inputs=(values,), **options)


def texts(layers: Any, **options: Any) -> Case:
    """A case of one text a sample."""
    return strings(layers, [[text] for text in TEXTS], **options)


def integers(layers: Any, values: Any = INTEGERS, **options: Any) -> Case:
    """A case of whole numbers."""
    return Case(layers, (len(values[0]),), dtypes=("int64",), inputs=(values,), **options)


CASES = [
    strings(LOOK),
    strings(LOOK, COLUMN),
    strings(LOOK, ["cat", "zebra", "日本"]),
    strings(LOOK | {"mask_token": ""}),
    strings(LOOK | {"num_oov_indices": 3}),
    strings(LOOK | {"num_oov_indices": 3, "mask_token": "", "salt": [133, 137]}),
    strings(LOOK | {"num_oov_indices": 0}, [["cat", "dog"], ["É", "日本"]]),
    strings(LOOK | {"output_mode": "one_hot"}),
    strings(LOOK | {"output_mode": "one_hot"}, COLUMN),
    strings(LOOK | {"output_mode": "one_hot", "mask_token": "no"}),
    strings(LOOK | {"output_mode": "multi_hot"}),
    strings([LOOK | {"output_mode": "count", "mask_token": ""}, DENSE]),
    strings(LOOK | {"output_mode": "multi_hot", "max_tokens": 9, "pad_to_max_tokens": True}),
    strings(LOOK | {"output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0, 0.25]}),
    strings(LOOK | {"vocabulary": ["[UNK]", "cat", "dog"]}),
    strings([LOOK, {"type": "Embedding", "input_dim": 5, "output_dim": 3}, DENSE]),
    strings(LOOK | {"vocabulary": [f"word{i}" for i in range(60)] + ["cat", "a b"]}),
    strings(LOOK | {"output_mode": "multi_hot", "sparse": True}, torch=False),
    texts(TEXT),
    texts(TEXT | {"output_sequence_length": 3}),
    texts(TEXT | {"output_sequence_length": 20}),
    texts(TEXT | {"standardize": None}),
    texts(TEXT | {"standardize": "lower"}),
    texts(TEXT | {"standardize": "strip_punctuation"}),
    texts(TEXT | {"split": "character", "vocabulary": ["t", "é", "日", " "]}),
    texts(TEXT | {"split": None, "vocabulary": ["the cat sat on the mat", "cat"]}),
    texts(TEXT | GROUPS),
    texts(TEXT | GROUPS | {"ngrams": [3, 1]}),
    strings(TEXT, TEXTS),
    strings(TEXT | {"output_mode": "multi_hot"}, TEXTS),
    strings(TEXT | {"output_mode": "count"}, TEXTS),
    strings(TEXT | {"output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0, 0.25, 3, 4]}, TEXTS),
    strings(TEXT | {"output_mode": "count", "max_tokens": 12, "pad_to_max_tokens": True}, TEXTS),
    texts(
        [
            TEXT | {"output_sequence_length": 5},
            {"type": "Embedding", "input_dim": 9, "output_dim": 3, "mask_zero": True},
            {"type": "LSTM", "units": 4},
        ]
    ),
    texts(TEXT | {"ragged": True}, torch=False),
    integers(NUMBER),
    integers(NUMBER | {"mask_token": 0}),
    integers(NUMBER | {"num_oov_indices": 3}),
    integers(NUMBER | {"num_oov_indices": 0}, [[10, 7], [-3, 7]]),
    integers(NUMBER | {"output_mode": "one_hot", "mask_token": 5}),
    integers(NUMBER | {"output_mode": "multi_hot"}),
    integers([NUMBER | {"output_mode": "count"}, DENSE]),
    integers(NUMBER | {"num_oov_indices": 3, "oov_method": "farmhash"}),
    integers(NUMBER | {"num_oov_indices": 4, "oov_method": "farmhash", "salt": [1, 9]}),
    integers(NUMBER | {"output_mode": "tf_idf", "idf_weights": [0.5, 1.0, 2.0]}),
    integers(NUMBER | {"invert": True}, [[0, 1, 2], [3, 4, 9]]),
    integers(NUMBER | {"invert": True, "mask_token": 0}, [[0, 1, 2], [3, 4, 9]]),
    integers(NUMBER | {"vocabulary": list(range(5, 90))}),
    Case(BINS, (4,), inputs=([[-1, -0.5, 0, 0.1], [0.75, 2, -0.4999, 0.74]],)),
    Case(BINS | {"output_mode": "one_hot"}, (4,)),
    Case([BINS | {"output_mode": "one_hot"}, DENSE], (1,)),
    Case(BINS | {"output_mode": "multi_hot"}, (4,)),
    Case(BINS | {"output_mode": "count"}, (4,)),
    Case(BINS | {"output_mode": "count", "dtype": "int32"}, (40,)),
    Case(BINS | {"output_mode": "one_hot", "dtype": "float16"}, (1,), inputs=([[0.75], [0.7499]],)),
    Case(BINS, (4,), dtypes=("float64",)),
    Case(BINS, (4, 3, 2)),
    Case([BINS, {"type": "Embedding", "input_dim": 4, "output_dim": 3}], (3,)),
    integers(ENCODE, [[0, 5, 5], [1, 2, 3]]),
    integers([ENCODE | {"output_mode": "count"}, DENSE], [[0, 5, 5], [1, 2, 3]]),
    integers(ENCODE | {"output_mode": "one_hot"}, [[0], [5]]),
    integers(ENCODE | {"output_mode": "one_hot"}, [[0, 1], [5, 2]]),
    Case(
        ENCODE | {"output_mode": "count", "inputs": {"inputs": "in0", "count_weights": "in1"}},
        ((3,), (3,)),
        dtypes=("int64", "float32"),
        inputs=([[0, 5, 5], [1, 2, 3]], [[0.5, 1, 2], [1, 1, 3]]),
    ),
    integers(HASH),
    integers(HASH | {"mask_value": 7}),
    integers(HASH | {"output_mode": "one_hot", "salt": 3}, [[1], [2], [30]]),
    strings(HASH),
    strings(HASH | {"num_bins": 3, "mask_value": "cat", "salt": [1, 2]}),
    strings([HASH | {"output_mode": "multi_hot"}, DENSE]),
    Case(
        {"type": "HashedCrossing", "num_bins": 5},
        ((1,), (1,)),
        dtypes=("string", "int64"),
        inputs=([["a"], [""], ["né à Paris"]], [[1], [-(2**40)], [0]]),
    ),
    Case(
        [{"type": "HashedCrossing", "num_bins": 11, "output_mode": "one_hot"}, DENSE],
        ((1,), (1,)),
        dtypes=("int32", "int64"),
        inputs=([[7], [-8], [30]], [[1], [-2], [2**33]]),
    ),
    Case(
        {"type": "HashedCrossing", "num_bins": 1000},
        ((), ()),
        dtypes=("string", "string"),
        inputs=(["a" * 70, "b"], ["c", "d" * 40]),
    ),
]
