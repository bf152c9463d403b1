"""The console script, and ``python -m specfmt``.

``specfmt validate FILE...`` runs at every save and in every commit hook and must start fast, so
without options it bypasses Click: the commands are built only where there are options to parse.
"""

from __future__ import annotations

import gc
import os
import sys


def leave_current_folder() -> None:
    """Remove the current folder from the module search path: its `numpy.py` must not be imported.

    `python -m` puts it first.  If it is the checkout of specfmt itself, it is moved to the end.
    """
    if sys.flags.safe_path or sys.path[0] not in ("", os.getcwd()):  # noqa: PTH109 (costs an import)
        return
    here = os.path.realpath(sys.path.pop(0) or ".")
    if os.path.dirname(os.path.dirname(os.path.realpath(__file__))) == here:  # noqa: PTH120
        sys.path.append(here)


def write_anything() -> None:
    """Make output robust: characters that a stream cannot encode are escaped, closed streams ignored."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line."""
    write_anything()
    arguments = sys.argv[1:]
    if len(arguments) > 1 and arguments[0] == "validate" and all(map(_is_file, arguments[1:])):
        # Garbage collection would free nothing before the process ends.
        gc.disable()
        _leave(_validate(arguments[1:]))
    from specfmt.cli import main as click_main

    click_main(prog_name="specfmt")


def _is_file(argument: str) -> bool:
    return not argument.startswith("-") and os.path.isfile(argument)  # noqa: PTH113 (costs an import)


def _validate(files: list[str]) -> int:
    from specfmt.api import check
    from specfmt.console.reports import report

    try:
        width = _width() if sys.stdout.isatty() else None
        contents = [(_content(file), file) for file in files]
        checked = [(content, check(content, file=file)) for content, file in contents]
        text, code = report(checked, "text", width=width)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        return 1
    except OSError as error:
        sys.stderr.write(f"Error: {error.filename or ''}: {error.strerror or error}\n")
        return 1
    return code


def _width() -> int | None:
    """The terminal's width, or None if output is not shown in colour."""
    from specfmt.console.terminal import columns, in_colour

    return columns() if in_colour(sys.stdout) else None


def _content(file: str) -> bytes:
    with open(file, "rb") as stream:  # noqa: PTH123 (costs an import)
        return stream.read()


def _leave(code: int) -> None:
    """End the process at once: tearing down the interpreter takes a fifth of the whole run."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave_current_folder()
    main()
