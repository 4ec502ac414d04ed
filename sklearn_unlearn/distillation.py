"""DistillationUnlearner: train a network on, held to a guide that has not seen the rows."""

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_unlearn._influence.checks import TransformerDoubt
from sklearn_unlearn._influence.correcting import CorrectingMixin
from sklearn_unlearn._influence.criteria import CriterionSource, given_pair
from sklearn_unlearn._influence.unlearner import ObjectiveUnlearner
from sklearn_unlearn._inner.callbacks import with_callbacks
from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn._inner.fit_params import with_weights
from sklearn_unlearn._inner.networks import is_network
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._inner.torch_state import torch_seed
from sklearn_unlearn.base import Excluded, Ids, MatrixLike, RandomState

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Share of a training that a request may spend, and the least number of passes over the rows: with
# less it was not near a refit (examples/benchmarks/network_forgetting.py).
SHARE, LEAST_PASSES = 0.15, 2.5


class DistillationUnlearner(CorrectingMixin, ObjectiveUnlearner):
    """Forget in a network by training on, held to a guide that has not seen the rows.

    A network that knows its rows by heart has almost no gradient on them, so that steps by
    influence are too short, and their direction is not that of a refit. Here a *guide* is
    trained: weights shrunken towards fresh ones [2]_, on the remaining rows, for a share of
    a training. Then the network trains on by its own recipe on the remaining rows, while its
    outputs on the forgotten rows are drawn to the guide's [1]_.

    For requests that need an answer at once see :class:`PUMAUnlearner`; this one ends nearer to a
    refit, at the cost of some passes over the rows.

    Parameters
    ----------
    estimator : estimator
        MLPClassifier, MLPRegressor, or skorch's NeuralNetClassifier, NeuralNetBinaryClassifier or
        NeuralNetRegressor, alone or as the last step of a Pipeline, whose transformers forget as
        well. It is cloned; a :class:`~sklearn.frozen.FrozenEstimator` is taken as already
        fitted on the rows given to ``fit``.

    budget : float or "auto", default="auto"
        Share of the row passes of the training that a request may spend, in [0, 1]. "auto" is
        0.15. A budget of less than 2.5 passes over the rows is raised to these; where it would
        reach the whole training, the network is trained again.

    shrink : float, default=0.5
        Share of the network's own weights where the guide starts, in [0, 1]; the rest are fresh
        ones. 0 is a guide that has never seen the rows.

    random_state : int, RandomState instance or None, default=None
        Draws fresh weights, batches and dropout, and seeds those parts of the estimator
        whose own ``random_state`` is None.

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
    PUMAUnlearner : Steps by influence, an answer at once.

    Notes
    -----
    A request costs ``budget`` of the training, for one row as for many, and a step by influence,
    which is where the network starts if that costs nothing on held-out rows. ``fit`` costs nothing
    more than the training.

    Held-out rows are ``X_val``, or those that a ``train_split`` of the net holds out. A guide that
    loses more than the network on them is followed only for rows that the network knows better than
    unseen ones, not for others, as with wrong labels: there it just trains on. Where the
    forgotten rows are known no better than unseen ones of their classes, by the network and
    against the guide, training would leave them less sure than these: one step by influence is
    made instead, and the receipt says so, with the power of the test. Without held-out rows the
    losses of the guide and the network on the forgotten rows are compared, which overlooks a poor
    guide.

    Learning rates are those that training began with; of a schedule nothing else is taken. Labels
    of forgotten rows count as class shares, and in a criterion that weights classes.

    ``measures`` of a receipt: "passes" over the remaining rows; mean losses of the forgotten rows
    "loss_before", "loss_after" and "loss_by_guide"; "drift_remaining", the mean divergence of
    outputs on up to 1,000 remaining rows from those before, in the terms of the loss
    (Kullback-Leibler for log losses); with held-out rows also "unseen_loss_before",
    "unseen_loss_after", and "attack_before" and "attack_after", the AUC of an attack that calls
    rows of low loss members.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015,
       :arxiv:`1503.02531`.

    .. [2] J. Ash, R. P. Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020,
       :arxiv:`1910.08475`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn_unlearn import DistillationUnlearner
    >>> X, y = load_digits(return_X_y=True)
    >>> net = MLPClassifier((64,), learning_rate_init=0.01, tol=0.01, n_iter_no_change=3)
    >>> model = DistillationUnlearner(net, random_state=0)
    >>> model = model.fit(X[300:] / 16, y[300:], X_val=X[:300] / 16, y_val=y[:300])
    >>> receipt = model.partial_forget(range(50)).receipts_[-1]
    >>> receipt.guarantee, receipt.measures["loss_after"] > receipt.measures["loss_before"]
    ('approximate', True)
    """

    fitting_params = ("estimator", "random_state")

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        budget: float | Literal["auto"] = "auto",
        shrink: float = 0.5,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.budget = budget
        self.shrink = shrink
        self.random_state = random_state

    @with_callbacks
    def fit(
        self,
        X: MatrixLike,
        y: "ArrayLike",
        *,
        X_ids: Ids | None = None,
        exclude_ids: Excluded = None,
        X_val: MatrixLike | None = None,
        y_val: "ArrayLike | None" = None,
        sample_weight: "ArrayLike | None" = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, as the inner estimator takes them.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the data subject that each row belongs to; a subject may own many rows.
            Any hashable values. By default the index of X if it is pandas, else the index
            of y if that is pandas, else the row positions.

        exclude_ids : set, array-like or callable, default=None
            Ids whose rows are left out, such as those of subjects that asked to be forgotten
            before; ``n_rows_excluded_`` counts the rows. A callable gets the ids of all rows and
            returns a boolean for each, as ``has_asked`` of a store does. Needs ids of the rows.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows that the network is not trained on: what they tell, forgotten rows shall tell.

        y_val : array-like of shape (n_val,), default=None
            Their targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, for the inner estimator; for the last step of a pipeline
            unless metadata is routed: then the inner estimator requests them, not this one.

        **fit_params : dict
            Further parameters for ``fit`` of the inner estimator.

        Returns
        -------
        self : object
            The fitted unlearner.

        Raises
        ------
        TypeError
            If the inner model is no network, or its criterion gives no loss per row.

        ImportError
            If torch is not installed.

        ValueError
            If a parameter or the input is invalid, or the network can't be initialised anew.
        """
        given = given_pair(X_val, y_val, "Unseen rows")
        inner = last_step(adapted(getattr(self.estimator, "estimator", self.estimator)))
        if not is_network(inner):
            raise TypeError(
                f"{type(inner).__name__} is no network. Use PUMAUnlearner, SISAEnsemble or "
                "RetrainUnlearner for it."
            )

        def source_of(inner, n_rows, split_off, seed):
            return CriterionSource(np.zeros(n_rows, dtype=bool), split_off, given)

        fit_params = with_weights(self.estimator, fit_params, sample_weight)
        return self._fit(X, y, X_ids, fit_params, source_of)

    may_train_anew = True

    def _check_params(self):
        check_number(self, "shrink", Real, 0, 1)
        if self.budget != "auto":
            check_number(self, "budget", Real, 0, 1)

    def _remembered(self, inner):
        from sklearn_unlearn._influence.network.problem import network_problem
        from sklearn_unlearn._influence.network.training import check_initial

        last = last_step(inner)
        check_initial(last)
        return {"_n_epochs": network_problem(last).n_epochs}

    def _passes(self):
        """Return how many passes over the remaining rows a request may spend."""
        share = SHARE if self.budget == "auto" else self.budget
        return max(share * self._n_epochs, LEAST_PASSES)

    def _anew_because(self, objective):
        if self._transformer_doubt is None and self._passes() >= self._n_epochs:
            return TransformerDoubt(
                f"its training took {self._n_epochs} passes over the rows, and relearning takes "
                f"{self._passes():.3g}",
                repeats=True,
            )
        return super()._anew_because(objective)

    def _leftovers(self, objective):
        # Running means are learned again.
        return objective.problem.leftovers

    def _arrive(self, objective, after, hessian_of, rows, leaving, pass_begins):
        from sklearn_unlearn._influence.network.relearning import guided

        rng = np.random.RandomState(self._request_seed())
        unseen = self._source.rows(after, self.estimator_, rows)
        forgotten = rows[objective.trained[rows]]
        last = last_step(self.estimator_)
        with torch_seed(rng.randint(2**31 - 1)):
            return guided(
                after, last, forgotten, unseen, self.shrink, self._passes(), rng, pass_begins
            )
