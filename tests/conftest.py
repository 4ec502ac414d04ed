import os
import subprocess
import sys

# Two workers with two threads each wait for one another on two cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from tests.unlearners import CASES

# Few examples, so that all tests are run often; `make thorough` draws many.
for profile, n_examples in (("default", 10), ("thorough", 100)):
    settings.register_profile(
        profile,
        deadline=None,
        max_examples=n_examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile("default")


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    """An unlearner of the contract table with its data."""
    return request.param


HIDE_TORCH = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numba", "torch", "skorch"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def run_without_torch():
    """Run code in a process that finds no optional package; returns what became of it."""

    def run(code):
        command = [sys.executable, "-c", HIDE_TORCH + code]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
