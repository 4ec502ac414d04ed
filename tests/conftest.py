import pytest
from hypothesis import HealthCheck, settings

from tests.unlearners import CASES

settings.register_profile(
    "default", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    """An unlearner of the contract table with its data."""
    return request.param
