"""SCRUBUnlearner: disobey the teacher on the forgotten rows, obey it on the others."""

from functools import partial
from numbers import Integral, Real

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._steps import StepsUnlearner, divergence_gradient, risk_gradient


class SCRUBUnlearner(StepsUnlearner):
    """Forget as a student that disobeys its teacher on the forgotten rows only.

    The teacher is the model before the request. Passes over the remaining rows keep the student
    near to the teacher and its loss low; passes over the forgotten rows in between lead away from
    the teacher [1]_. The last passes are of the first kind alone.

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    alpha : float, default=0.1
        Part of the distance from the teacher in the steps on remaining rows.

    gamma : float, default=0.9
        Part of the loss in the steps on remaining rows.

    n_epochs : int, default=5
        Passes over the remaining rows.

    n_forget_epochs : int, default=2
        Passes over the forgotten rows, one after each of the first passes over the remaining
        rows. At most ``n_epochs - 1``, so that a pass over the remaining rows is the last.

    learning_rate : float, default=5e-3
        Length of the first step of Adam; it falls linearly to zero. Features should be scaled.

    batch_size : int, default=32
        Rows per step.

    random_state : int, RandomState instance or None, default=None
        Draws the batches, and seeds those parts of the estimator whose own ``random_state``
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
    NegGradPlusUnlearner : Both kinds of steps at once, by the losses.

    Notes
    -----
    Costs ``2 * n_epochs`` passes over the remaining and ``2 * n_forget_epochs`` over the forgotten
    rows. The distance is the Kullback-Leibler divergence of the predicted distributions where the
    loss is a log loss, half the squared distance of predictions where it is a squared error, and
    else what the loss makes of its curvature likewise. A pass over the remaining rows comes first
    (in the paper, one over the forgotten rows): at the teacher the distance has no slope. The
    paper's SCRUB+R, which rewinds to an earlier pass, is not part of it.

    References
    ----------
    .. [1] M. Kurmanji, P. Triantafillou, J. Hayes, E. Triantafillou, "Towards Unbounded Machine
       Unlearning", NeurIPS 2023, :arxiv:`2302.09880`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.baselines import SCRUBUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = SCRUBUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    '92 steps made'
    """

    def __init__(
        self,
        estimator,
        *,
        alpha=0.1,
        gamma=0.9,
        n_epochs=5,
        n_forget_epochs=2,
        learning_rate=5e-3,
        batch_size=32,
        random_state=None,
    ):
        self.estimator = estimator
        self.alpha = alpha
        self.gamma = gamma
        self.n_epochs = n_epochs
        self.n_forget_epochs = n_forget_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        check_number(self, "alpha", Real, 0)
        check_number(self, "gamma", Real, 0)
        check_number(self, "n_forget_epochs", Integral, 0, self.n_epochs - 1)

    def _steps(self, objective, leaving, rng):
        remaining, steps = objective.remaining_rows(), []
        obey = partial(_obey, teacher=objective, alpha=self.alpha, gamma=self.gamma)
        disobey = partial(_disobey, teacher=objective)
        for epoch in range(self.n_epochs):
            steps += [partial(obey, rows=batch) for batch in self._batches(remaining, rng)]
            if epoch < self.n_forget_epochs:
                steps += [partial(disobey, rows=batch) for batch in self._batches(leaving, rng)]
        return steps


def _obey(student, teacher, alpha, gamma, rows):
    """Return the gradient of distance and loss on remaining rows."""
    near = divergence_gradient(student, teacher, rows)
    return alpha * near + gamma * risk_gradient(student, rows)


def _disobey(student, teacher, rows):
    """Return the gradient that leads away from the teacher on rows that leave."""
    return -divergence_gradient(student, teacher, rows)
