"""Adding the vocabularies in the ``assets`` folder of a ``.keras`` archive to the configs.

A vocabulary that ``adapt()`` has found is not in the layer's config, where it is null, but in
``assets/layers/text_vectorization/vocabulary.txt``: one token per line, special tokens first.
Source: `save_assets` and `load_assets` of `keras/src/layers/preprocessing/index_lookup.py` (tf_keras
has the same), `_save_container_state` of `keras/src/saving/saving_lib.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from specfmt.formats.config.reading import Json
from specfmt.formats.source.stored_arrays import StoredArrays
from specfmt.layers.preprocessing_categories import IntegerLookup, TextVectorization
from specfmt.vocab.naming import to_snake_case

CONTAINERS: Final = ("layers", "_layer_checkpoint_dependencies", "preprocessors")
"""The folder of a model's layers; TensorFlow 2.12 wrote the second name, a FeatureSpace the third."""

KEY: Final = "vocabulary"
FOLDER: Final = "assets/"
TABLE: Final = "/vocabulary.txt"
WEIGHTS: Final = "model.weights.h5"

Read = Callable[[str], bytes | None]
"""Returns the bytes of a member of the archive, or None if there is none of this name."""


def fill_vocabularies(topology: Any, names: list[str], read: Read, arrays: StoredArrays) -> None:
    """Add to every lookup layer the vocabulary that the archive has for it.

    Args:
        topology: The serialized model, changed in place.
        names: The members of the archive.
        read: Reads a member.
        arrays: The weights in the archive.

    Raises:
        SpecError: SF401 if a vocabulary is too large.
    """
    assets = {name.replace("\\", "/"): name for name in names if name.endswith("vocabulary.txt")}
    if not assets:
        return
    lookups = layers_with(KEY, topology, FOLDER)
    wanted = [(place, item) for place, item in lookups if _is_open(item)]
    for place, item in wanted:
        alone = sorted(assets, key=len)[0] if len(wanted) == 1 else ""
        found = next((p for p in (*_spellings(place), alone) if p in assets), None)
        data = read(assets[found]) if found is not None else None
        if data is not None:
            tokens = read_tokens(data, item["config"].get("vocabulary_size"))
            group = place.removeprefix(FOLDER)
            weights = partial(_idf_weights, group, arrays)
            fill(item["class_name"], item["config"], tokens, weights)


def layers_with(key: str, item: Any, place: str) -> Iterator[tuple[str, Json]]:
    """The layers of a serialized model whose config has a key, and the folder of each."""
    config = item.get("config") if isinstance(item, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    counts: dict[str, int] = {}
    for inner in layers if isinstance(layers, list) else ():
        if not isinstance(inner, dict) or not isinstance(inner.get("class_name"), str):
            continue
        name = to_snake_case(inner["class_name"])
        count = counts.get(name, 0)
        counts[name] = count + 1
        where = f"{place}{CONTAINERS[0]}/{name}{f'_{count}' if count else ''}"
        inner_config = inner.get("config")
        if not isinstance(inner_config, dict):
            continue
        if key in inner_config:
            yield where, inner
        elif isinstance(inner_config.get("layer"), dict):
            wrapped = inner_config["layer"]
            if isinstance(wrapped.get("config"), dict) and key in wrapped["config"]:
                yield f"{where}/layer", wrapped
            yield from layers_with(key, wrapped, f"{where}/layer/")
        else:
            yield from layers_with(key, inner, f"{where}/")


def _is_open(item: Json) -> bool:
    return item["config"][KEY] is None and isinstance(item.get("class_name"), str)


def _spellings(place: str) -> Iterator[str]:
    for container in CONTAINERS:
        folder = place.replace(f"/{CONTAINERS[0]}/", f"/{container}/")
        yield from (f"{folder}{TABLE}", f"{folder}/_lookup_layer{TABLE}")


def fill(class_name: str, config: Json, tokens: list[Any], idf: Callable[[], list[float]]) -> None:
    """Add a vocabulary to the config of a lookup layer.

    Args:
        class_name: The class of the layer.
        config: Its config, changed in place.
        tokens: The tokens, with or without the special ones.
        idf: Reads the IDF weights.
    """
    if class_name == IntegerLookup.type_name:
        try:
            tokens = [int(token) for token in tokens]
        except ValueError:
            return
    special = _special_tokens(class_name, config)
    own = tokens[len(special) :] if tokens[: len(special)] == special else tokens
    if not own or len(set(own)) < len(own):
        return  # Keras cannot load it either
    if config.get("output_mode") in ("tf_idf", "tf-idf"):
        tokens, weights = [*special, *own], idf()
        if len(weights) < len(tokens):
            return
        # There are weights for the special tokens too.
        config[KEY], config["idf_weights"] = tokens, weights[: len(tokens)]
    else:
        config[KEY] = own


def read_tokens(data: bytes, size: Any) -> list[str]:
    """The lines of a vocabulary file.

    Keras 3 splits lines as Python does, and drops empty ones at the end; Keras 2 splits only at line
    feeds.  ``size``, from the config, determines which of the two gives the saved vocabulary.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # the encoding of Python on Windows
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    by_line = text.splitlines()
    while by_line and not by_line[-1]:
        by_line.pop()
    by_feed = text.split("\n")
    return by_feed if len(by_feed) == size else by_line


def _special_tokens(class_name: str, config: Json) -> list[Any]:
    """The mask token and the out-of-vocabulary tokens, with which the file begins."""
    text = class_name == TextVectorization.type_name
    mask = "" if text else config.get("mask_token")
    unknown = "[UNK]" if text else config.get("oov_token")
    many = 1 if text else config.get("num_oov_indices")
    masked = mask is not None and config.get("output_mode", "int") == "int"
    return [mask] * masked + [unknown] * (
        many if isinstance(many, int) and 0 <= many < 2**16 else 1
    )


def _idf_weights(group: str, arrays: StoredArrays) -> list[float]:
    """The IDF weights that `adapt()` found, from the weights in the archive."""
    found = arrays.first((f"{group}/vars/idf_weights", f"{group}/_lookup_layer/vars/idf_weights"))
    return [] if found is None else [float(number) for number in found]
