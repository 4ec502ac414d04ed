"""PUMAUnlearner: forgetting by influence, with the remaining rows reweighted."""

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length

from sklearn_unlearn._influence.compensation import Criterion, Weighting, compensated
from sklearn_unlearn._influence.correcting import CorrectingMixin
from sklearn_unlearn._influence.criteria import CriterionRows, CriterionSource, given_pair
from sklearn_unlearn._influence.drawn import DrawnRows
from sklearn_unlearn._influence.objective import Settings, Steps
from sklearn_unlearn._influence.releasing import ReleasingMixin
from sklearn_unlearn._influence.unlearner import ObjectiveUnlearner, check_settings
from sklearn_unlearn._inner.callbacks import with_callbacks
from sklearn_unlearn._inner.declared import check_number, check_option
from sklearn_unlearn._inner.fit_params import with_weights
from sklearn_unlearn._inner.networks import is_network
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._inner.turns import serial
from sklearn_unlearn._records.targets import given_or_read, hold_out
from sklearn_unlearn.base import Excluded, Ids, MatrixLike, RandomState

# Share of a network's rows that is held out unless the user says another.
NETWORK_FRACTION = 0.1


class PUMAUnlearner(ReleasingMixin, CorrectingMixin, ObjectiveUnlearner):
    """Forget training rows by moving a model's parameters by their influence.

    ``partial_forget`` takes the rows' gradients and curvature off the objective and makes
    one Newton step to the optimum of what remains. With ``reweight``, the weights of
    remaining rows change as well, so that the performance that the removal would cost is
    made up for (Performance Unchanged Model Augmentation, PUMA [1]_).

    Supported inner models: LinearRegression, Ridge, RidgeClassifier, LogisticRegression,
    LinearSVC and LinearSVR with squared losses, SGDClassifier and SGDRegressor with smooth
    losses, HuberRegressor with its scale, PoissonRegressor, GammaRegressor and
    TweedieRegressor, all without an L1 penalty; MLPClassifier, MLPRegressor and skorch's
    NeuralNetClassifier, NeuralNetBinaryClassifier and NeuralNetRegressor, with torch
    installed; all of them alone or as the last step of a Pipeline, whose transformers
    forget as well.

    Parameters
    ----------
    estimator : estimator
        The model that shall be able to forget. It is cloned; a
        :class:`~sklearn.frozen.FrozenEstimator` is taken as already fitted on the rows
        given to ``fit``.

    eta : float, default=1.0
        All models: factor of the step; where a large request to a linear model takes several,
        of the whole way. 1 goes to the optimum of the expansion, 0 leaves the parameters as
        they are. :func:`sklearn_unlearn.metrics.make_forget_scorer` lets a search choose it.

    hessian_rows : {"remaining", "all"}, default="remaining"
        All models: rows whose Hessian the step takes, those that remain or all rows before the
        request as in [1]_.

    n_refine : int or "auto", default=0
        Linear models: largest number of further Newton steps on the remaining objective, one
        pass over the rows each, and one for the proof of how near they end. "auto" makes steps
        until that distance is below ``tol_distance``.

    reweight : {"l2", "l1"} or None, default="l2"
        Reweighting: regulariser of the weight changes; "l2" changes many rows a little, "l1"
        few rows. None changes no weight (naive removal).

    alpha : float, default=1.0
        Reweighting: strength of that regulariser, relative to influences scaled to a largest
        absolute value of one; in each of ten folds ten times as strong. The default was chosen by
        ``examples/benchmarks/reweighting.py``.

    max_weight_change : float, default=1.0
        Reweighting: how far a row's weight may go from the one that it had in ``fit``, over all
        requests together, as a share of that, in [0, 1].

    criterion : {"loss", "loss_per_class"} or callable, default="loss"
        Reweighting: performance that shall not drop. The mean loss on the criterion rows, the
        mean loss of each class, or a function ``(y, raw) -> (value, gradient)`` of targets and
        raw predictions (``decision_function``, or the linear prediction of a regressor). It
        may return m values and m gradients. Lower is better. Made up for is what the removal is
        predicted to raise a criterion by, above the standard error of that prediction.

    n_compensators : int or None, default=None
        Reweighting: number of remaining rows whose weights may change; the cost of the
        reweighting grows with them. For a linear model they are drawn by a hash of their ids,
        by default 1,000, or ten for each row that has left since ``fit`` if these are more; for
        a network at random for each request, by default 2,000.

    validation_fraction : float or None, default=None
        Reweighting: None trains a linear model on all rows; its criterion is cross-fitted over
        ten folds of subjects, each judged by the parameters that the model would have without
        it. A float is the share of the rows held out as criterion rows where ``fit`` gets no
        ``X_val``, stratified for classifiers; a class of which the share is less than half a
        row gives none. For a network None is 0.1, as one that was trained without a fold is no
        small step away. A skorch net with a ``train_split`` of its own, outside a pipeline,
        takes the rows that this holds out instead.

    tol : float, default=1e-6
        Linear models: further steps stop when no entry of the gradient of the mean objective
        is larger; the guarantee is then "optimum".

    tol_distance : float, default=1e-6
        Linear models with ``n_refine="auto"``: proved distance from the optimum at which steps
        stop, as a share of the norm of the parameters.

    release_noise : float or None, default=None
        Linear models: standard deviation of Gaussian noise on the parameters of ``estimator_``,
        drawn anew by ``fit`` and by every request; the exact parameters stay in the unlearner. It
        hides the distance that is proved, so it needs ``n_refine`` and ``reweight=None``; the
        guarantee is then "certified", and the receipt's ``epsilon`` tells how well. Transformers
        before the model get no noise, and a model behind any is not certified; nor is noise that
        is lost in the rounding of the parameters, which the receipt then says.

    params : {"all", "last_layer"} or str, default="all"
        Networks: parameters that may move; any other string is a pattern of their names
        with the wildcards ``*`` and ``?``. Those that don't require a gradient never move.

    curvature : {"gauss-newton", "hessian"}, default="gauss-newton"
        Networks: matrix of the step. The Hessian may be indefinite and need more damping.

    damping : float or "auto", default="auto"
        Networks: what is added to the diagonal of that matrix, for the mean loss. "auto" takes
        the mean of its eigenvalues.

    solver : {"auto", "dense", "ekfac", "cg"}, default="auto"
        Networks: how its inverse is applied. By a dense matrix and its Cholesky factor, by a
        factorisation of each layer (EKFAC [4]_), or by conjugate gradients that this
        preconditions. "auto" takes "ekfac", and "cg" for the Hessian, which has no such
        factorisation. "dense" costs n d^2 and d^3, more than the training as a rule.

    n_jobs : int or None, default=None
        Linear models: number of threads that pass over the rows, counted as in
        :class:`joblib.Parallel`. They are threads of this process, whichever backend of joblib is
        set. The result does not depend on it. It pays where passes are large: many rows, and the
        Hessian of many features.

    random_state : int, RandomState instance or None, default=None
        All models: draws the folds or the hold-out, the compensators, and seeds for those parts
        of the inner estimator whose own ``random_state`` is None.

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
    partial_forget : Forget with an unlearner inside a Pipeline or a search.

    Notes
    -----
    A parameter that is set and can't act on the inner model, such as ``damping`` on a linear
    one, gives a warning in ``fit``, and so does ``validation_fraction`` where no rows are held out.

    Without refinement, 10 or 1,000 successive requests end within a twentieth of the
    parameters' way from where one joint request ends (tested for a third of the rows); with
    refinement they end at the same optimum.

    With d parameters, the first request copies X and makes the Hessian in one pass over
    the n rows, n d^2. Every later request of k rows costs k d^2 + d^3 / 3, whatever n; the
    pass is made again once more than 1 % of the weight has changed since the last. A
    cross-fitted criterion is measured on 1,000 rows drawn by a hash of their ids, or ten for each
    row that leaves if these are more, up to 10,000, and always whole subjects. A reweighting
    reads the compensators too; where less than a hundred-thousandth of the loss is at stake,
    nothing is made up for. Above 4,000 parameters no Hessian is kept, every request takes some
    tens of passes of conjugate gradients, and one fold alone judges.

    TweedieRegressor with a log link is convex for powers from 1 to 2 only; else steps lead
    to the nearest optimum, which a refit may miss.

    A step that promises to lower the objective by more than 0.1 % (1 % with
    ``hessian_rows="all"``) is checked in a pass over the rows, and repeated: a model that
    stopped far from its optimum ends near it.

    A network is taken to be at an optimum, wherever its training stopped: the step removes
    what the rows contribute, not what is left to train [3]_. Dropout is off and
    normalisation takes its running statistics, which stay as they are and are named in
    ``not_forgotten``. The first request costs the curvature of 2,000 rows drawn at random
    (of more with ``solver="dense"``), every later request of k rows
    passes over these k, 2,000 remaining rows and, to reweight, the compensators and the
    criterion rows, whatever n. The matrix is made anew when 5 % of the rows that it was
    made of are gone. A step is shortened where outputs on remaining rows would move by more than
    0.3 % of what they differ by.
    Where unseen rows lose clearly more than remaining ones, the network knows these by heart, and
    a step along the influence of the rows does little: it may move outputs by less, in proportion,
    if less than 5 % of the rows leave, and up to 2,000 forgotten rows then go on
    towards what the network says of remaining rows near them, smoothed by a kernel, at the least
    change of outputs on remaining rows by the matrix above, and no further than to the loss
    of unseen rows. This needs unseen rows, ``X_val`` or those that are held out, and features
    that are no integers; ``eta`` multiplies the whole way. The receipt gives both losses, and
    says where the forgotten rows end less well known than unseen ones. A request for all rows
    of a class switches the output of the class off, if the last layer is linear, and moves
    nothing else: what the layers before it learned from the class stays, and
    ``not_forgotten`` says so.

    The rows are kept, since later requests need them: a pickle of the unlearner holds the
    remaining rows, unless they stay in a file (:mod:`sklearn_unlearn.rows`). ``estimator_`` holds
    none unless a part of it does, as nearest neighbours do; receipts name it. Do not change X
    between ``fit`` and the first request; until then the unlearner refers to it.

    References
    ----------
    .. [1] G. Wu, M. Hashemi, C. Srinivasa, "PUMA: Performance Unchanged Model Augmentation
       for Training Data Removal", AAAI 2022, :arxiv:`2203.00846`.

    .. [2] P. W. Koh, P. Liang, "Understanding Black-box Predictions via Influence
       Functions", ICML 2017, :arxiv:`1703.04730`.

    .. [3] J. Bae, N. Ng, A. Lo, M. Ghassemi, R. Grosse, "If Influence Functions are the
       Answer, Then What is the Question?", NeurIPS 2022, :arxiv:`2209.05364`.

    .. [4] T. George, C. Laurent, X. Bouthillier, N. Ballas, P. Vincent, "Fast Approximate
       Natural Gradient Descent in a Kronecker-factored Eigenbasis", NeurIPS 2018,
       :arxiv:`1806.03884`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> ids = [f"patient-{i}" for i in range(len(y))]
    >>> model = PUMAUnlearner(
    ...     make_pipeline(StandardScaler(), LogisticRegression()), random_state=0
    ... )
    >>> model = model.fit(X, y, X_ids=ids)
    >>> model = model.partial_forget(["patient-7", "patient-42"])
    >>> receipt = model.receipts_[-1]
    >>> receipt.guarantee, receipt.n_rows, receipt.n_rows_remaining
    ('approximate', 2, 567)
    """

    fitting_params = ("estimator", "validation_fraction", "random_state")

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        eta: float = 1.0,
        hessian_rows: Literal["remaining", "all"] = "remaining",
        n_refine: int | Literal["auto"] = 0,
        reweight: Literal["l2", "l1"] | None = "l2",
        alpha: float = 1.0,
        max_weight_change: float = 1.0,
        criterion: Literal["loss", "loss_per_class"] | Callable = "loss",
        n_compensators: int | None = None,
        validation_fraction: float | None = None,
        tol: float = 1e-6,
        tol_distance: float = 1e-6,
        release_noise: float | None = None,
        params: str = "all",
        curvature: Literal["gauss-newton", "hessian"] = "gauss-newton",
        damping: float | Literal["auto"] = "auto",
        solver: Literal["auto", "dense", "ekfac", "cg"] = "auto",
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.eta = eta
        self.hessian_rows = hessian_rows
        self.n_refine = n_refine
        self.reweight = reweight
        self.alpha = alpha
        self.max_weight_change = max_weight_change
        self.criterion = criterion
        self.n_compensators = n_compensators
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.tol_distance = tol_distance
        self.release_noise = release_noise
        self.params = params
        self.curvature = curvature
        self.damping = damping
        self.solver = solver
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        X_ids: Ids | None = None,
        exclude_ids: Excluded = None,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the inner estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, source} of shape (n_samples, n_features)
            Training rows, as the inner estimator takes them; for a linear model also a source
            of rows that stay in a file, such as :class:`~sklearn_unlearn.rows.ParquetRows`.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. None only where X is a source that has them.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the data subject that each row belongs to; a subject may own many rows.
            Any hashable values. By default the index of X if it is pandas, else the index
            of y if that is pandas, else the row positions.

        exclude_ids : set, array-like or callable, default=None
            Ids whose rows are left out, such as those of subjects that asked to be forgotten
            before; ``n_rows_excluded_`` counts the rows. A callable gets the ids of all rows and
            returns a boolean for each, as ``has_asked`` of a store does. Needs ids of the rows.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Criterion rows. Without them the criterion is cross-fitted, or a share of the rows
            is held out; see ``validation_fraction``.

        y_val : array-like of shape (n_val,), default=None
            Targets of the criterion rows.

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
            If the inner model has no gradients or an L1 penalty, or the criterion of a
            network gives no loss per row.

        ImportError
            If the inner model is a network and torch is not installed.

        ValueError
            If a parameter or the input is invalid.
        """
        given, y = given_pair(X_val, y_val, "Criterion rows"), given_or_read(y, X)

        def source_of(inner, n_rows, split_off, seed):
            self._warn_idle_fraction(X_val is not None, split_off)
            possible = self.reweight is not None or X_val is not None
            held_out = np.zeros(n_rows, dtype=bool)
            linear = not is_network(last_step(inner))
            cross_fits = linear and self.validation_fraction is None and X_val is None
            holds_out = not (cross_fits or split_off or X_val is not None)
            # What is no pair of rows and targets goes to the inner estimator, which says why.
            if self.reweight is not None and holds_out and y is not None:
                check_consistent_length(X, y)
                fraction = self.validation_fraction or NETWORK_FRACTION
                held_out = hold_out(y, n_rows, fraction, is_classifier(inner), seed)
            return CriterionSource(
                held_out,
                split_off,
                given=given,
                is_possible=possible or cross_fits,
                drawn=DrawnRows(seed) if linear else None,
                cross_fits=cross_fits,
            )

        fit_params = with_weights(self.estimator, fit_params, sample_weight)
        return self._fit(X, y, X_ids, fit_params, source_of)

    def _warn_idle_fraction(self, is_given, split_off):
        """Warn of a share of rows to hold out where none will be held out."""
        if self.reweight is None:
            reason = "reweight=None, which measures no criterion"
        elif is_given:
            reason = "X_val, whose rows are the criterion rows"
        else:
            reason = "a net whose train_split holds rows out by itself" if split_off else None
        if self.validation_fraction is not None and reason is not None:
            warnings.warn(
                f"validation_fraction={self.validation_fraction!r} can't act with {reason}; leave "
                "it at the default.",
                UserWarning,
                stacklevel=7,
            )

    def _for_refit(self, more):
        fresh = self.fresh()
        # The rows that were held out are given.
        return fresh.set_params(validation_fraction=None) if "X_val" in more else fresh

    def _settings(self):
        return Settings(self.params, self.curvature, self.damping, self.solver, self.n_jobs)

    def _check_params(self):
        """Raise for parameters that are invalid."""
        check_number(self, "eta", Real, 0)
        check_number(self, "alpha", Real, 0, closed=False)
        check_number(self, "max_weight_change", Real, 0, 1)
        if self.validation_fraction is not None:
            check_number(self, "validation_fraction", Real, 0, 1, closed=False)
        if self.n_refine != "auto":
            check_number(self, "n_refine", Integral, 0)
        check_number(self, "tol_distance", Real, 0, closed=False)
        self._check_release()
        check_number(self, "tol", Real, 0)
        if self.n_compensators is not None:
            check_number(self, "n_compensators", Integral, 1)
        check_option(self, "reweight", ("l2", "l1", None))
        check_option(self, "hessian_rows", ("remaining", "all"))
        check_settings(self)
        if not callable(self.criterion):
            check_option(self, "criterion", ("loss", "loss_per_class"), " or a callable")
        if self.criterion == "loss_per_class" and not is_classifier(self.estimator):
            raise ValueError(
                'criterion="loss_per_class" needs a classifier; '
                f'{type(self.estimator).__name__} is none. Use criterion="loss".'
            )

    def _check_unchanged(self):
        digests = super()._check_unchanged()
        if self.reweight is not None and not self._source.is_possible:
            raise ValueError(
                f"reweight={self.reweight!r} was set after a fit that held no rows out, so that "
                "there is nothing to measure performance on. Fit anew, or set reweight=None."
            )
        return digests

    @serial
    def influence(self, X_ids: Ids | None = None) -> np.ndarray:
        """Return how much the criterion would lose without each row.

        The influence psi_i = (1/n) grad C^T H^-1 grad l_i is the predicted rise of the
        criterion C if row i were forgotten. Positive: a helpful row; negative: a harmful
        one, such as a row with a wrong label.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,), default=None
            Ids whose rows are asked for. By default all rows.

        Returns
        -------
        psi : ndarray of shape (n_rows,) or (n_rows, m)
            Influences: of all remaining rows in the order of ``fit``, or of the rows of
            the first id, then the second, and so on. One column per criterion if there are
            m of them. Zero for held-out rows, on which the parameters don't depend. A
            cross-fitted criterion is the mean over the folds that a row is not in.

        Raises
        ------
        ValueError
            If there are no criterion rows.

        Notes
        -----
        Costs one pass over the rows asked for, one over the criterion rows, and the
        Hessian if no request has made it yet.

        The scale of a HuberRegressor moves with its coefficients, in H as in the gradients;
        the criterion "loss" is half of its own loss, which depends on the scale.
        """
        objective, source = self.objective(), self._source
        rows = None if X_ids is None else self.rows_of(X_ids)
        objective.rows.own()
        psi = self._criterion().influence(objective, rows)
        if psi is None:
            raise ValueError(
                "There are no criterion rows: pass X_val and y_val to fit, or give it more "
                "subjects, or more rows per class."
            )
        # The curvature has been made, and serves the next request.
        self._commit({"_objective": objective, "_source": source})
        if rows is None:
            psi = psi[objective.trained | source.held_out]
        return psi[:, 0] if psi.shape[1] == 1 else psi

    def _criterion(self):
        """Return the criterion at the model as it stands."""
        return Criterion(self.criterion, self._source, self._subjects, self.estimator_)

    @serial
    def criterion_rows(self) -> CriterionRows | None:
        """Return the rows that performance is measured on.

        Returns
        -------
        CriterionRows or None
            The user's ``X_val``, else the rows that are held out. None if there are none: a
            cross-fitted criterion has no rows of its own.
        """
        return self._source.rows(self.objective(), self.estimator_)

    @property
    def deals_by_ids(self):
        """True if reweighting draws rows, and deals them to folds, by a hash of their ids."""
        return self.reweight is not None and self._objective.has_closed_form

    @property
    def _steered(self):
        """True once weights were changed for the sake of criterion rows that are rows of fit."""
        return self._objective.is_reweighted and not self._source.is_given

    def _unseen(self, objective, rows):
        """Return rows that a network was not trained on, but those that leave; None without any."""
        # A frozen model may have been trained on those that are held out now.
        frozen = isinstance(self.estimator, FrozenEstimator) and not self._source.is_given
        if frozen or not is_network(last_step(self.estimator_)):
            return None
        return self._source.rows(objective, self.estimator_, rows)

    def _arrive(self, objective, after, hessian_of, rows, leaving, pass_begins):
        target = carried = after
        if self.reweight is not None and len(leaving):
            weighting = Weighting(
                penalty=self.reweight,
                alpha=self.alpha,
                bound=self.max_weight_change,
                eta=self.eta,
                n_compensators=self.n_compensators,
                seed=self._request_seed(),
            )
            target, carried = compensated(
                after, hessian_of, rows, leaving, self._criterion(), weighting
            )
        steps = self._steps(self._unseen(after, rows))
        return target.arrive(carried, hessian_of, steps, pass_begins)

    def _steps(self, unseen=None):
        seed = self._request_seed()
        return Steps(self.eta, self.n_refine, self.tol, seed, unseen, self.tol_distance)
