"""How a fresh PyTorch model starts: the distributions and fans that Keras starts from."""

from __future__ import annotations

from specfmt.targets.torch.program import ClassProgram


def reset_lines(program: ClassProgram, owner: str) -> tuple[list[str], str]:
    """Statements that initialize every parameter of one class (nested ones do it themselves).

    Args:
        program: The class.
        owner: ``self`` in a method, ``model`` in a function.

    Returns:
        The statements and the docstring that says whose convention they follow.
    """
    lines = []
    for param in program.parameters():
        lines.append(f"nn.init.zeros_({owner}.{param.key})")
    return lines, "As Keras starts."
