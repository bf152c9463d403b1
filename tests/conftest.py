"""Settings that all tests share; they must be made before a framework is imported."""

from __future__ import annotations

import gc
import os
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
# On by itself only on some processors; without it TensorFlow cannot convolve channels-first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
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


LONGEST: Final = (
    "test_examples",
    "targets/test_exportable",
    "targets/test_types",
    "layers/test_cases",
    "layers/test_gradients",
    "weights/test_weights",
    "test_zoo",
    "parity/test_verify_original",
    "parity/test_verify",
    "targets/test_training",
    "targets/test_generated_code",
    "targets/test_markers",
    "formats/test_export",
    "formats/test_export_keras2",
    "formats/test_import_frameworks",
    "formats/test_preprocessing",
    "layers/test_image_augmentation",
    "layers/test_quantization",
    "layers/test_policies",
    "spec/test_wrong_specs",
    "test_hostile",
    "test_limits",
    "test_wheel",
    "test_kills",
    "text/test_formatting",
    "text/test_reading_bounds",
    "spec/test_former_names",
    "reference/test_schema",
)
"""Files that take longest, which begin first: at the end only short ones are left for two processes."""


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist take files in the order of their tests, not by how many they have."""
    config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first, where several processes share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        places = {f"tests/{name}.py": place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
