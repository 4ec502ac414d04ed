"""Where the steps of a request end, and the fits of the last step that must follow them."""

from dataclasses import replace

import numpy as np
from sklearn.base import clone

from sklearn_unlearn._influence.linear.lost_classes import switched_off
from sklearn_unlearn._influence.linear.steps import refitted
from sklearn_unlearn._influence.solvers import IndefiniteError
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.targets import given_targets


class EndingMixin:
    """Unlearners whose steps may end where only a fit of the model itself leads on."""

    def _ended(self, after, arrive, found):
        """Return where the steps of a request end, after what fits must follow, and the outcome.

        Parameters
        ----------
        after : Objective
            Where they start.

        arrive : callable
            Makes the steps; returns an objective and an outcome.

        found : tuple of str
            Doubts about what was fitted.
        """
        try:
            carried, outcome = arrive()
        except IndefiniteError:
            if not after.is_quadratic:
                raise
            carried, outcome = altered(after, imprecise=True), Outcome()
        if carried.needs_fit:
            carried, outcome = self._fitted_without_class(carried)
        elif carried.imprecise:
            carried, outcome = self._fitted_last(carried, outcome)
        if found:
            reason = f"{outcome.stopped_because}; approximate, because {found[0]}"
            outcome = replace(outcome, guarantee="approximate", stopped_because=reason)
        return carried, outcome

    def _fitted_last(self, carried, outcome):
        """Return the objective where a fit of the last step alone ends, and the outcome."""
        last, numbers = last_step(self.estimator_), carried.remaining_rows()
        best, exact = refitted(carried, self._fresh_last(carried, numbers))
        if not exact:
            why = f"{type(last).__name__} itself misses the optimum of such rows"
            return best, replace(outcome, stopped_because=f"{outcome.stopped_because}; {why}")
        return best, replace(
            outcome,
            guarantee="exact",
            stopped_because=f"{type(last).__name__} fitted anew: its closed form loses digits",
            n_rows_retrained=len(numbers),
        )

    def _fresh_last(self, carried, numbers):
        """Return a fit of the last step alone on numbered rows."""
        last, weights = last_step(self.estimator_), carried.weights[numbers]
        Z = carried.features.without_marks()(carried.rows.take(numbers))
        params = {} if (weights == 1).all() else {"sample_weight": weights}
        return clone(last).fit(Z, given_targets(carried.y[numbers], last), **params)

    def _fitted_without_class(self, carried):
        """Return the objective where a fit without a class that is gone ends, and the outcome."""
        # Rows without weight don't keep a class alive.
        numbers = np.flatnonzero(carried.live_weights())
        name = type(last_step(self.estimator_)).__name__
        return switched_off(carried, self._fresh_last(carried, numbers)), Outcome(
            stopped_because=f"{name} fitted anew without the class that has lost all rows; the "
            "output of the class was switched off",
            n_rows_retrained=len(numbers),
            not_forgotten=("the label of a class without rows",),
        )
