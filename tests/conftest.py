"""Settings that all tests share; they must be made before a framework is imported."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "specfmt",
    deadline=None,
    database=None,
    derandomize="SPECFMT_SPECS" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("specfmt")  # the same examples every time, or new ones where it is set
