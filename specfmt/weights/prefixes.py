"""Keys of a `state_dict` without the prefixes that wrappers around a module add."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from specfmt.weights.sources import TorchWeights

PREFIXES: Final = ("module.", "_orig_mod.", "model.")
"""`nn.DataParallel` and `AveragedModel`; `torch.compile`; the usual attribute of a LightningModule."""

COUNTERS: Final = frozenset(["n_averaged"])
"""What `torch.optim.swa_utils.AveragedModel` keeps beside the module."""


def without_prefixes(tensors: TorchWeights, known: Collection[str]) -> TorchWeights:
    """The tensors under the keys of the bare module; as they are if two would become one.

    Args:
        tensors: What a file holds.
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
    """A key of the module, found by taking prefixes away; the key itself if that gives none."""
    found = key
    while found not in known:
        prefix = next((p for p in PREFIXES if found.startswith(p)), None)
        if prefix is None:
            inner = found.replace("._orig_mod.", ".")  # a submodule that was compiled
            return inner if inner in known else key
        found = found.removeprefix(prefix)
    return found
