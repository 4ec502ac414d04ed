"""FisherUnlearner: noise where the remaining rows don't hold the parameters."""

import secrets
from dataclasses import replace
from numbers import Real

import numpy as np

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._rule import RuleUnlearner


class FisherUnlearner(RuleUnlearner):
    """Forget by noise in those directions that matter little to the remaining rows.

    Every parameter gets normal noise of standard deviation ``(alpha / F)^(1/4)``, where F is
    its Fisher information on the remaining rows [1]_, estimated by the mean squared
    gradient (empirical Fisher, diagonal).

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    alpha : float, default=1e-7
        Strength of the noise, the product of the paper's trade-off and error variance.

    random_state : int, RandomState instance or None, default=None
        Draws the noise, and seeds those parts of the estimator whose own ``random_state`` is
        None. Whoever knows it can take the noise off again, and receipts say so; with None the
        noise of each request is drawn anew and its seed is not kept.

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
    InfluenceUnlearner : A step towards the model without the rows, without noise.

    Notes
    -----
    A request costs the gradient of every remaining row, d numbers each. The noise hides the
    rows rather than taking their effect away: the model does not come nearer to a refit. The
    default cost linear models up to 0.01 of their accuracy on digits, small networks up to 0.06.
    Information below a thousandth of its mean counts as that, else the noise had no bound.

    References
    ----------
    .. [1] A. Golatkar, A. Achille, S. Soatto, "Eternal Sunshine of the Spotless Net", CVPR
       2020, :arxiv:`1911.04933`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.baselines import FisherUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = FisherUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    'noise added'
    """

    def __init__(self, estimator, *, alpha=1e-7, random_state=None):
        self.estimator = estimator
        self.alpha = alpha
        self.random_state = random_state

    def _check_params(self):
        check_number(self, "alpha", Real, 0)

    def _request_seed(self):
        # Who knows the seed can take the noise off; without random_state nobody shall.
        return secrets.randbits(32) if self.random_state is None else super()._request_seed()

    def _arrive(self, objective, after, hessian_of, rows, leaving, pass_begins):
        objective, outcome = super()._arrive(
            objective, after, hessian_of, rows, leaving, pass_begins
        )
        if self.random_state is None:
            return objective, outcome
        return objective, replace(outcome, not_forgotten=("the noise, which random_state tells",))

    def _changed(self, objective, leaving, seed):
        information = objective.squared_gradients() / max(objective.n_rows, 1)
        # A parameter that no row can move, such as a fixed intercept, gets no noise.
        floor = 1e-3 * information.mean()
        scale = np.zeros_like(information)
        moves = information > 0
        scale[moves] = (self.alpha / np.maximum(information[moves], floor)) ** 0.25
        noise = np.random.RandomState(seed).standard_normal(scale.shape)
        return objective.theta + scale * noise, "noise added"
