"""Keys of a `state_dict` without the prefixes that wrappers around a module add."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from specfmt.weights.sources import TorchWeights

PREFIXES: Final = ("module.", "_orig_mod.", "model.")
"""`nn.DataParallel` and `AveragedModel`; `torch.compile`; the usual attribute of a LightningModule."""

COUNTERS: Final = frozenset(["n_averaged"])
"""The key that `torch.optim.swa_utils.AveragedModel` adds to those of its module."""


def without_prefixes(tensors: TorchWeights, known: Collection[str]) -> TorchWeights:
    """The tensors under the keys of the module without wrappers; unchanged if two keys would collide.

    Args:
        tensors: The tensors of a file.
        known: The keys of the module.
    """
    renamed = {key: _bare(key, known) for key in tensors}
    if all(key == bare for key, bare in renamed.items()):
        return tensors
    if len(set(renamed.values())) < len(renamed):
        return tensors
    return {
        renamed[key]: stored
        for key, stored in tensors.items()
        if key not in COUNTERS or key in known
    }


def _bare(key: str, known: Collection[str]) -> str:
    """The key without prefixes if that is a key of the module, else the key itself."""
    found = key
    while found not in known:
        prefix = next((p for p in PREFIXES if found.startswith(p)), None)
        if prefix is None:
            inner = found.replace("._orig_mod.", ".")  # a submodule that was compiled
            return inner if inner in known else key
        found = found.removeprefix(prefix)
    return found
