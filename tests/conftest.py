"""Settings that all tests share; they must be made before a framework is imported."""

from __future__ import annotations

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    # Each process takes its share of the processors; more threads than those wait for each other.
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(variable, str(max(share, 1)))

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "specfmt",
    deadline=None,
    database=None,
    derandomize="SPECFMT_SPECS" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("specfmt")  # the same examples every time, or new ones where it is set


@pytest.fixture(autouse=True, scope="module")
def _lasting_objects_are_no_garbage() -> None:
    """Frameworks and thousands of collected tests stay; the collector need not look at them."""
    gc.collect()
    gc.freeze()
