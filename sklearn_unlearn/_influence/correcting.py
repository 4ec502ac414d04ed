"""How unlearners that move parameters correct rows: by one Newton step, or by a fit anew."""

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.utils import assert_all_finite

from sklearn_unlearn._influence.checks import TransformerDoubt, optimality_doubts
from sklearn_unlearn._influence.ending import ended
from sklearn_unlearn._influence.linear.correcting import corrected, in_refitted_features
from sklearn_unlearn._influence.training_anew import objective_anew, outcome_anew, rows_of_training
from sklearn_unlearn._influence.unlearner import STEERED
from sklearn_unlearn._inner.callbacks import passes
from sklearn_unlearn._inner.fit_params import per_row, transformer_params
from sklearn_unlearn._inner.forgetting.table import ignore_targets
from sklearn_unlearn._inner.pipelines import (
    cloned_like,
    fitted_steps,
    last_step,
    nested_estimators,
    out_of_reach,
)
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.corrections import corrected_rows, replaced
from sklearn_unlearn._records.fingerprint import check_same_rows
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import narrowed
from sklearn_unlearn._records.source_rows import SourceRows
from sklearn_unlearn._records.targets import encode, given_targets, joined_labels

NO_ROWS = np.empty(0, dtype=np.intp)
OF_NETWORKS = TransformerDoubt("no step of a network's parameters puts rows in", repeats=True)
LOST_LABEL = TransformerDoubt("a label of the model has no row any more", repeats=True)
NEW_LABEL = TransformerDoubt("a label of the correction is new to it", repeats=True)


class CorrectingMixin:
    """Unlearners with an objective that correct rows.

    A linear model makes one Newton step, like those to forget (``_steps``): the old rows' gradients
    and curvatures leave the objective, the right ones' come. Where values change, or targets that a
    transformer may learn from, the transformers are fitted anew before. A network is trained again,
    and so is a model with a label that it does not know.
    """

    def _correct(self, rows, given, context):
        self._check_params()
        objective = self._bound_objective()
        if isinstance(objective.rows, SourceRows):
            raise TypeError(
                f"Rows that lie in a file or a database ({type(objective.rows.source).__name__}) "
                "can't be corrected by a request. Correct them there and fit anew."
            )
        check_same_rows(objective.rows, self._fingerprint)
        self._own()
        store = corrected_rows(objective.rows, rows, given.X)
        y, labels = self._corrected_targets(objective, rows, given.y)
        data = objective.data.corrected(rows, store, y)
        left = [*out_of_reach(objective.rows, self.estimator_), *self._source.leftovers]
        if isinstance(self.estimator, FrozenEstimator):
            left.append("the parameter estimator, the frozen model as it was given")
        changed = rows[objective.trained[rows]]
        why = self._transformer_doubt
        # A net has a history of the rows that it split off.
        if why is None and not objective.has_closed_form and len(changed) + self._source.split_off:
            why = OF_NETWORKS
        is_off = objective.has_closed_form and np.isin(y[rows], objective.off).any()
        if why is None and (labels is not None or is_off):
            why = NEW_LABEL
        if why is None and is_classifier(last_step(self.estimator_)) and y.ndim == 1:
            live = objective.trained | self._source.held_out
            if not np.isin(objective.y[rows], y[live]).all():
                # As a class without rows, a mistyped label would stay where all can read it.
                why = LOST_LABEL
        if why is not None:
            return self._corrected_anew(objective, data, labels, left, context, why)
        steering = self._steered and self._source.judged_by(rows, self._subjects)
        if steering:
            left.append(STEERED)
        if not len(changed):
            # The model is as good as the last request left it.
            guarantee = self.receipts_[-1].guarantee if self.receipts_ else "exact"
            return {
                "_objective": altered(objective, data=data),
                "estimator_": self.estimator_,
                "_fingerprint": None,
            }, Outcome(
                "approximate" if steering else guarantee,
                stopped_because="no corrected row was trained on",
                not_forgotten=tuple(left),
            )
        found = self._doubts
        if self._unchecked and not found:
            found = optimality_doubts(objective, objective, NO_ROWS, last_step(self.estimator_))
        after = self._put_in(objective, changed, data, given)
        after.check_remaining(self.estimator_)
        norm = after.measured_gradient_norm()
        same_features = after.features is objective.features
        before = objective if same_features and self.hessian_rows == "all" else after
        if before is not after:
            before.ensure_curvature()
        carried, outcome = ended(
            last_step(self.estimator_),
            after,
            lambda: after.arrive(after, before, self._steps(), passes(self, context)),
            found,
        )
        guarantee = "approximate" if steering else outcome.guarantee
        outcome = altered(outcome, guarantee=guarantee, gradient_norm_before=norm)
        return self._moved(objective, carried, outcome, found, left)

    def _corrected_targets(self, objective, rows, y):
        """Return encoded targets of all rows, and the labels by code where some are new."""
        if y is None:
            return objective.y, None
        last = last_step(self.estimator_)
        if not is_classifier(last):
            assert_all_finite(y, input_name="y")
            _check_range(last, y)
            return replaced(objective.y, rows, np.asarray(y, dtype=float)), None
        if objective.y.ndim == 2:
            return replaced(objective.y, rows, encode(last, y)), None
        codes, labels = joined_labels(np.ravel(y), last.classes_)
        is_new = len(labels) > len(last.classes_)
        return replaced(objective.y, rows, codes), labels if is_new else None

    def _put_in(self, objective, rows, data, given):
        """Return the objective on corrected rows, near the same predictions."""
        transformers = objective.features.transformers
        learn = transformers is not None and fitted_steps(transformers.steps)
        if learn and given.X is None:
            learn = not ignore_targets([transformers, *nested_estimators(transformers)])
        if not learn:
            if given.X is not None:
                # The model itself knows best what it can't take.
                self.estimator_.predict(self._named(data.rows.take_to_fit(rows)))
            return corrected(objective, rows, data)

        def remaining():
            numbers = objective.remaining_rows()
            params = transformer_params(self.estimator_, self._fit_params)
            params = per_row(params, len(objective.rows), numbers)
            y = given_targets(data.y[numbers], self.estimator_)
            return data.rows.take_to_fit(numbers), y, params

        features, change = objective.features.refitted_on(remaining)
        if change is not None:
            return corrected(objective, rows, data).with_features(features, change)
        return in_refitted_features(objective, rows, data, features)

    def _corrected_anew(self, objective, data, labels, left, context, why):
        """Return attributes and the outcome of a fit of the whole model on corrected rows."""
        source, last = self._source, last_step(self.estimator_)
        numbers = rows_of_training(objective, source, NO_ROWS)
        y = data.y[numbers]
        # As wide as the labels are that are left.
        y = narrowed(given_targets(y, last) if labels is None else labels[y])
        if is_classifier(last) and y.ndim == 1 and len(np.unique(y)) < 2:
            raise ValueError("The request would leave one class only. Fit a new model.")
        blank = clone(self.estimator_) if self._blank is None else self._blank
        inner = cloned_like(blank, self.estimator_)
        params = per_row(self._fit_params, len(objective.rows), numbers)
        self._train(inner, self._named(data.rows.take_to_fit(numbers)), y, params, context)
        new_last = last_step(inner)
        # Weights that were changed were so for the model before.
        data = altered(data, weights=data.given)
        if is_classifier(last) and data.y.ndim == 1:
            every = last.classes_ if labels is None else labels
            data = altered(data, y=_coded_anew(data, source, every, new_last))
        carried, source = objective_anew(
            altered(objective, data=data), source, inner, numbers, self._settings(), self._seed
        )
        return {
            "estimator_": inner,
            "_objective": carried,
            "_source": source.encoded_for(carried, new_last),
            "_fingerprint": None,
            **self._remembered(inner),
        }, altered(outcome_anew(inner, why, len(numbers)), not_forgotten=tuple(left))

    def _rewrite(self):
        self._objective.rewrite()


def _coded_anew(data, source, labels, model):
    """Return class numbers of a model that was fitted anew; zeros for rows that are forgotten."""
    live = np.flatnonzero(data.trained | source.held_out)
    y = np.zeros_like(data.y)
    y[live] = encode(model, labels[data.y[live]])
    return y


def _check_range(model, y):
    """Raise for targets that the loss of a linear model is not defined for."""
    if not isinstance(model, (GammaRegressor, PoissonRegressor, TweedieRegressor)):
        return
    power = 2 if isinstance(model, GammaRegressor) else getattr(model, "power", 1)
    lowest = np.min(y)
    if (power >= 1 and lowest < 0) or (power >= 2 and lowest == 0):
        raise ValueError(
            f"y has the value {lowest:.3g}, but {type(model).__name__} takes "
            f"{'positive ones' if power >= 2 else 'none below 0'}."
        )
