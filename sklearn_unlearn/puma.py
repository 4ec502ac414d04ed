"""PUMAUnlearner: forgetting by influence, with the remaining rows reweighted."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._influence.criteria import criterion_gradient, given_rows, held_out_rows
from sklearn_unlearn._influence.linear.objective import LinearObjective
from sklearn_unlearn._influence.linear.problem import linear_problem
from sklearn_unlearn._influence.linear.steps import Steps
from sklearn_unlearn._influence.reweighting import solve_weights
from sklearn_unlearn._inner.callbacks import with_callbacks
from sklearn_unlearn._inner.declared import check_number, check_option, seed_parts
from sklearn_unlearn._inner.features import make_features
from sklearn_unlearn._inner.fit_params import (
    erase_rows,
    named_weights,
    per_row,
    sample_weight,
    transformer_params,
)
from sklearn_unlearn._inner.networks import check_network, is_network
from sklearn_unlearn._inner.pipelines import (
    joined_pipeline,
    last_step,
    out_of_reach,
    split_pipeline,
)
from sklearn_unlearn._inner.skorch import adapted, fitted_adapted, holds_rows_out
from sklearn_unlearn._records.rows import RowStore, count_rows, is_array, take_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._records.targets import encode, given_targets, hold_out
from sklearn_unlearn.base import BaseUnlearner


class PUMAUnlearner(BaseUnlearner):
    """Forget training rows by moving a model's parameters by their influence.

    ``partial_forget`` takes the rows' gradients and curvature off the objective and makes
    one Newton step to the optimum of what remains. With ``reweight``, the weights of
    remaining rows change as well, so that the performance that the removal would cost is
    made up for (Performance Unchanged Model Augmentation, PUMA [1]_).

    Supported inner models: LinearRegression, Ridge, RidgeClassifier, LogisticRegression,
    LinearSVC and LinearSVR with squared losses, SGDClassifier and SGDRegressor with smooth
    losses, PoissonRegressor, GammaRegressor and TweedieRegressor, all without an L1
    penalty; MLPClassifier, MLPRegressor and skorch's NeuralNetClassifier,
    NeuralNetBinaryClassifier and NeuralNetRegressor, with torch installed; all of them alone
    or as the last step of a Pipeline, whose transformers forget as well.

    Parameters
    ----------
    estimator : estimator
        The model that shall be able to forget. It is cloned; a
        :class:`~sklearn.frozen.FrozenEstimator` is taken as already fitted on the rows
        given to ``fit``.

    eta : float, default=1.0
        Factor of the step; where a large request to a linear model takes several, of the
        whole way. 1 goes to the optimum of the expansion, 0 leaves the parameters as they are.
        :func:`sklearn_unlearn.metrics.make_forget_scorer` lets a search choose it.

    reweight : {"l2", "l1"} or None, default="l2"
        Regulariser of the weight changes: "l2" changes many rows a little, "l1" few rows.
        None changes no weight (naive removal) and holds no rows out.

    alpha : float, default=1.0
        Strength of that regulariser, relative to influences scaled to a largest absolute
        value of one. The default was chosen by ``examples/benchmarks/reweighting.py``.

    max_weight_change : float, default=1.0
        Largest relative change of a row's weight in one request, in [0, 1].

    criterion : {"loss", "loss_per_class"} or callable, default="loss"
        Performance that shall not drop: the mean loss on the criterion rows, the mean loss
        of each class, or a function ``(y, raw) -> (value, gradient)`` of targets and raw
        predictions (``decision_function``, or the linear prediction of a regressor). It
        may return m values and m gradients. Lower is better. Only criteria that the
        removal is predicted to raise are compensated.

    n_compensators : int or None, default=None
        Number of remaining rows, drawn at random for each request, whose weights may
        change. None takes all for a linear model, 2,000 for a network; the cost of the
        reweighting grows with them.

    validation_fraction : float, default=0.1
        Share of the rows held out as criterion rows where ``fit`` gets no ``X_val``,
        stratified for classifiers; a class of which the share is less than half a row
        gives none. A skorch net with a ``train_split`` of its own, outside a pipeline,
        takes the rows that this holds out instead.

    hessian : {"downdated", "original"}, default="downdated"
        Hessian of the step: of the objective without the rows, or of the objective before
        the request as in [1]_.

    n_refine : int, default=0
        Largest number of further Newton steps on the remaining objective, one pass over
        the rows each. For a network: number of steps of its optimiser, started anew, each
        on one batch of remaining rows.

    tol : float, default=1e-6
        These steps stop when no entry of the gradient of the mean objective is larger; the
        guarantee is then "optimum". Not used for networks.

    params : {"all", "last_layer"} or str, default="all"
        Parameters of a network that may move; any other string is a pattern of their names
        with the wildcards ``*`` and ``?``. Those that don't require a gradient never move.

    curvature : {"gauss-newton", "hessian"}, default="gauss-newton"
        Matrix of a network's step. The Hessian may be indefinite and need more damping.

    damping : float or "auto", default="auto"
        What is added to the diagonal of that matrix, for the mean loss. "auto" takes the
        mean of its eigenvalues.

    solver : {"auto", "dense", "ekfac", "cg"}, default="auto"
        How its inverse is applied: by a dense matrix and its Cholesky factor, by a
        factorisation of each layer (EKFAC [4]_), or by conjugate gradients that this
        preconditions. "auto" takes "dense" up to 3,000 parameters, else "ekfac", and "cg"
        for the Hessian, which has no such factorisation.

    random_state : int, RandomState instance or None, default=None
        Draws the hold-out, the compensators, and seeds for those parts of the inner
        estimator whose own ``random_state`` is None.

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
    Without refinement, 10 or 1,000 successive requests end within a twentieth of the
    parameters' way from where one joint request ends (tested for a third of the rows); with
    refinement they end at the same optimum.

    With d parameters, the first request copies X and makes the Hessian in one pass over
    the n rows, n d^2. Every later request of k rows costs k d^2 + d^3 / 3, whatever n; the
    pass is made again once more than 1 % of the weight has changed since the last. A
    reweighting reads the compensators and the criterion rows. Above 4,000 parameters no
    Hessian is kept, and every request takes some tens of passes of conjugate gradients.

    TweedieRegressor with a log link is convex for powers from 1 to 2 only; else steps lead
    to the nearest optimum, which a refit may miss.

    A step that promises to lower the objective by more than 1 % is checked in a pass over
    the rows, and repeated: a model that stopped far from its optimum ends near it.

    A network is taken to be at an optimum, wherever its training stopped: the step removes
    what the rows contribute, not what is left to train [3]_. Dropout is off and
    normalisation takes its running statistics, which stay as they are and are named in
    ``not_forgotten``. The first request costs the curvature of 2,000 rows drawn at random
    (of all rows, where a dense matrix of them is cheap), every later request of k rows
    passes over these k, 2,000 remaining rows and, to reweight, the compensators and the
    criterion rows, whatever n. The matrix is made anew when 5 % of the rows that it was
    made of are gone, or after a step that had to be cut back to less than a quarter. A
    step that costs the remaining rows more loss than half of what it adds to the forgotten
    rows', and more than 1 %, is cut back until it doesn't; the receipt says so. A request
    for all rows of a class switches the output of the class off, if the last layer is
    linear, and moves nothing else: what the layers before it learned from the class stays,
    and ``not_forgotten`` says so.

    The rows are kept, since later requests need them: a pickle of the unlearner holds the
    remaining rows. ``estimator_`` holds none. Do not change X between ``fit`` and the
    first request; until then the unlearner refers to it.

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

    def __init__(
        self,
        estimator,
        *,
        eta=1.0,
        reweight="l2",
        alpha=1.0,
        max_weight_change=1.0,
        criterion="loss",
        n_compensators=None,
        validation_fraction=0.1,
        hessian="downdated",
        n_refine=0,
        tol=1e-6,
        params="all",
        curvature="gauss-newton",
        damping="auto",
        solver="auto",
        random_state=None,
    ):
        self.estimator = estimator
        self.eta = eta
        self.reweight = reweight
        self.alpha = alpha
        self.max_weight_change = max_weight_change
        self.criterion = criterion
        self.n_compensators = n_compensators
        self.validation_fraction = validation_fraction
        self.hessian = hessian
        self.n_refine = n_refine
        self.tol = tol
        self.params = params
        self.curvature = curvature
        self.damping = damping
        self.solver = solver
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, *, X_ids=None, X_val=None, y_val=None, **fit_params):
        """Fit the inner estimator.

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

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Criterion rows. Without them a share of the rows is held out.

        y_val : array-like of shape (n_val,), default=None
            Targets of the criterion rows.

        **fit_params : dict
            Parameters for ``fit`` of the inner estimator, such as ``sample_weight``.

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
        self._check_params()
        frozen = isinstance(self.estimator, FrozenEstimator)
        if frozen:
            check_consistent_length(X, y)
            inner = fitted_adapted(self.estimator.estimator)
        else:
            inner = adapted(clone(self.estimator), holds_out=True)
        make_objective = self._objective_maker(last_step(inner))
        n_rows = count_rows(X)
        subjects = SubjectIndex(n_rows, X, y, X_ids)
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"Criterion rows need both X_val and y_val; {missing} is missing.")
        seed = self._draw_seeds(inner, frozen)
        held_out = np.zeros(n_rows, dtype=bool)
        # A net that splits off rows of its own needs no others to be held out.
        splits = not frozen and holds_rows_out(inner)
        # What is no pair of rows and targets goes to the inner estimator, which says why.
        if self.reweight is not None and X_val is None and y is not None and not splits:
            check_consistent_length(X, y)
            held_out = hold_out(y, n_rows, self.validation_fraction, is_classifier(inner), seed)
        # An estimator that was frozen has seen all rows: its criterion rows are not new to it.
        trained = np.ones(n_rows, dtype=bool) if frozen else ~held_out
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._fit_inner(inner, X, y, trained, fit_params, context)
        if splits:
            held_out[inner.held_out_rows_] = True
            trained = ~held_out
        objective = make_objective(inner, X, y, trained, fit_params, seed)
        validation = None
        if X_val is not None:
            validation = given_rows(objective, inner, X_val, y_val)
        elif held_out.any():
            held_out_rows(objective, inner, np.flatnonzero(held_out)).check(objective, "X", "y")
        self.estimator_ = inner
        self.receipts_ = []
        self._subjects = subjects
        self._objective = objective
        self._held_out = held_out
        self._splits = splits
        self._validation = validation
        self._seed = seed
        self._transformer_params = transformer_params(inner, fit_params, n_rows)
        # The objective's own change where rows are reweighted.
        given = sample_weight(inner, fit_params)
        self._sample_weight = None if given is None else np.array(given, float)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _settings(self):
        """Return how the steps of a network are computed."""
        from sklearn_unlearn._influence.network.objective import NetworkSettings

        return NetworkSettings(self.params, self.curvature, self.damping, self.solver)

    def _objective_maker(self, model):
        """Return the function that makes the objective of a kind of model, once it is fitted.

        Raises for models that can't be unlearned.
        """
        if is_network(model):
            check_network(model)
            from sklearn_unlearn._influence.network.objective import NetworkObjective

            make, settings = NetworkObjective, self._settings()
        else:
            problem = linear_problem(model)

            def make(last, rows, y, weights, trained, features, settings, seed):
                return LinearObjective(problem, last, rows, y, weights, trained, features)

            settings = None

        def make_objective(inner, X, y, trained, fit_params, seed):
            """Return the objective of a fitted model."""
            transformers, last = split_pipeline(inner)
            y = encode(last, y)
            class_weight = getattr(last, "class_weight", None)
            if y.ndim == 2 and is_classifier(last) and class_weight is not None:
                raise TypeError(
                    f"{type(last).__name__} with class_weight and multilabel y cannot be "
                    "unlearned; use class_weight=None or one classifier per label."
                )
            weights = sample_weight(inner, fit_params)
            weights = np.ones(len(trained)) if weights is None else np.array(weights, float)
            weighted = bool(transformer_params(inner, fit_params, len(trained)))
            features = make_features(transformers, weighted, convert=settings is None)
            if settings is None:
                rows = RowStore(X, numeric=features.numeric)
            else:
                if features.numeric and not hasattr(X, "iloc") and not sparse.issparse(X):
                    X = np.asanyarray(X)
                rows = RowStore(X, numeric=features.numeric and is_array(X), convert=False)
            return make(last, rows, y, weights, trained, features, settings, seed)

        return make_objective

    def _bound_objective(self):
        """Return the objective at the model as it stands."""
        objective, model = self._objective, last_step(self.estimator_)
        if not is_network(model):
            return objective
        return objective.bound(model, self._settings())

    def _inner(self):
        return adapted(self.estimator)

    def _check_params(self):
        """Raise for parameters that are invalid."""
        check_number(self, "eta", Real, 0)
        check_number(self, "alpha", Real, 0, closed=False)
        check_number(self, "max_weight_change", Real, 0, 1)
        check_number(self, "validation_fraction", Real, 0, 1, closed=False)
        check_number(self, "n_refine", Integral, 0)
        check_number(self, "tol", Real, 0)
        if self.n_compensators is not None:
            check_number(self, "n_compensators", Integral, 1)
        check_option(self, "reweight", ("l2", "l1", None))
        check_option(self, "hessian", ("downdated", "original"))
        check_option(self, "curvature", ("gauss-newton", "hessian"))
        check_option(self, "solver", ("auto", "dense", "cg", "ekfac"))
        if self.damping != "auto":
            check_number(self, "damping", Real, 0)
        if not isinstance(self.params, str):
            raise ValueError(
                f'params={self.params!r} is invalid: it must be "all", "last_layer" or a pattern '
                "of parameter names."
            )
        if not callable(self.criterion):
            check_option(self, "criterion", ("loss", "loss_per_class"), " or a callable")
        if self.criterion == "loss_per_class" and not is_classifier(self.estimator):
            raise ValueError(
                'criterion="loss_per_class" needs a classifier; '
                f'{type(self.estimator).__name__} is none. Use criterion="loss".'
            )

    def _draw_seeds(self, inner, frozen):
        """Return a seed; give one as well to each unseeded part of the inner estimator."""
        rng = check_random_state(self.random_state)
        if self.random_state is not None and not frozen:
            seed_parts(inner, rng)
        return rng.randint(2**31 - 1)

    def _fit_inner(self, inner, X, y, trained, fit_params, context):
        """Fit the inner estimator on the rows that are not held out."""
        if isinstance(self.estimator, FrozenEstimator):
            check_is_fitted(inner)
            inner.predict(take_rows(X, slice(0, 1)))
            return
        if not trained.all():
            rows = np.flatnonzero(trained)
            fit_params = per_row(fit_params, len(trained), rows)
            X, y = take_rows(X, rows), take_rows(y, rows)
        params = self._route(fit_params, "fit")
        if not hasattr(inner, "set_callbacks"):
            inner.fit(X, y, **params)
            return
        with context.subcontext("fit-inner").propagate_callback_context(inner):
            inner.fit(X, y, **params)

    def influence(self, X_ids=None):
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
            m of them. Zero for held-out rows, on which the parameters don't depend.

        Raises
        ------
        ValueError
            If there are no criterion rows.

        Notes
        -----
        Costs one pass over the rows asked for, one over the criterion rows, and the
        Hessian if no request has made it yet.
        """
        check_is_fitted(self)
        self._settle()
        objective = self._bound_objective()
        objective.rows.own()
        rows = None if X_ids is None else self._subjects.rows(X_ids)[1]
        gradient = self._criterion_gradient(objective, np.empty(0, dtype=np.intp))
        if gradient is None:
            raise ValueError(
                "There are no criterion rows: pass X_val and y_val to fit, or hold rows out "
                'with reweight="l2" and more rows per class.'
            )
        psi, _ = objective.directional(objective.solve(gradient), rows)
        # The curvature has been made, and serves the next request.
        self._objective = objective
        if rows is None:
            psi = psi[objective.trained | self._held_out]
        return psi[:, 0] if psi.shape[1] == 1 else psi

    def _criterion_rows(self, objective, removed):
        """Return the rows of the criterion without removed rows, None if none is left."""
        if self._validation is not None:
            return self._validation
        held_out = self._held_out.copy()
        held_out[removed] = False
        numbers = np.flatnonzero(held_out)
        return held_out_rows(objective, self.estimator_, numbers) if len(numbers) else None

    def _criterion_gradient(self, objective, removed):
        """Return the gradient of the criterion without removed rows, None if none is left."""
        rows = self._criterion_rows(objective, removed)
        return None if rows is None else criterion_gradient(objective, self.criterion, rows)

    def _forget(self, rows, context):
        self._check_params()
        objective = self._bound_objective()
        objective.rows.own()

        def pass_begins():
            task = context.subcontext("pass over the rows")
            task.call_on_fit_task_begin(estimator=self)
            task.call_on_fit_task_end(estimator=self)

        not_forgotten = [*out_of_reach(objective.rows, self.estimator_), *objective.leftovers]
        if self._validation is not None:
            not_forgotten.append("X_val, whose rows have no ids")
        chosen_by = self._splits and self._held_out[rows].any() and self.estimator_.net.callbacks
        if chosen_by:
            not_forgotten.append("what the net's callbacks chose by the rows of its train_split")
        outcome = {
            "guarantee": "approximate" if chosen_by else "exact",
            "n_rows_retrained": 0,
            "gradient_norm_before": None,
            "gradient_norm_after": None,
            "stopped_because": "no forgotten row was trained on",
            "not_forgotten": tuple(not_forgotten),
        }
        removed = rows[objective.trained[rows]]
        if not len(removed):
            # A net has a history of the rows that it held out.
            model = self._written(objective) if self._splits else self.estimator_
            return {"estimator_": model}, outcome
        after, curvature = self._leave_out(objective, removed)
        outcome["gradient_norm_before"] = after.measured_gradient_norm()
        leaving = after.leaving(removed)
        if len(leaving) < len(removed):
            learned = "what the layers before the output learned from a class without rows"
            outcome["not_forgotten"] += (learned,)
        carried, fields = self._arrive(objective, after, curvature, rows, leaving, pass_begins)
        outcome.update(fields)
        if carried.features is not objective.features and not carried.features.numeric:
            outcome["n_rows_retrained"] = carried.n_rows
        return {"estimator_": self._written(carried), "_objective": carried}, outcome

    @property
    def _request_seed(self):
        """Seed of the request at hand."""
        return (self._seed + len(self.receipts_)) % 2**32

    def _arrive(self, objective, after, curvature, rows, leaving, pass_begins):
        """Return the objective at the end of a request, and fields of the receipt."""
        target = carried = after
        if self.reweight is not None and len(leaving):
            target, carried = self._reweighted(objective, after, curvature, rows, leaving)
        steps = Steps(self.eta, self.n_refine, self.tol, self._request_seed)
        return target.arrive(carried, curvature, steps, pass_begins)

    def _leave_out(self, objective, removed):
        """Return the objective without rows and the one whose Hessian the step takes."""
        if self.hessian == "original":
            objective.expanded()
        after = objective.without(removed)
        after.check_remaining(self.estimator_)

        def leaving():
            return objective.rows.take(removed)

        def remaining():
            numbers = after.remaining_rows()
            params = per_row(self._transformer_params, len(objective.rows), numbers)
            y = given_targets(objective.y[numbers], self.estimator_)
            return objective.rows.take(numbers), y, params

        features, change = objective.features.forget(leaving, remaining)
        changed = features is not objective.features
        target = after.with_features(features, change) if changed else after
        if self.hessian == "downdated":
            return target, target
        if not changed:
            return target, objective
        # Transformers that were fitted anew leave no Hessian of the rows before.
        return target, target if change is None else objective.with_features(features, change)

    def _reweighted(self, objective, after, curvature, rows, removed):
        """Return the reweighted objective that the step aims at and the one that is kept."""
        gradient = self._criterion_gradient(after, rows)
        if gradient is None:
            return after, after
        S = curvature.solve(gradient)
        weights = objective.weights[removed]
        loss = after.directional(S, removed, weights)[0].sum(axis=0)
        if not (loss > 0).any():
            return after, after
        some, own = self._compensators(after), None
        if some is None and len(S) == 1:
            psi, slopes, own = after.self_weighted(S[0])
        else:
            psi, slopes = after.directional(S, some)
        changes = solve_weights(
            psi, loss, penalty=self.reweight, alpha=self.alpha, bound=self.max_weight_change
        )
        largest = np.argmax(np.abs(changes))
        if changes[largest] == 0:
            return after, after
        if (
            own is not None
            and self.reweight == "l2"
            and abs(changes[largest]) < self.max_weight_change
        ):
            # Inside the box all changes are one multiple of psi, and so is their gradient.
            up, shift = slice(None), own * (changes[largest] / psi[largest, 0])
        else:
            moved = np.flatnonzero(changes)
            if len(moved) < len(changes) // 10:
                # Few rows, as with "l1": theirs are the only ones to look at.
                some = moved if some is None else some[moved]
                slopes, changes = slopes[moved], changes[moved]
            up = slice(None) if some is None else some
            shift = after.weighted_gradient(slopes * changes[:, None], some)
        target = after.reweighted(up, changes, shift)
        if self.eta == 1:
            return target, target
        return target, after.reweighted(up, self.eta * changes, self.eta * shift)

    def _compensators(self, after):
        """Return the rows drawn to change their weights, None if all may."""
        n_drawn = self.n_compensators or after.n_compensators
        if n_drawn is None or n_drawn >= after.n_rows:
            return None
        rng = np.random.RandomState(self._request_seed)
        return np.sort(rng.choice(after.remaining_rows(), n_drawn, replace=False))

    def _written(self, objective):
        """Return the fitted estimator at an objective's parameters and transformers."""
        transformers = objective.features.transformers
        last = objective.written(last_step(self.estimator_))
        if hasattr(last, "feature_names_in_") and transformers is not None:
            last.feature_names_in_ = transformers.get_feature_names_out()
        return joined_pipeline(self.estimator_, transformers, last)

    def _training_data(self, rows):
        objective = self._objective
        params = per_row(self._transformer_params, len(objective.rows), rows)
        if self._sample_weight is not None:
            params |= named_weights(self.estimator_, self._sample_weight[rows])
        y = given_targets(objective.y[rows], last_step(self.estimator_))
        return self._named(objective.rows.take(rows)), y, params

    def _named(self, X):
        """Return rows with the names of their features, which the private copy has lost."""
        names = getattr(self.estimator_, "feature_names_in_", None)
        if names is None or not isinstance(X, np.ndarray):
            return X
        import pandas as pd

        return pd.DataFrame(X, columns=names)

    def _trained_on(self, rows):
        return rows[~self._held_out[rows]]

    def _fresh(self):
        fresh = clone(self)
        if isinstance(self.estimator, FrozenEstimator):
            fresh.set_params(estimator=clone(self.estimator.estimator))
        return fresh

    def _refitted(self, rows, random_state):
        """Return a fresh unlearner, fitted with another seed on the rows that this one trained on.

        Rows that were held out stay so, as its criterion rows.
        """
        criterion, trained = {}, self._trained_on(rows)
        if self._validation is not None:
            held = self._validation
            X_val = self._named(held.rows.take(held.numbers))
            criterion = {"X_val": X_val, "y_val": held.y}
        elif len(trained) < len(rows) and not self._splits:
            X_val, y_val, _ = self._training_data(rows[self._held_out[rows]])
            criterion = {"X_val": X_val, "y_val": y_val}
        if self._splits:
            # The net holds rows out itself.
            trained = rows
        return super()._refitted(trained, random_state, **criterion)

    def _erase(self, rows):
        self._objective.erase(rows)
        self._held_out[rows] = False
        if self._sample_weight is not None:
            self._sample_weight[rows] = 0
        erase_rows(self._transformer_params, len(self._held_out), rows)
