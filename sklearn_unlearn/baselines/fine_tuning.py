"""FineTuneUnlearner: go on training without the forgotten rows."""

from functools import partial

from sklearn_unlearn.baselines._steps import StepsUnlearner, risk_gradient


class FineTuneUnlearner(StepsUnlearner):
    """Forget by training on with the rows that remain.

    What a model knows of rows that it does not see again may fade: the catastrophic forgetting
    of networks, put to use [1]_. Every paper compares with it.

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    n_epochs : int, default=5
        Passes over the remaining rows.

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
    NegGradPlusUnlearner : The same, with steps away from the forgotten rows.

    Notes
    -----
    Costs ``n_epochs`` passes over the remaining rows. From an optimum, as of a linear model, the
    steps lead to the optimum of what remains; a network may stay where it is, because its loss
    on the remaining rows is as low as it gets.

    References
    ----------
    .. [1] A. Golatkar, A. Achille, S. Soatto, "Eternal Sunshine of the Spotless Net", CVPR
       2020, :arxiv:`1911.04933`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.baselines import FineTuneUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = FineTuneUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    '90 steps made'
    """

    def __init__(
        self,
        estimator,
        *,
        n_epochs=5,
        learning_rate=5e-3,
        batch_size=32,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state

    def _steps(self, objective, leaving, rng):
        remaining = objective.remaining_rows()
        return [
            partial(risk_gradient, rows=batch)
            for _ in range(self.n_epochs)
            for batch in self._batches(remaining, rng)
        ]
