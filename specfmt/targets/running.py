"""Running generated programs in separate processes: what they may import, and from where.

The current folder may contain a `numpy.py`, and a spec may name any class: neither is imported
unless the user allowed it.
"""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.extras import require
from specfmt.fields.foreign import KERAS_ROOTS, is_allowed
from specfmt.spec.document import ModelSpec
from specfmt.spec.foreign import foreign_classes
from specfmt.targets.needs import script_needs

STOCK: Final = sys.stdlib_module_names | {
    *("keras", "matplotlib", "numpy", "PIL", "safetensors", "sklearn", "tensorflow", "torch"),
    *("torchvision", "tqdm"),
}
"""Modules that generated programs import even if the spec names no foreign code."""

RUN: Final = """\
import runpy, sys
sys.path += filter(None, [sys.argv.pop(1)])
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except KeyboardInterrupt:
    sys.exit(130)
"""
"""Runs a script with the user's folder, if it is given, at the end of the module search path; Ctrl-C
ends it without a traceback."""


def require_allowed(spec: ModelSpec, code: str, target: str) -> str:
    """Refuse to run a program unless the user allowed all foreign code that it imports.

    Args:
        spec: The spec that the program was generated from.
        code: The program's source.
        target: The name of its target.

    Returns:
        The folder to search for the user's modules; empty if the program imports none.

    Raises:
        SpecError: SF309; the hint lists the missing ``--allow`` options.
    """
    found = list(dict.fromkeys(_foreign_imports(code)))
    if target == "keras":
        found += [c for c in foreign_classes(spec) if c.startswith(KERAS_ROOTS) and c not in found]
    missing = [dotted for dotted in found if not is_allowed(dotted)]
    if missing:
        shown = " ".join(f"--allow {dotted}" for dotted in missing)
        message = f"expected permission to import and call {', '.join(missing)}, received none"
        hint = f"review that code, then add: {shown}"
        raise SpecError([Diagnostic("SF309", message, (), hint)])
    return os.getcwd() if found else ""  # noqa: PTH109 (a string for another process)


def _foreign_imports(code: str) -> Iterator[str]:
    """The dotted names that a program imports from modules outside `STOCK`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] not in STOCK)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] not in STOCK and not _is_plugin(module):
                yield from (f"{module}.{alias.name}" for alias in node.names)


def _is_plugin(module: str) -> bool:
    """Whether an installed package registered a layer of this module with specfmt."""
    from specfmt.layers.registry import layer_class, layer_types

    classes = map(layer_class, layer_types())
    return any(cls is not None and cls.keras_module == module for cls in classes)


def environment(**changes: str) -> dict[str, str]:
    """The environment of a process that does not import modules from the current folder.

    Args:
        changes: Variables to set.
    """
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = {**os.environ, **changes, "PYTHONSAFEPATH": "1"}
    # An empty entry, as in `PYTHONPATH=$PYTHONPATH:/more`, means the current folder.
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (changes.get("PYTHONPATH"), *path)))
    if not kept["PYTHONPATH"]:
        del kept["PYTHONPATH"]
    return kept


def script_command(script: Path, options: list[str], user_folder: str) -> list[str]:
    """The command that runs a generated script.

    Args:
        script: The script's file.
        options: Its command-line arguments.
        user_folder: The folder to search for the user's modules; empty for none.
    """
    return [sys.executable, "-P", "-c", RUN, user_folder, str(script), *options]


def run_training(
    script: Path, code: str, target: str, arguments: list[str], user_folder: str
) -> int:
    """Run a training script.

    Args:
        script: The script's file.
        code: The script's source.
        target: The name of its target.
        arguments: Its command-line arguments.
        user_folder: The result of `require_allowed`.

    Returns:
        The script's exit code.

    Raises:
        SpecError: SF312 if it imports a package that is not installed.
    """
    require(script_needs(code, arguments), f"to run {script}", target)
    # TensorFlow's start-up log would drown the script's own output.
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")
    command = script_command(script, arguments, user_folder)
    return run(command, environment(TF_CPP_MIN_LOG_LEVEL=level))


def run(command: list[str], env: dict[str, str]) -> int:
    """Run a program and wait for it; SIGINT and SIGTERM are forwarded to it.

    Returns:
        Its exit code; as in shells, 128 plus the signal's number if a signal ended it.
    """
    process = subprocess.Popen(command, env=env)
    previous_handlers: dict[int, Any] = {}

    def forward(number: int, _: object) -> None:
        # A terminal sends SIGINT to both processes; receiving it twice does no harm.
        with suppress(OSError):
            process.send_signal(number)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(ValueError):  # only the main thread may set handlers
                previous_handlers[number] = signal.signal(number, forward)
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for caught, handler in previous_handlers.items():
            signal.signal(caught, handler)
    return code if code >= 0 else 128 - code
