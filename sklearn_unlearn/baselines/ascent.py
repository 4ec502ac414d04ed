"""GradientAscentUnlearner: make the model worse on the forgotten rows."""

from numbers import Integral, Real

import numpy as np

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._rule import RuleUnlearner

# Length of a step as a share of the norm of the parameters, where no learning rate is given.
SHARE = 0.002


class GradientAscentUnlearner(RuleUnlearner):
    """Forget by gradient steps that raise the loss of the forgotten rows.

    The simplest baseline: training backwards, with no regard to the remaining rows [1]_.

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    learning_rate : float or "auto", default="auto"
        Length of a step, per unit of the mean gradient of the forgotten rows. With "auto" every
        step is 0.002 times as long as the vector of parameters, whatever the gradient's length:
        for features of any scale it raises the loss visibly and leaves a model of use.

    n_steps : int, default=10
        Number of steps.

    random_state : int, RandomState instance or None, default=None
        Seeds those parts of the estimator whose own ``random_state`` is None.

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
    InfluenceUnlearner : One step that knows the curvature of the remaining rows.

    Notes
    -----
    Costs ``n_steps`` passes over the k forgotten rows. The loss of the rows grows without
    bound if it goes on: there is no point at which it is done.

    References
    ----------
    .. [1] A. Thudi, G. Deza, V. Chandrasekaran, N. Papernot, "Unrolling SGD: Understanding
       Factors Influencing Machine Unlearning", EuroS&P 2022, :arxiv:`2109.13398`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn.baselines import GradientAscentUnlearner
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GradientAscentUnlearner(Ridge()).fit(X, y).partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    '10 steps made'
    """

    def __init__(self, estimator, *, learning_rate="auto", n_steps=10, random_state=None):
        self.estimator = estimator
        self.learning_rate = learning_rate
        self.n_steps = n_steps
        self.random_state = random_state

    def _check_params(self):
        if self.learning_rate != "auto":
            check_number(self, "learning_rate", Real, 0)
        check_number(self, "n_steps", Integral, 1)

    def _changed(self, objective, leaving, seed):
        weight = objective.weights[leaving].sum() or 1.0
        for _ in range(self.n_steps):
            gradient = objective.loss_gradient(leaving) / weight
            step = self._rate(objective.theta, gradient) * gradient
            objective = objective.at(objective.theta + step)
        return objective.theta, f"{self.n_steps} steps made"

    def _rate(self, theta, gradient):
        """Return what a gradient is multiplied by."""
        if self.learning_rate != "auto":
            return self.learning_rate
        norm = np.linalg.norm(gradient)
        return SHARE * np.linalg.norm(theta) / norm if norm else 0.0
