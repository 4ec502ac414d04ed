"""Models that are released with noise; the exact one stays in the unlearner."""

from dataclasses import replace
from numbers import Real

from sklearn_unlearn._influence.linear.release import as_written, noised, released_outcome
from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn._inner.pipelines import joined_pipeline, last_step


class ReleasingMixin:
    """Unlearners with a parameter ``release_noise``, in front of those that move parameters."""

    def _check_release(self):
        """Raise if noise could hide no distance, as none would be proved."""
        if self.release_noise is None:
            return
        check_number(self, "release_noise", Real, 0, closed=False)
        if self.n_refine == 0 or self.reweight is not None:
            raise ValueError(
                f"release_noise={self.release_noise!r} hides a distance that is proved, which "
                f"n_refine={self.n_refine!r} and reweight={self.reweight!r} do not. Set "
                'n_refine="auto" and reweight=None.'
            )

    def _start(self, estimator, subjects, **attributes):
        released = self._released(estimator, attributes["_objective"])
        super()._start(released, subjects, **attributes)

    def _released(self, model, objective):
        """Return a model as it may be seen: with noise, where that is asked for."""
        if self.release_noise is None or not objective.has_closed_form:
            return model
        last = noised(objective, self.release_noise).written(last_step(model))
        return joined_pipeline(model, objective.features.transformers, last)

    def _forget(self, rows, context):
        return self._seen(*super()._forget(rows, context))

    def _correct(self, rows, given, context):
        return self._seen(*super()._correct(rows, given, context))

    def _seen(self, attributes, outcome):
        """Return what a request leads to, with the model as it may be seen."""
        if attributes["estimator_"] is self.estimator_:
            if outcome.guarantee == "certified":
                # The last release stands, and what it certified.
                outcome = replace(outcome, measures=self.receipts_[-1].measures)
            return attributes, outcome
        objective = attributes.get("_objective")
        if objective is None:
            return attributes, outcome
        model = attributes["estimator_"]
        if self.release_noise is None:
            return attributes, as_written(outcome, objective, last_step(model))
        doubts = attributes.get("_doubts", self._doubts)
        outcome = released_outcome(outcome, objective, self.release_noise, last_step(model), doubts)
        return attributes | {"estimator_": self._released(model, objective)}, outcome
