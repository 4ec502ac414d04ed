"""How much does a row of each class weigh, and how does that change as rows leave?"""

import numpy as np
from sklearn.utils import compute_class_weight

from sklearn_unlearn._records.altered import altered


class ClassWeights:
    """Counts of the rows of each class and the weights that follow from them.

    Parameters
    ----------
    problem : LinearProblem
        Whose ``class_weight``, ``multiclass`` and ``balance_counts_weights`` apply.

    classes : ndarray of shape (n_classes,) or None
        Class labels; None for targets that are not one class number per row.

    n_outputs : int
        Number of raw predictions per row.

    codes : ndarray of int of shape (n_rows,)
        Class number of each trained row; zeros without classes.

    weights : ndarray of shape (n_rows,)
        Sample weights of the trained rows.
    """

    def __init__(self, problem, classes, n_outputs, codes, weights):
        self.n_classes = 1 if classes is None else len(classes)
        self.balanced = problem.class_weight == "balanced"
        self._counts_weights = int(problem.balance_counts_weights)
        # One-vs-rest solvers weight the positive rows of each output, all others weight rows.
        self.per_output = problem.multiclass == "one-vs-rest" and n_outputs > 1
        self._given = np.ones(self.n_classes)
        if problem.class_weight is not None and not self.balanced:
            self._given = compute_class_weight(problem.class_weight, classes=classes, y=classes)
        self._tally = self._count(codes, weights)

    def _count(self, codes, weights):
        """Return rows and weights per class, of shape (n_classes, 2)."""
        n_classes = self.n_classes
        if n_classes == 1:
            return np.array([[len(codes), weights.sum()]], dtype=float)
        return np.column_stack(
            [np.bincount(codes, minlength=n_classes), np.bincount(codes, weights, n_classes)]
        )

    @property
    def counts(self):
        """Number of trained rows of each class, of shape (n_classes,)."""
        return self._tally[:, 0]

    def counts_of(self, data):
        """Return how many rows of each class are left, those without weight not counted.

        Looks at all rows only if a class has hardly any weight.
        """
        lightest = self._tally[0, 1] if self.n_classes == 1 else self._tally[:, 1].min()
        if lightest > 1e-9 * self.sample_weight:
            return self.counts
        rows = np.flatnonzero(data.live_weights())
        return np.bincount(data.codes(rows), minlength=self.n_classes)

    @property
    def n_rows(self):
        """Number of trained rows."""
        return int(self._total(0))

    @property
    def sample_weight(self):
        """Sum of the sample weights."""
        return float(self._total(1))

    def _total(self, column):
        """Return the sum over classes of a column of the tally."""
        return self._tally[0, column] if self.n_classes == 1 else self._tally[:, column].sum()

    @property
    def mean_weights(self):
        """Mean sample weight of the rows of each class, of shape (n_classes,)."""
        return self._tally[:, 1] / self._tally[:, 0]

    @property
    def weight(self):
        """Sum of the row weights, class weights included where they go to rows."""
        if self.per_output:
            return self.sample_weight
        return float(self._tally[:, 1] @ self.factors()[:, 0])

    def factors(self):
        """Return what each class is multiplied by, shape (n_classes, 1 or n_classes)."""
        weight = self._given
        if self.balanced:
            count, there = self._tally[:, self._counts_weights], self._tally[:, 0] > 0
            # A class without rows is none: balance is made among the others.
            weight = np.ones(self.n_classes)
            count = np.maximum(count[there], np.finfo(float).tiny)
            weight[there] = count.sum() / (there.sum() * count)
        if not self.per_output:
            return weight[:, None]
        factors = np.ones((self.n_classes, self.n_classes))
        np.fill_diagonal(factors, weight)
        return factors

    def without(self, codes, weights):
        """Return the class weights after some rows have left."""
        return self.changed(-self._count(codes, weights))

    def plus(self, codes, weights):
        """Return the class weights after some rows have come."""
        return self.changed(self._count(codes, weights))

    def reweighted(self, codes, changes):
        """Return the class weights after sample weights have changed."""
        return self.changed(self._count(codes, changes) * [0, 1])

    def changed(self, difference):
        """Return a copy with a difference added to the tally."""
        return altered(self, _tally=self._tally + difference)
