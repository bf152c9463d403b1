"""Cases of linear algebra; products undo the signs that a factorization leaves open."""

from __future__ import annotations

from typing import Any

from tests.cases.matrix_operations import of_rows
from tests.cases.operations import chain, op
from tests.tools.harness import Case

GENERAL = [
    [[2.0, 0.5, -1.0], [0.25, 3.0, 1.0], [1.0, -0.5, 1.5]],
    [[1.0, 2.0, 0.5], [-1.0, 2.5, 0.0], [0.5, 1.0, -2.0]],
]
DEFINITE = [
    [[4.0, 1.0, 0.5], [1.0, 3.0, -0.5], [0.5, -0.5, 2.0]],
    [[2.0, 0.5, 0.0], [0.5, 5.0, 1.0], [0.0, 1.0, 1.5]],
]
LOWER = [
    [[2.0, 0.0, 0.0], [0.5, 1.5, 0.0], [-0.5, 1.0, 2.5]],
    [[1.0, 0.0, 0.0], [2.0, 0.75, 0.0], [1.5, -1.0, 3.0]],
]
SYMMETRIC = [op("transpose", axes=[0, 2, 1], name="t"), op("add", "in0", "t", name="a")]
"""Frameworks spread the gradient of a symmetric matrix over its halves in their own ways."""


def undone(function: str, **fields: Any) -> list[dict[str, Any]]:
    """The product of two factors."""
    return [op(function, name="f", **fields), op("matmul", "f", "f:1", name="z")]


CASES = [
    chain(
        [op("det"), op("inv"), op("pinv"), op("pinv", rcond=1e-3)],
        (3, 3),
        inputs=(GENERAL,),
        name="matrices",
    ),
    chain(
        [op("cholesky"), op("cholesky", upper=True), op("logdet")],
        (3, 3),
        inputs=(DEFINITE,),
        name="definite",
    ),
    Case(
        [op("slogdet", name="s"), op("multiply", "s:1", 1.0, name="z")],
        (3, 3),
        inputs=(GENERAL,),
        name="slogdet",
    ),
    Case(
        [op("tril", name="t"), op("cholesky_inverse", "t")],
        (3, 3),
        inputs=(LOWER,),
        name="cholesky_inverse",
    ),
    Case(
        [
            op("transpose", axes=[0, 2, 1], name="t"),
            op("triu", "t", name="u"),
            op("cholesky_inverse", "u", upper=True),
        ],
        (3, 3),
        inputs=(LOWER,),
        name="cholesky_inverse-upper",
    ),
    chain(
        [op("matrix_rank"), op("matrix_rank", tol=2.5), op("svd", compute_uv=False)],
        (4, 3),
        name="ranks",
    ),
    *(
        chain([op(f, "in0", "in1", **fields)], [(3, 3), shape], inputs=(LOWER, right))
        for f, fields in (("solve", {}), ("solve_triangular", {"lower": True}))
        for shape, right in (
            ((3,), [[1.0, 2.0, -1.0], [0.5, 1.0, 3.0]]),
            ((3, 2), [[[1.0, 2.0], [0.5, -1.0], [3.0, 1.0]]] * 2),
        )
    ),
    Case(undone("qr"), (4, 3), outputs=["z"], name="qr"),
    Case(undone("qr"), (3, 3), outputs=["z"], name="qr-square"),
    Case(
        [*SYMMETRIC, op("eigh", "a", name="e"), op("multiply", "e", 1.0, name="z")],
        (3, 3),
        inputs=(DEFINITE,),
        outputs=["z"],
        name="eigh-values",
    ),
    Case(
        [
            *SYMMETRIC,
            op("eigh", "a", name="e"),
            op("expand_dims", "e", axis=1, name="v"),
            op("multiply", "e:1", "v", name="s"),
            op("transpose", "e:1", axes=[0, 2, 1], name="w"),
            op("matmul", "s", "w", name="z"),
        ],
        (3, 3),
        inputs=(DEFINITE,),
        outputs=["z"],
        name="eigh",
    ),
    *(
        Case(
            [
                op("svd", full_matrices=False, name="u"),
                op("expand_dims", "u:1", axis=1, name="v"),
                op("multiply", "u", "v", name="s"),
                op("matmul", "s", "u:2", name="z"),
            ],
            shape,
            outputs=["z"],
            name=f"svd-{shape}",
        )
        for shape in ((4, 3), (3, 4))
    ),
    of_rows(
        op("lstsq", "a", "b"),
        op("lstsq", "a", "b", rcond=0.6),
        op("getitem", "b", key=[{"slice": [None, None]}, 0]),
        op("lstsq", "a", "o2"),
        shapes=[(5, 3), (5, 2)],
        name="lstsq",
    ),
    of_rows(op("lstsq", "a", "b"), shapes=[(2, 4), (2, 2)], name="lstsq-wide"),
    Case(
        [
            op("getitem", "in0", key=0, name="a"),
            op("lu_factor", "a", name="f"),
            op("multiply", "f:1", 1, name="p"),
        ],
        (4, 4),
        outputs=["f", "p"],
        name="lu_factor",
    ),
    Case(
        [
            op("eig", name="e"),
            op("view_as_real", "e", name="r"),
            op("absolute", "e:1", name="s"),
        ],
        (3, 3),
        inputs=(GENERAL,),
        outputs=["r", "s"],
        name="eig",
    ),
]
