"""Cases of the rare element-wise operations."""

from __future__ import annotations

from tests.cases.operations import chain, op

VALUES = [[0.1, -0.5, 0.25, 3.5], [-2.5, 1.0, 2.0, -8.0]]
NAN, INF = float("nan"), float("inf")
UNARY = ("fabs", "sinc", "erfc", "deg2rad", "rad2deg", "i0", "angle", "real", "imag", "conj")
TESTS = ("signbit", "isneginf", "isposinf", "isreal")
BITS = ("bitwise_left_shift", "bitwise_right_shift", "left_shift", "right_shift", "gcd", "lcm")

CASES = [
    chain([op(f) for f in (*UNARY, "conjugate")], (4,), inputs=(VALUES,), name="numbers"),
    *(
        chain(
            [
                op(f)
                for f in UNARY
                if f not in ("erfc", *(("real", "conj") if kind == "bool" else ()))
            ],
            (4, 3),
            dtypes=(kind,),
            name=f"numbers-{kind}",
        )
        for kind in ("int32", "int64", "uint8", "bool")
    ),
    chain(
        [op(f) for f in TESTS],
        (4,),
        inputs=([[0.0, -0.0, NAN, INF], [-INF, 1.0, 2.0, -8.0]],),
        name="number-tests",
    ),
    *(
        chain([op(f) for f in TESTS], (4,), dtypes=(kind,), low=0 if kind == "uint8" else -4)
        for kind in ("int32", "uint8", "bool")
    ),
    chain(
        [op(f, "in0", "in1") for f in ("fmod", "heaviside", "logaddexp2", "isclose")]
        + [op(f, "in0", 1.5) for f in ("fmax", "fmin", "fmod", "logaddexp2")]
        + [op(f, 1.5, "in0") for f in ("fmax", "logaddexp2", "isclose")]
        + [op("isclose", "in0", "in1", rtol=0.5, atol=0.25)],
        [(4, 3), (4, 1)],
        name="number-pairs",
    ),
    chain(
        [op(f, "in0", "in1") for f in ("fmax", "fmin", "isclose")],
        [(4,), (4,)],
        inputs=([[NAN, 1.0, INF, 3.0]], [[2.0, NAN, INF, 4.0]]),
        name="number-pairs-nan",
    ),
    chain(
        [op("isclose", "in0", "in0", equal_nan=True), op("isclose", "in0", "in0")],
        (3,),
        inputs=([[NAN, 1.0, INF]],),
        name="isclose-nan",
    ),
    chain(
        [op("heaviside", "in0", "in1"), op("heaviside", "in0", "in0")],
        [(4,), (4,)],
        inputs=([[0.0, 1.0, -1.0, 0.0]], [[0.5, 2.0, 3.0, -4.0]]),
        name="heaviside-zero",
    ),
    chain([op("ldexp", "in0", "in1")], [(4,), (4,)], dtypes=("float32", "int32"), low=-3, high=4),
    chain(
        [op(f, "in0", "in1") for f in BITS]
        + [op("bitwise_left_shift", "in0", 2), op("right_shift", "in0", 1)]
        + [op("bitwise_invert"), op("bitwise_not"), op("fmod", "in0", "in1"), op("fmax", "in0", 3)]
        + [op("heaviside", "in0", "in1"), op("isclose", "in0", 3), op("ldexp", "in0", "in1")],
        [(4, 3), (4, 3)],
        dtypes=("int32", "int32"),
        low=1,
        high=7,
        name="number-bits",
    ),
]
