"""Cases of the reductions that leave NaN out, and of quantiles."""

from __future__ import annotations

from tests.cases.operations import chain, op
from tests.tools.harness import Case

NAN = float("nan")
DATA = [
    [[1.0, NAN, 3.0], [NAN, -2.0, 0.5], [4.0, 5.0, -6.0], [0.75, 7.0, NAN]],
    [[NAN, 2.5, -3.0], [0.25, NAN, 1.5], [-4.0, NAN, 6.0], [2.0, 3.0, 8.0]],
]
ALL = (
    *("nanmax", "nanmin", "nansum", "nanprod", "nanmean", "nanstd", "nanvar"),
    *("nanmedian", "nanargmax", "nanargmin"),
)
ONE = {"nanargmax", "nanargmin"}
METHODS = ("linear", "lower", "higher", "midpoint", "nearest")

CASES = [
    chain(
        [op(f, axis=axis, keepdims=keep) for f in ALL for axis in (1, -1) for keep in (True, False)]
        + [op(f, axis=[1, 2]) for f in ALL if f not in ONE]
        + [op(f) for f in ALL],
        (4, 3),
        inputs=(DATA,),
        name="nan-reductions",
    ),
    chain(
        [op(f, axis=1) for f in ("nancumsum", "nancumprod")] + [op("nancumsum")],
        (4, 3),
        inputs=(DATA,),
        name="nan-cumulative",
    ),
    chain(
        [op(f, axis=-1) for f in ("nanmax", "nanmin", "nanargmax")],
        (2,),
        inputs=([[NAN, NAN], [1.0, NAN]],),
        name="nan-alone",
    ),
    *(
        chain(
            [op(f, axis=1) for f in (*ALL, "nancumsum", "nancumprod") if f != "nanmedian"],
            (4, 3),
            dtypes=(kind,),
            name=f"nan-{kind}",
        )
        for kind in ("int32", "int64", "uint8")
    ),
    chain(
        [op("percentile", "in0", q, axis=1, method=m) for q in (30, 50) for m in METHODS]
        + [op("quantile", "in0", 0.3, axis=1, method="lower")],
        (5, 3),
        name="quantile-methods",
    ),
    chain(
        [
            op("quantile", "in0", [0.25, 0.5, 1.0], axis=-1),
            op("quantile", "in0", [0.25, 0.5], axis=1, keepdims=True),
            op("quantile", "in0", 0.2),
            op("percentile", "in0", 30, axis=[1, 2]),
            op("percentile", "in0", [10, 90], axis=1),
            op("quantile", "in0", 0.7, axis=[1, 2], keepdims=True),
        ],
        (4, 3),
        name="quantiles",
    ),
    chain(
        [
            op("nanquantile", "in0", 0.3, axis=-1),
            op("nanquantile", "in0", 0.3),
            op("nanpercentile", "in0", 60, axis=[1, 2]),
        ],
        (4, 3),
        inputs=(DATA,),
        name="nan-quantiles",
    ),
    Case([op("quantile", "in0", 0.3, axis=1)], (4,), dtypes=("int32",)),
]
