"""NegGradPlusUnlearner: train on, towards the remaining rows and away from the forgotten."""

from functools import partial
from itertools import cycle
from numbers import Real

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._steps import StepsUnlearner, mean_gradient, risk_gradient


class NegGradPlusUnlearner(StepsUnlearner):
    """Forget by lowering the loss of the remaining rows while raising that of the forgotten.

    The steps minimise ``alpha * (mean loss, remaining rows) - (1 - alpha) * (mean loss, forgotten
    rows)``, the baseline NegGrad+ [1]_.

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    alpha : float, default=0.99
        Part of the remaining rows, in [0, 1]; 1 is fine-tuning.

    n_epochs : int, default=5
        Passes over the remaining rows; the forgotten ones are taken as often as it needs.

    learning_rate : float, default=5e-3
        Length of the first step of Adam; it falls linearly to zero. Features should be scaled.

    batch_size : int, default=32
        Rows of either kind per step.

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
    GradientAscentUnlearner : Away from the forgotten rows alone.
    FineTuneUnlearner : Towards the remaining rows alone.

    Notes
    -----
    Costs up to ``2 * n_epochs`` passes over the remaining rows. The loss of the forgotten rows has
    no upper bound: with many epochs or a small alpha they end worse than rows never seen.

    References
    ----------
    .. [1] M. Kurmanji, P. Triantafillou, J. Hayes, E. Triantafillou, "Towards Unbounded Machine
       Unlearning", NeurIPS 2023, :arxiv:`2302.09880`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.baselines import NegGradPlusUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = NegGradPlusUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    '90 steps made'
    """

    def __init__(
        self,
        estimator,
        *,
        alpha=0.99,
        n_epochs=5,
        learning_rate=5e-3,
        batch_size=32,
        random_state=None,
    ):
        self.estimator = estimator
        self.alpha = alpha
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        check_number(self, "alpha", Real, 0, 1)

    def _steps(self, objective, leaving, rng):
        remaining = objective.remaining_rows()
        towards = [b for _ in range(self.n_epochs) for b in self._batches(remaining, rng)]
        away = cycle(self._batches(leaving, rng))
        return [
            partial(both_ways, rows=batch, leaving=gone, alpha=self.alpha)
            for batch, gone in zip(towards, away)
        ]


def both_ways(objective, rows, leaving, alpha):
    """Return the gradient of the loss of rows less that of rows that leave."""
    towards = alpha * risk_gradient(objective, rows)
    return towards if alpha == 1 else towards - (1 - alpha) * mean_gradient(objective, leaving)
