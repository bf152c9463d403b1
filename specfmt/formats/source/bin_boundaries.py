"""Adding the boundaries that `adapt()` of Keras 2's `Discretization` found to the configs.

Keras 2 saves not the boundaries, which Keras 3 has in the config, but the weight ``summary``, from
which it computes them when it loads the file: values in ascending order, and how many samples each
stands for.  Source: `tf_keras/src/layers/preprocessing/discretization.py`.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import SpecError
from specfmt.formats.source.stored_arrays import StoredArrays
from specfmt.formats.source.vocabularies import CONTAINERS, layers_with

KEY: Final = "bin_boundaries"
MAX_BINS: Final = 2**31


def fill_boundaries(topology: Any, arrays: StoredArrays) -> None:
    """Add the boundaries to the layers of a ``.keras`` archive.

    Args:
        topology: The serialized model, changed in place.
        arrays: The weights in the archive.
    """
    for place, item in layers_with(KEY, topology, ""):
        if is_open(item["config"]):
            try:
                _ = arrays.data
            except SpecError:  # too large to look into
                return
            former = place.replace(CONTAINERS[0], CONTAINERS[1], 1)
            fill(item["config"], arrays.first((f"{place}/vars/0", f"{former}/vars/0")))


def fill_boundaries_of_hdf5(topology: Any, arrays: StoredArrays) -> None:
    """Add the boundaries to the layers of an ``.h5`` file.

    Args:
        topology: The serialized model, changed in place.
        arrays: The file.
    """
    for _, item in layers_with(KEY, topology, ""):
        name = item["config"].get("name")
        if is_open(item["config"]) and isinstance(name, str):
            paths = (f"model_weights/{name}/summary:0", f"model_weights/{name}/{name}/summary:0")
            fill(item["config"], arrays.first(paths))


def is_open(config: dict[str, Any]) -> bool:
    """Whether a layer's boundaries are not in its config."""
    bins = config.get("num_bins")
    return config[KEY] is None and isinstance(bins, int) and 0 < bins <= MAX_BINS


def fill(config: dict[str, Any], summary: Any) -> None:
    """Add the boundaries that Keras computes from a summary (2, n), if it is one."""
    import numpy as np

    if summary is None or summary.ndim != 2 or len(summary) != 2 or not summary.size:
        return
    values, weights = summary.astype("float32")
    if not (np.isfinite(summary).all() and (weights >= 0).all() and weights.any()):
        return  # damaged
    width = 1.0 / config["num_bins"]
    if values.size * width >= 1:
        total = weights.cumsum()
        wanted = width + np.arange(0.0, 1.0, width)
        values = np.interp(wanted, total / total[-1], values).astype("float32")
    config[KEY] = [float(value) for value in values[:-1]]
