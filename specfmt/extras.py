"""Optional packages, the extras that install them, and plugins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, SpecError

OF_BOTH: Final = frozenset(("h5py", "matplotlib", "PIL", "safetensors", "sklearn", "tqdm"))
"""Modules that both extras ``keras`` and ``torch`` install."""

EXTRAS: Final = {
    "keras": "keras",
    "google_crc32c": "weights",
    "tensorboard": "tensorboard",
    "tensorflow": "keras",
    "torch": "torch",
    "torchvision": "datasets",
}
"""Modules that only one extra installs."""

OUTSIDE: Final = frozenset(("tf_keras",))
"""Modules that no extra installs: Keras 2, which only some files need."""

PACKAGES: Final = {"PIL": "pillow", "google_crc32c": "google-crc32c", "sklearn": "scikit-learn"}
"""Package names of modules whose package has another name."""


def is_installed(module: str) -> bool:
    """Whether a module is installed; it is not imported."""
    return find_spec(module) is not None


def install(modules: Iterable[str], target: str = "weights") -> str:
    """The command that installs modules.

    Args:
        modules: Top-level modules that are missing.
        target: The extra to use for modules that several extras install.
    """
    modules = set(modules)
    extras = {EXTRAS.get(module, target) for module in modules - OUTSIDE}
    if extras & {"keras", "torch"} and not any(EXTRAS.get(m) == "weights" for m in modules):
        extras -= {"weights"}  # its other packages are part of these extras
    wanted = [f'"specfmt[{",".join(sorted(extras))}]"'] if extras else []
    return " ".join(["pip install", *wanted, *sorted(modules & OUTSIDE)])


def require(modules: Iterable[str], purpose: str, target: str = "weights") -> None:
    """Raise an error unless all modules are installed.

    Args:
        modules: The modules that are needed.
        purpose: What they are needed for, in the words of the message: "to read HDF5 files".
        target: As for `install`.

    Raises:
        SpecError: SF312, with the command that installs what is missing.
    """
    missing = [module for module in dict.fromkeys(modules) if not is_installed(module)]
    if missing:
        names = ", ".join(PACKAGES.get(module, module) for module in missing)
        verb = "are" if len(missing) > 1 else "is"
        message = f"expected {names} {purpose}, which {verb} not installed"
        raise SpecError(
            [Diagnostic("SF312", message, (), install(missing, target), file=sys.executable)]
        )


def plugins(
    group: str, name: str = "", make: Callable[[Any], Any] = lambda found: found
) -> dict[str, Any]:
    """The plugins that installed packages register in an entry point group, without broken ones.

    Args:
        group: The group.
        name: The name of a single plugin; all plugins if empty.
        make: Converts a registered object to the result; a plugin for which it fails is left out.

    Warns:
        RuntimeWarning: For each plugin that is left out, with the reason.
    """
    from importlib.metadata import entry_points

    found: dict[str, Any] = {}
    for point in entry_points(group=group, name=name) if name else entry_points(group=group):
        try:
            found[point.name] = make(point.load())
        except Exception as error:
            import warnings

            place = f"{point.name} = {point.value}"
            message = f"the plugin {place} is left out: {type(error).__name__}: {error}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
    return found
