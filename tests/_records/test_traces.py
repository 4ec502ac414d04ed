"""What is left of a row is found wherever it hides."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_unlearn._records.traces import holds_id, holds_labels, holds_row

ROW = np.array([0.1234567890123, -7.6543210987654])


def in_a_view():
    whole = np.vstack([np.zeros(2), ROW])
    return whole[:1]


def in_a_closure():
    kept = ROW.copy()
    return lambda: kept


@pytest.mark.parametrize(
    "root",
    [
        {"a": [SimpleNamespace(b=ROW)]},
        [ROW[:1].copy()],
        [ROW.astype(np.float32)],
        np.array([None, ROW], dtype=object),
        in_a_view(),
        in_a_closure(),
        lambda kept=ROW: kept,
    ],
    ids=["deep", "one value", "half precision", "objects", "base of a view", "closure", "default"],
)
def test_values_of_a_row_are_found(root):
    assert holds_row(root, ROW)
    assert not holds_row(root, np.array([1.5, 2.5]))


def test_tensors_are_searched():
    torch = pytest.importorskip("torch")
    assert holds_row([torch.tensor(ROW)], ROW)
    assert holds_row([torch.tensor(ROW, dtype=torch.float32, requires_grad=True)], ROW)
    assert not holds_row([torch.zeros(3)], ROW)


@pytest.mark.parametrize(
    "root",
    [{"subject-7": 1}, ["of subject-7"], np.array(["subject-7"]), np.array(["subject-7"], object)],
    ids=["key", "part", "strings", "objects"],
)
def test_ids_are_found(root):
    assert holds_id(root, "subject-7")
    assert not holds_id(root, "subject-8")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array(["b", "a", "b", "a"]), True),
        (np.array([1, 0, 1, 0]), True),
        (np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), True),
        ([True, False, True, False], True),
        (np.array([1, 0, 1, 1]), False),
        (np.array([1, 0, 1, 2]), False),
        (np.array([1, 1, 1, 1]), False),
        (np.array([1, 0, 1]), False),
    ],
)
def test_labels_are_found_under_any_name(values, found):
    assert holds_labels({"kept": values}, np.array(["x", "y", "x", "y"])) == found
