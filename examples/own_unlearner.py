"""
An unlearner of one's own
=========================

Naive Bayes models are made of counts, and a count can be taken back: what the rows once added
is subtracted. The class below says only that; ids, atomic requests, receipts and whatever
predicts come from the base class.
"""

from copy import deepcopy

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_consistent_length

from sklearn_unlearn.base import BaseUnlearner, Outcome, RowParts, SubjectIndex


class CountingUnlearner(BaseUnlearner):
    """Forget by taking back what rows added to the counts of a naive Bayes model."""

    def __init__(self, estimator, *, random_state=None):
        self.estimator = estimator
        self.random_state = random_state  # Counting draws nothing; refits set it all the same.

    def fit(self, X, y, *, X_ids=None):
        check_consistent_length(X, y)
        subjects = SubjectIndex(len(y), X, y, X_ids)
        model = clone(self.estimator).fit(X, y)
        self._start(model, subjects, _X=RowParts(X), _y=RowParts(y))
        return self

    def training_data(self, rows):
        return self._X.take(rows), self._y.take(rows), {}

    def _forget(self, rows, context):
        left = np.setdiff1d(self.rows_of(), rows)
        lost = np.setdiff1d(self.classes_, self._y.take(left)).tolist()
        if lost:
            raise ValueError(f"The request would leave no row of class {lost[0]!r}. Fit anew.")
        model = deepcopy(self.estimator_)
        minus = np.full(len(rows), -1.0)
        model.partial_fit(self._X.take(rows), self._y.take(rows), sample_weight=minus)
        whole = np.array_equal(model.feature_count_, np.rint(model.feature_count_))
        return {"estimator_": model}, Outcome(
            # Differences of whole numbers have no rounding error.
            guarantee="exact" if whole else "approximate",
            stopped_because="the counts were taken back",
            not_forgotten=("the file of the memory-mapped X",) if self._X.from_file else (),
        )

    def _erase(self, rows):
        self._X.erase(rows)
        self._y.erase(rows)


# %%
# It keeps the contract, and forgets.

if __name__ == "__main__":
    from sklearn.datasets import load_digits
    from sklearn.naive_bayes import BernoulliNB, MultinomialNB

    from sklearn_unlearn import model_digest
    from sklearn_unlearn.unlearner_checks import check_unlearner

    check_unlearner(CountingUnlearner(BernoulliNB()))

    X, y = load_digits(return_X_y=True)
    model = CountingUnlearner(MultinomialNB()).fit(X, y).partial_forget(range(100))
    refit = MultinomialNB().fit(X[100:], y[100:])
    print(model.receipts_[-1].guarantee)
    print("bitwise equal to a refit:", model_digest(model.estimator_) == model_digest(refit))
