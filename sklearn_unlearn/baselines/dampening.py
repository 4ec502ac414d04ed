"""SSDUnlearner: dampen the parameters that matter to the forgotten rows above all."""

from numbers import Real

import numpy as np

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._rule import RuleUnlearner


class SSDUnlearner(RuleUnlearner):
    """Forget by dampening those parameters that are the forgotten rows' own.

    Selective synaptic dampening [1]_: a parameter matters to rows by its Fisher information on
    them, estimated by their mean squared gradient. Those that matter ``alpha`` times as much
    to the forgotten rows as to all rows are multiplied by ``dampening`` times the ratio of the
    second to the first, at most by one. There is no training.

    Parameters
    ----------
    estimator : estimator
        Any model that :class:`~sklearn_unlearn.PUMAUnlearner` supports; it is cloned. A
        FrozenEstimator is taken as fitted.

    alpha : float, default=10.0
        How much more a parameter must matter to the forgotten rows than to all rows.

    dampening : float, default=1.0
        Factor of the dampening, the paper's lambda; the smaller, the more is taken away.

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
    FisherUnlearner : Noise by the same information.

    Notes
    -----
    Costs the gradient of every row, d numbers each. Made for networks, which have parameters of
    single rows and classes; in a linear model every row bends all coefficients of an
    output, and few are selected. Forgotten rows that are a share p of all can't matter more than
    ``1 / p`` times as much to themselves: an alpha beyond that selects nothing, which the receipt
    tells.

    References
    ----------
    .. [1] J. Foster, S. Schoepf, A. Brintrup, "Fast Machine Unlearning without Retraining through
       Selective Synaptic Dampening", AAAI 2024, :arxiv:`2308.07707`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.baselines import SSDUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = SSDUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].stopped_because
    'dampened 0 of 31 parameters'
    """

    def __init__(self, estimator, *, alpha=10.0, dampening=1.0, random_state=None):
        self.estimator = estimator
        self.alpha = alpha
        self.dampening = dampening
        self.random_state = random_state

    def _check_params(self):
        check_number(self, "alpha", Real, 0)
        check_number(self, "dampening", Real, 0)

    def _changed(self, objective, leaving, seed):
        own, others = objective.squared_gradients(leaving), objective.squared_gradients()
        n_rows = objective.n_rows + len(leaving)
        factors = dampened(own / len(leaving), (own + others) / n_rows, self.alpha, self.dampening)
        n_selected = int((factors < 1).sum())
        how = f"dampened {n_selected} of {factors.size} parameters"
        return factors * objective.theta, how


def dampened(own, overall, alpha, dampening):
    """Return the factor of each parameter.

    Parameters
    ----------
    own : ndarray
        Information of the forgotten rows.

    overall : ndarray
        Information of all rows.

    alpha, dampening : float
        As for :class:`SSDUnlearner`.

    Returns
    -------
    ndarray
        Factors, one for parameters that are not selected.
    """
    factors = np.ones_like(own)
    chosen = own > alpha * overall
    factors[chosen] = np.minimum(dampening * overall[chosen] / own[chosen], 1.0)
    return factors
