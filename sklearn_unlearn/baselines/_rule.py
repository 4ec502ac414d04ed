"""Baselines that change the parameters by a rule of their own, without a Newton step."""

from abc import abstractmethod

import numpy as np

from sklearn_unlearn._influence.unlearner import ObjectiveUnlearner
from sklearn_unlearn._records.receipt import Outcome


class RuleUnlearner(ObjectiveUnlearner):
    """Base class: parameters that change by a rule of the subclass."""

    @abstractmethod
    def _changed(self, objective, leaving, seed):
        """Return new parameters and, in words, how they were made.

        Parameters
        ----------
        objective : Objective
            Of the remaining rows, at the parameters before.

        leaving : ndarray of int
            Rows that leave the training, at least one.

        seed : int
            Seed of this request.
        """

    def _arrive(self, objective, after, hessian_of, rows, leaving, pass_begins):
        pass_begins()
        # All of them, also those of a class that is gone: these rules know no last row of a class,
        # and leave its output where they lead.
        theta, how = self._changed(after, rows[objective.trained[rows]], self._request_seed())
        if not np.isfinite(theta).all():
            raise ValueError(
                f"{type(self).__name__} diverged: the parameters are no longer finite. Take "
                "smaller or fewer steps."
            )
        return after.at(theta), Outcome(stopped_because=how)
