"""RandomLabelUnlearner: teach wrong answers for the forgotten rows, then repair."""

from functools import partial
from numbers import Integral

import numpy as np

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._steps import StepsUnlearner, relabelled, risk_gradient


class RandomLabelUnlearner(StepsUnlearner):
    """Forget by training on drawn labels of the forgotten rows, then on what remains.

    Each forgotten row gets one of the other classes, or the target of a remaining row where
    there are no classes. The model trains on them together with the remaining rows [1]_, and then
    on the remaining rows alone, which repairs what the wrong labels did to them.

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    n_epochs : int, default=3
        Passes over all rows, the forgotten ones with drawn labels.

    n_repair_epochs : int, default=2
        Passes over the remaining rows after that.

    learning_rate : float, default=5e-3
        Length of the first step of Adam; it falls linearly to zero. Features should be scaled.

    batch_size : int, default=32
        Rows per step.

    random_state : int, RandomState instance or None, default=None
        Draws labels and batches, and seeds those parts of the estimator whose own ``random_state``
        is None.

    Attributes
    ----------
    estimator_ : estimator
        The plain fitted model, the thing to deploy.

    receipts_ : list of ForgetReceipt
        What was done, one entry per request.

    classes_ : ndarray of shape (n_classes,)
        Class labels; only for classifiers.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    AmnesiacUnlearner : The other method of the same paper.

    Notes
    -----
    Costs ``n_epochs + n_repair_epochs`` passes over the rows. Labels are drawn once per request.
    The model ends surer than a refit that the forgotten rows are something else: attacks that
    look for low loss find less, those that know refits may find more.

    References
    ----------
    .. [1] L. Graves, V. Nagisetty, V. Ganesh, "Amnesiac Machine Learning", AAAI 2021,
       :arxiv:`2010.10981`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.baselines import RandomLabelUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = RandomLabelUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    '90 steps made'
    """

    def __init__(
        self,
        estimator,
        *,
        n_epochs=3,
        n_repair_epochs=2,
        learning_rate=5e-3,
        batch_size=32,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_epochs = n_epochs
        self.n_repair_epochs = n_repair_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        check_number(self, "n_repair_epochs", Integral, 0)

    def _steps(self, objective, leaving, rng):
        remaining = objective.remaining_rows()
        wrong = relabelled(objective, leaving, drawn_targets(objective.y, leaving, remaining, rng))
        everything = np.concatenate([remaining, leaving])
        epochs = [everything] * self.n_epochs + [remaining] * self.n_repair_epochs
        return [
            partial(_gradient_at, wrong, rows=batch)
            for rows in epochs
            for batch in self._batches(rows, rng)
        ]


def _gradient_at(wrong, objective, rows):
    """Return the gradient with wrong labels, at an objective's parameters."""
    return risk_gradient(wrong.at(objective.theta), rows)


def drawn_targets(y, leaving, remaining, rng):
    """Return other targets for rows that leave, of those that the remaining rows have.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Class numbers, or targets.

    leaving, remaining : ndarray of int
        Row numbers.

    rng : RandomState
        Draws them.

    Returns
    -------
    ndarray
        Targets of the rows that leave.
    """
    if y.ndim > 1:
        return y[rng.choice(remaining, len(leaving))]
    classes = np.unique(y[remaining])
    own = np.searchsorted(classes, y[leaving])
    # A class that leaves as a whole is none of those to draw from.
    gone = ~np.isin(y[leaving], classes)
    other = rng.randint(len(classes) - 1, size=len(leaving))
    other += (other >= own) & ~gone
    any_class = rng.randint(len(classes), size=len(leaving))
    return classes[np.where(gone, any_class, other)]
