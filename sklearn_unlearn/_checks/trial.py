"""An unlearner, and the rows to check it on."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor

from sklearn_unlearn.base import BaseUnlearner

MIN_ROWS = 60


@dataclass(frozen=True)
class Trial:
    """An unlearner and data to check it on; see :func:`check_unlearner`.

    Parameters
    ----------
    unlearner : BaseUnlearner
        What to check; it is cloned.

    X : ndarray of shape (n_samples, n_features), default=None
        Rows.

    y : ndarray of shape (n_samples,), default=None
        Targets.

    fit_params : dict, default={}
        Further parameters of ``fit``.
    """

    unlearner: BaseUnlearner
    X: np.ndarray | None = None
    y: np.ndarray | None = None
    fit_params: dict = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.unlearner, BaseUnlearner):
            raise TypeError(
                f"check_unlearner checks unlearners; got {type(self.unlearner).__name__}. Derive "
                "it from sklearn_unlearn.base.BaseUnlearner."
            )
        if (self.X is None) != (self.y is None):
            raise ValueError("X and y belong together: pass both or none of them.")
        X, y = (self.X, self.y) if self.X is not None else _data(is_regressor(self.unlearner))
        X, y = np.array(X, dtype=float), np.array(y)
        if len(X) < MIN_ROWS:
            raise ValueError(f"X has {len(X)} rows; the checks need at least {MIN_ROWS}.")
        if is_classifier(self.unlearner) and min(np.unique(y, return_counts=True)[1]) < 10:
            raise ValueError("y has a class of fewer than 10 rows. Pass more rows of it.")
        values, counts = np.unique(X, return_counts=True)
        if not np.isin(X, values[counts == 1]).any(axis=1).all():
            raise ValueError(
                "X has a row all of whose values stand in other rows too, so that it can't be "
                "searched for. Add a column of noise."
            )
        vars(self).update(X=X, y=y, _own=values[counts == 1])

    def make(self):
        """Return a new unfitted unlearner, with a seed."""
        made = clone(self.unlearner)
        if "random_state" in made.get_params() and made.random_state is None:
            made.set_params(random_state=0)
        return made

    def fitted(self, X=None, y=None, X_ids=None):
        """Return an unlearner fitted on the rows, in another container if one is given."""
        X = self.X.copy() if X is None else X
        y = self.y.copy() if y is None else y
        return self.make().fit(X, y, X_ids=X_ids, **self.fit_params)

    @cached_property
    def ids(self):
        """One id per row."""
        return [f"subject-{row:04d}" for row in range(len(self.X))]

    def named(self):
        """Return an unlearner fitted with these ids."""
        return self.fitted(X_ids=list(self.ids))

    def marks(self, row):
        """Return those values of a row that no other row has."""
        return self.X[row][np.isin(self.X[row], self._own)]

    def request(self):
        """Return ids whose rows have other targets, so that it shows if these are kept."""
        first = 5
        other = first + np.flatnonzero(self.y[first:] != self.y[first])[[3, 4]]
        return [self.ids[row] for row in (first, *other)]

    def rest(self, n):
        """Return ids that neither a request nor the first of all names."""
        return [key for key in self.ids[1:] if key not in self.request()][-n:]

    def rows(self, X_ids):
        """Return the rows of ids."""
        return np.array([self.ids.index(key) for key in X_ids])


def _data(regression):
    """Return noisy rows and targets."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 4))
    score = X @ [1.0, -0.5, 0.3, 0.0] + 0.7 * rng.standard_normal(len(X))
    return X, np.exp(0.5 * score) if regression else np.where(score > 0, "spam", "ham")
