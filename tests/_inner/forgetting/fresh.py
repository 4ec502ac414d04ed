"""Transformers that forget, compared attribute by attribute with those fitted on what remains."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone

from sklearn_unlearn._inner.forgetting.composed import Inputs, forget
from sklearn_unlearn._inner.forgetting.leaving import Leaving

TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


def taken(X, rows):
    """Return rows of a frame, an array, a matrix or a list."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return [X[row] for row in rows] if isinstance(X, list) else X[rows]


def n_rows_of(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


class Table:
    """Rows that leave a fitted transformer, request by request."""

    def __init__(self, step, X, y=None):
        self.X, self.y, self.n_looks = X, y, 0
        self.left = np.arange(n_rows_of(X))
        self.unfitted = step
        self.step, self.kept = clone(step).fit(X, y), None

    def remaining(self):
        self.n_looks += 1
        return taken(self.X, self.left), None if self.y is None else self.y[self.left], {}

    def forget(self, gone):
        """Take rows off, compare everything with a fresh fit, return what was found."""
        self.left = np.setdiff1d(self.left, gone)
        leaving = Leaving(lambda: taken(self.X, gone))
        rest = taken(self.X, self.left)
        before = plain(self.step.transform(rest))
        gone_before = plain(self.step.transform(taken(self.X, gone)))
        found = forget(self.step, Inputs.first(leaving, self.remaining), self.kept)
        fresh = clone(self.unfitted).fit(rest, None if self.y is None else self.y[self.left])
        assert_same_fit(found.step, fresh)
        after = plain(found.step.transform(rest))
        assert_close(after, plain(fresh.transform(rest)))
        np.testing.assert_array_equal(plain(self.step.transform(rest)), before)
        np.testing.assert_array_equal(plain(leaving.behind(self.step).rows()), gone_before)
        if found.change is not None:
            assert_changed_so(found.change, before, after)
        self.step, self.kept = found.step, found.kept
        return found


def plain(Z):
    """Return the output of a transformer as an array, of floats if it holds numbers."""
    Z = Z.toarray() if sparse.issparse(Z) else pd.DataFrame(Z)
    try:
        return Z.to_numpy(float, na_value=np.nan) if hasattr(Z, "iloc") else Z.astype(float)
    except (TypeError, ValueError):
        return Z.astype(str).to_numpy(object)


def assert_close(ours, theirs):
    if ours.dtype == object:
        np.testing.assert_array_equal(ours, theirs)
    else:
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)


def assert_changed_so(change, before, after):
    """Compare rows that remain with what a change makes of the old ones."""
    if before.dtype == object:
        assert change.is_same
        np.testing.assert_array_equal(before, after)
        return
    kept, scale, shift = change.parts(before.shape[1])
    assert not np.delete(before, kept, axis=1).any()
    mapped = before[:, kept] * scale + shift
    same = np.isclose(mapped, after, equal_nan=True, **TOLERANCE)
    if change.fill is None:
        assert same.all()
        return
    held = np.isclose(before[:, kept], change.fill.old, **TOLERANCE)
    holds = np.isclose(after, change.fill.new, **TOLERANCE)
    assert (same | (held & holds)).all()
    assert ((~same).sum(axis=0) <= change.fill.counts).all()


def assert_same_fit(ours, theirs):
    """Compare all that two fitted transformers learned, their parts included."""
    assert type(ours) is type(theirs)
    names = {name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")}
    assert names == {name for name in vars(ours) if name.endswith("_") and not name.startswith("_")}
    for name in names:
        assert_alike(getattr(ours, name), getattr(theirs, name), name)
    for parts in ("steps", "transformer_list"):
        for one, other in zip(getattr(ours, parts, ()), getattr(theirs, parts, ()), strict=True):
            assert one[0] == other[0]
            assert_alike(one[1], other[1], one[0])
    if hasattr(theirs, "get_feature_names_out"):
        try:
            names = theirs.get_feature_names_out()
        except (AttributeError, ValueError):
            return
        assert list(ours.get_feature_names_out()) == list(names)


def assert_alike(ours, theirs, name):
    """Compare two values of fitted attributes."""
    if hasattr(theirs, "fit"):
        assert_same_fit(ours, theirs)
    elif isinstance(theirs, np.ndarray) and theirs.dtype.kind in "fc":
        assert ours.dtype == theirs.dtype, name
        np.testing.assert_allclose(ours, theirs, err_msg=name, **TOLERANCE)
    elif isinstance(theirs, np.ndarray) and theirs.size and isinstance(theirs[0], np.ndarray):
        assert_alike(list(ours), list(theirs), name)
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype, name
        # As text, in which one NaN is like the other.
        given = (ours, theirs) if theirs.dtype != object else (ours.astype(str), theirs.astype(str))
        np.testing.assert_array_equal(*given, err_msg=name)
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), name
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other, name)
    elif isinstance(theirs, (float, np.floating)):
        np.testing.assert_allclose(ours, theirs, err_msg=name, **TOLERANCE)
    elif hasattr(theirs, "iloc") or hasattr(theirs, "levels"):
        assert ours.equals(theirs), name
    elif type(theirs).__eq__ is object.__eq__ and hasattr(theirs, "__dict__"):
        # Splines, which SciPy does not compare.
        for own, value in vars(theirs).items():
            assert_alike(getattr(ours, own), value, f"{name}.{own}")
    else:
        assert ours == theirs, name
