"""ObjectiveUnlearner: what the unlearners that move parameters share."""

from abc import abstractmethod
from contextlib import nullcontext
from dataclasses import replace
from numbers import Real

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._influence.checks import doubts, optimality_doubts, transformer_doubt
from sklearn_unlearn._influence.criteria import CriterionSource
from sklearn_unlearn._influence.ending import ended
from sklearn_unlearn._influence.objective import Settings
from sklearn_unlearn._influence.objectives import check_model, check_source, make_objective
from sklearn_unlearn._influence.training_anew import (
    check_classes,
    objective_anew,
    outcome_anew,
    rows_of_training,
)
from sklearn_unlearn._inner.callbacks import passes, with_callbacks
from sklearn_unlearn._inner.declared import check_number, check_option, seed_parts, warn_idle
from sklearn_unlearn._inner.fit_params import (
    copied,
    erase_rows,
    owned,
    per_row,
    sample_weight,
    transformer_params,
    with_weights,
)
from sklearn_unlearn._inner.pipelines import (
    cloned_like,
    joined_pipeline,
    last_step,
    may_write,
    out_of_reach,
)
from sklearn_unlearn._inner.skorch import adapted, fitted_adapted, holds_rows_out
from sklearn_unlearn._inner.turns import serial
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.fingerprint import check_same_rows, guarded
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import copy_rows, count_rows, take_rows
from sklearn_unlearn._records.source import RowSource
from sklearn_unlearn._records.source_rows import SourceRows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._records.targets import given_or_read, given_targets
from sklearn_unlearn.base import BaseUnlearner

# What a forgotten row has had a say in.
STEERED = "what earlier requests owe to rows of this one, which they reweighted others by"


def check_settings(unlearner):
    """Raise for invalid parameters of an unlearner that say how steps are computed."""
    check_option(unlearner, "curvature", ("gauss-newton", "hessian"))
    check_option(unlearner, "solver", ("auto", "dense", "cg", "ekfac"))
    if unlearner.damping != "auto":
        check_number(unlearner, "damping", Real, 0)
    if not isinstance(unlearner.params, str):
        raise ValueError(
            f'params={unlearner.params!r} is invalid: it must be "all", "last_layer" or a '
            "pattern of parameter names."
        )


def no_criterion(inner, n_rows, split_off, seed):
    """Return a source without criterion rows, but for those that a net splits off."""
    return CriterionSource(np.zeros(n_rows, dtype=bool), split_off)


class ObjectiveUnlearner(BaseUnlearner):
    """Base class of the unlearners that move the parameters of a model with an objective.

    A subclass has the parameters ``estimator`` and ``random_state`` and says where the
    parameters go (``_arrive``).
    """

    _REPLACED = BaseUnlearner._REPLACED | {"_blank"}
    # Weights are the inner estimator's metadata, not this object's own.
    __metadata_request__fit = {"sample_weight": UNUSED}

    # Rows whose Hessian a step takes: those that remain, or all rows before the request.
    hessian_rows = "remaining"

    @with_callbacks
    def fit(self, X, y, *, X_ids=None, exclude_ids=None, sample_weight=None, **fit_params):
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

        exclude_ids : set, array-like or callable, default=None
            Ids whose rows are left out, such as those of subjects that asked to be forgotten
            before; ``n_rows_excluded_`` counts the rows. A callable gets the ids of all rows and
            returns a boolean for each, as ``has_asked`` of a store does. Needs ids of the rows.

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
            If the inner model has no gradients or an L1 penalty.

        ImportError
            If the inner model is a network and torch is not installed.

        ValueError
            If a parameter or the input is invalid.
        """
        fit_params = with_weights(self.estimator, fit_params, sample_weight)
        return self._fit(X, given_or_read(y, X), X_ids, fit_params, no_criterion)

    def _fit(self, X, y, X_ids, fit_params, source_of):
        """Fit the inner estimator on the rows that a source of criterion rows leaves.

        ``source_of(inner, n_rows, split_off, seed)`` returns that source.
        """
        self._check_params()
        frozen = isinstance(self.estimator, FrozenEstimator)
        if frozen:
            check_consistent_length(X, y)
            inner = fitted_adapted(self.estimator.estimator)
        else:
            inner = adapted(clone(self.estimator), holds_out=True)
        check_model(inner)
        check_source(X, inner)
        n_rows = count_rows(X)
        subjects = SubjectIndex(n_rows, X, y, X_ids)
        seed = self._draw_seeds(inner, frozen)
        # A net that splits off rows of its own needs no others to be held out.
        source = source_of(inner, n_rows, not frozen and holds_rows_out(inner), seed)
        # An estimator that was frozen has seen all rows: its criterion rows are not new to it.
        trained = np.ones(n_rows, dtype=bool) if frozen else ~source.held_out
        # One fit of the inner estimator, and rarely a second.
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        fit_params = copied(fit_params, n_rows)

        def objective_of_fit(inner, X, trained):
            return make_objective(
                inner,
                X,
                y,
                sample_weight(inner, fit_params),
                trained,
                weighted=bool(transformer_params(inner, fit_params)),
                settings=self._settings(),
                seed=seed,
            )

        blank = clone(inner)
        given = X
        if isinstance(X, RowSource) and not frozen:
            # What trains the inner estimator takes rows in memory; they are dropped after it.
            X = X.read()
        self._fit_inner(inner, X, y, trained, fit_params, context)
        if source.split_off:
            source.held_out[inner.held_out_rows_] = True
            trained = ~source.held_out
        X_kept, fingerprint = guarded(given)
        objective = objective_of_fit(inner, X_kept, trained)
        unknown = source.unpredictable(objective, inner) if not frozen else ()
        if len(unknown):
            # As with a category that no other row has: they must be trained on.
            source.held_out[unknown], trained[unknown] = False, True
            inner = clone(blank)
            self._fit_inner(inner, X, y, trained, fit_params, context)
            objective = objective_of_fit(inner, X_kept, trained)
        warn_idle(self, objective.idle_params, last_step(inner))
        source.check(objective, inner)

        def params_of(rows):
            return per_row(transformer_params(inner, fit_params), n_rows, rows)

        doubt = transformer_doubt(objective, inner, params_of)
        self._start(
            inner,
            subjects,
            _objective=objective,
            _source=source,
            _seed=seed,
            _fit_params=fit_params,
            # A model that was trained on other features can't be moved: it is trained again.
            _transformer_doubt=doubt,
            _blank=blank if doubt or self.may_train_anew else None,
            _doubts=() if doubt else doubts(objective, inner),
            # What is left to check at the first request: a pass over the rows is made then.
            _unchecked=True,
            _fingerprint=fingerprint,
            **self._remembered(inner),
        )
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    # True if a request may train the model again for a reason of the subclass's own.
    may_train_anew = False

    def _remembered(self, inner):
        """Return what a subclass keeps of a fitted inner estimator, attributes by name."""
        return {}

    def _anew_because(self, objective):
        """Return why the model is to be trained again, None if it isn't."""
        return self._transformer_doubt

    @abstractmethod
    def _arrive(self, objective, after, hessian_of, rows, leaving, pass_begins):
        """Return the objective at the end of a request, and the outcome.

        Parameters
        ----------
        objective : Objective
            Before the request.

        after : Objective
            At the same parameters, on the rows that remain.

        hessian_of : Objective
            Whose Hessian a step takes.

        rows : ndarray of int
            Rows of the request.

        leaving : ndarray of int
            Those whose gradients leave with them.

        pass_begins : callable
            To be called before every pass over rows, for progress.
        """

    def _leftovers(self, objective):
        """Return parts of the model that depend on the rows and that no request changes."""
        return objective.leftovers

    def _check_params(self):
        """Raise for parameters that are invalid."""

    def _settings(self):
        """Return how the steps of a network are computed."""
        return Settings()

    def _inner(self):
        return adapted(self.estimator)

    @serial
    def objective(self):
        """Return the objective at the model as it stands.

        Returns
        -------
        Objective
            Weighted empirical risk of the remaining rows; not to be changed.
        """
        check_is_fitted(self)
        self._settle()
        return self._bound_objective()

    @serial
    def erase_forgotten(self):
        """Erase from their file the rows that requests have left there (``erase="later"``).

        To be called once the unlearner is stored. Where it was cut short, the unlearner that
        was stored goes on with it, when this is called or at its next request.

        Returns
        -------
        self : object
            The unlearner.
        """
        check_is_fitted(self)
        self._settle()
        if isinstance(self._objective.rows, SourceRows):
            self._objective.rows.source.settle()
        return self

    def _bound_objective(self):
        return self._objective.bound(last_step(self.estimator_), self._settings())

    def _draw_seeds(self, inner, frozen):
        """Return a seed; give one as well to each unseeded part of the inner estimator."""
        rng = check_random_state(self.random_state)
        if self.random_state is not None and not frozen:
            seed_parts(inner, rng)
        return rng.randint(2**31 - 1)

    def _request_seed(self):
        """Return the seed of the request at hand."""
        return (self._seed + len(self.receipts_)) % 2**32

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
        elif may_write(inner):
            X, y = copy_rows(X, slice(None)), copy_rows(y, slice(None))
        self._train(inner, X, y, fit_params, context)

    def _train(self, inner, X, y, fit_params, context):
        """Fit the inner estimator on rows that are its own, with progress."""
        params = self._route(fit_params, "fit")
        task = context.subcontext("fit-inner")
        shows = hasattr(inner, "set_callbacks")
        with task.propagate_callback_context(inner) if shows else nullcontext():
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            inner.fit(X, y, **params)
            task.call_on_fit_task_end(estimator=self, X=X, y=y)

    def _forget(self, rows, context):
        self._check_params()
        objective, source = self._bound_objective(), self._source
        check_same_rows(objective.rows, self._fingerprint)
        if self._settings() != Settings():
            # They may have been set since fit.
            warn_idle(self, objective.idle_params, last_step(self.estimator_))
        self._own()

        left = [
            *out_of_reach(objective.rows, self.estimator_),
            *self._leftovers(objective),
            *source.leftovers,
        ]
        if isinstance(self.estimator, FrozenEstimator):
            left.append("the parameter estimator, the frozen model as it was given")
        chosen_by = (
            source.split_off and source.held_out[rows].any() and self.estimator_.net.callbacks
        )
        if chosen_by:
            left.append("what the net's callbacks chose by the rows of its train_split")
        steering = self._steered and source.judged_by(rows, self._subjects)
        removed = rows[objective.trained[rows]]
        if not len(removed):
            # A net has a history of the rows that it held out.
            model = self._written(objective) if source.split_off else self.estimator_
            # The model is as good as the last request left it.
            guarantee = self.receipts_[-1].guarantee if self.receipts_ else "exact"
            if steering:
                left.append(STEERED)
            if chosen_by or steering:
                guarantee = "approximate"
            return {"estimator_": model, "_fingerprint": None}, Outcome(
                guarantee,
                stopped_because="no forgotten row was trained on",
                not_forgotten=tuple(left),
            )
        why = self._anew_because(objective)
        if why is not None:
            return self._trained_anew(objective, rows, removed, left, context, why)
        found = self._doubts
        after, hessian_of, more = self._leave_out(objective, removed)
        found += more
        norm, leaving = after.measured_gradient_norm(), after.leaving(removed)
        if len(leaving) < len(removed):
            left.append("what the layers before the output learned from a class without rows")
        carried, outcome = ended(
            last_step(self.estimator_),
            after,
            lambda: self._arrive(
                objective, after, hessian_of, rows, leaving, passes(self, context)
            ),
            found,
        )
        if steering:
            left.append(STEERED)
            outcome = replace(outcome, guarantee="approximate")
        outcome = altered(outcome, gradient_norm_before=norm)
        return self._moved(objective, carried, outcome, found, left)

    def _moved(self, objective, carried, outcome, found, left):
        """Return attributes and the outcome of steps from one objective to another.

        ``found`` are doubts about what was fitted, ``left`` parts that still depend on the rows.
        """
        changed = carried.features is not objective.features
        parts = carried.features.refitted if changed else ()
        return {
            "estimator_": self._written(carried),
            "_objective": carried.kept(),
            "_doubts": found,
            "_unchecked": False,
            "_fingerprint": None,
        }, altered(
            outcome,
            n_rows_retrained=carried.n_rows if parts else outcome.n_rows_retrained,
            retrained_parts=parts or outcome.retrained_parts,
            not_forgotten=(*left, *outcome.not_forgotten),
        )

    def _trained_anew(self, objective, rows, removed, left, context, why):
        """Return attributes and the outcome of a fit of the whole model on what remains."""
        check_classes(objective.without(removed), removed, self.estimator_)
        numbers = rows_of_training(objective, self._source, rows)
        inner = cloned_like(self._blank, self.estimator_)
        self._train(inner, *self.training_data(numbers), context)
        carried, source = objective_anew(
            objective, self._source, inner, numbers, self._settings(), self._seed
        )
        return {
            "estimator_": inner,
            "_objective": carried,
            "_source": source,
            "_fingerprint": None,
        }, replace(outcome_anew(inner, why, len(numbers)), not_forgotten=tuple(left))

    # True once weights were changed for the sake of criterion rows that are rows of ``fit``.
    _steered = False

    def _own(self):
        """Make private, writable copies of what a request erases; nothing else changes."""
        self._objective.own()
        self._source.own()
        self._fit_params = owned(self._fit_params, len(self._source.held_out))

    def _leave_out(self, objective, removed):
        """Return the objective without rows, the one whose Hessian the step takes, and doubts."""
        if self.hessian_rows == "all":
            objective.ensure_curvature()
        leaving = objective.features.leaving(lambda: objective.rows.take(removed))
        judged = self._unchecked and not self._doubts
        # Sums that could not follow the features once are not prepared to do so.
        late = objective.has_closed_form and objective.features.changed_freely and not judged
        after = objective.without_sums(removed) if late else objective.without(removed, leaving)
        after.check_remaining(self.estimator_)
        found = ()
        if judged:
            found = optimality_doubts(objective, after, removed, last_step(self.estimator_))

        def remaining():
            numbers = after.remaining_rows()
            params = transformer_params(self.estimator_, self._fit_params)
            params = per_row(params, len(objective.rows), numbers)
            y = given_targets(objective.y[numbers], self.estimator_)
            return objective.rows.take_to_fit(numbers), y, params

        features, change = objective.features.forget(leaving, remaining)
        changed = features is not objective.features
        if late and not (changed and change is None):
            after = objective.without(removed, leaving)
        if changed and features.worn:
            after.expansion = None
        target = after.with_features(features, change) if changed else after
        if self.hessian_rows == "remaining":
            return target, target, found
        if not changed:
            return target, objective, found
        # Transformers that were fitted anew leave no Hessian of the rows before.
        known = change is not None and change.fill is None
        before = objective.with_features(features, change) if known else target
        return target, before, found

    def _written(self, objective):
        """Return the fitted estimator at an objective's parameters and transformers."""
        transformers = objective.features.transformers
        last = objective.written(last_step(self.estimator_))
        if hasattr(last, "feature_names_in_") and transformers is not None:
            last.feature_names_in_ = transformers.get_feature_names_out()
        return joined_pipeline(self.estimator_, transformers, last)

    def training_data(self, rows):
        objective = self._objective
        params = per_row(self._fit_params, len(objective.rows), rows)
        y = given_targets(objective.y[rows], last_step(self.estimator_))
        return self._named(objective.rows.take_to_fit(rows)), y, params

    def _named(self, X):
        """Return rows with the names of their features, which the private copy has lost."""
        names = getattr(self.estimator_, "feature_names_in_", None)
        if names is None or not isinstance(X, np.ndarray):
            return X
        import pandas as pd

        return pd.DataFrame(X, columns=names)

    def trained_on(self, rows):
        return rows[~self._source.held_out[rows]]

    def fresh(self):
        """Return an unfitted unlearner that trains as this one did.

        Returns
        -------
        BaseUnlearner
            A clone; around a frozen model, one that trains the model.
        """
        fresh = clone(self)
        if isinstance(self.estimator, FrozenEstimator):
            fresh.set_params(estimator=clone(self.estimator.estimator))
        return fresh

    def refitted(self, rows, random_state, *, varied=False):
        """Return a fresh unlearner, fitted with another seed on the rows that this one trained on.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows that are not forgotten. Those that were held out stay so, as
            criterion rows.

        random_state : int, RandomState instance or None
            The seed.

        varied : bool, default=False
            True if seeds that are set inside the estimator vary with it.

        Returns
        -------
        BaseUnlearner
            Fitted; this object is not changed.
        """
        criterion = self._source.refit_params(self, rows)
        # A net that splits rows off is given all, and does it again.
        trained = rows if self._source.split_off else self.trained_on(rows)
        return super().refitted(trained, random_state, varied=varied, **criterion)

    def _erase(self, rows):
        self._objective.erase(rows)
        self._source.erase(rows)
        erase_rows(self._fit_params, len(self._source.held_out), rows)
