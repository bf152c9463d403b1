"""Which packages a generated script needs, found in its syntax tree before it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from specfmt.extras import EXTRAS, OF_BOTH

WITHOUT_DOWNLOAD = ("--data", "--predict", "--help")
"""Options with which a script does not download its data set; argparse accepts prefixes of them."""


def script_needs(code: str, options: list[str]) -> list[str]:
    """The optional packages that a script imports when it is run with these options.

    Args:
        code: A generated training script.
        options: Its command-line arguments.
    """
    tree = ast.parse(code)
    lazy = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    loads = not any(map(_skips_loading, options))
    found = {
        module
        for node in ast.walk(tree)
        if loads or node not in lazy or not isinstance(node, (ast.Import, ast.ImportFrom))
        for module in _modules(node)
    }
    return sorted(found & (OF_BOTH | EXTRAS.keys()))


def _skips_loading(option: str) -> bool:
    """Whether an option, or a prefix of one that argparse accepts, skips loading the data set."""
    name = option.partition("=")[0]
    return name == "-h" or (len(name) > 3 and any(o.startswith(name) for o in WITHOUT_DOWNLOAD))


def _modules(node: ast.AST) -> Iterator[str]:
    """The modules that a statement or expression needs."""
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        yield node.module.partition(".")[0]
        if node.module == "torch.utils.tensorboard":
            yield "tensorboard"
    elif isinstance(node, ast.Attribute) and ast.unparse(node) == "keras.callbacks.TensorBoard":
        yield "tensorboard"
    elif isinstance(node, ast.Constant) and str(node.value).endswith((".weights.h5", ".keras")):
        yield "h5py"
