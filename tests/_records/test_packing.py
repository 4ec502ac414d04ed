"""Values of rows in few bytes come back to the last bit."""

import pickle

import numpy as np
import pytest

from sklearn_unlearn._records.packing import packed, unpacked

ONES = np.ones(1000)
CHANGED = ONES.copy()
CHANGED[[3, 500, 999]] = -0.0, np.nan, 2.5
CODES = np.arange(1000) % 7 - 2


@pytest.mark.parametrize(
    ("values", "max_bytes"),
    [
        pytest.param(ONES, 700, id="all alike"),
        pytest.param(CHANGED, 700, id="a few changed"),
        pytest.param(np.where(CHANGED == 1, 0.0, CHANGED)[::2], 700, id="with signed zeros"),
        pytest.param(CODES, 1300, id="whole numbers"),
        pytest.param(CODES > 0, 1300, id="booleans"),
        pytest.param(CODES / 3, 8300, id="floats"),
        pytest.param(CODES[:0], 300, id="none"),
        pytest.param(CODES.reshape(-1, 2), 8300, id="two columns"),
        pytest.param(CODES.astype(np.longdouble), 16400, id="long"),
    ],
)
def test_values_come_back_to_the_last_bit_in_their_type(values, max_bytes):
    stored = pickle.dumps(packed(values))
    assert len(stored) < max_bytes
    found = unpacked(pickle.loads(stored))
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    assert found.tobytes() == values.tobytes()
