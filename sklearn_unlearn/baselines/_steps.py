"""Minibatch steps on an objective, for the baselines that go on training."""

from abc import abstractmethod
from copy import copy
from numbers import Integral, Real

import numpy as np

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn.baselines._rule import RuleUnlearner

# Decay rates and guard of Adam, as in its paper.
FIRST, SECOND, GUARD = 0.9, 0.999, 1e-8


class Adam:
    """Steps of Adam whose length falls linearly to zero.

    Parameters
    ----------
    theta : ndarray
        Where to start.

    learning_rate : float
        Length of the first step.

    n_steps : int
        Number of steps.
    """

    def __init__(self, theta, learning_rate, n_steps):
        self.theta = np.array(theta)
        self.learning_rate, self.n_steps, self.made = learning_rate, n_steps, 0
        self._mean, self._square = np.zeros_like(self.theta), np.zeros_like(self.theta)

    def step(self, gradient):
        """Move against a gradient."""
        rate = self.learning_rate * (1 - self.made / self.n_steps)
        self.made += 1
        self._mean = FIRST * self._mean + (1 - FIRST) * gradient
        self._square = SECOND * self._square + (1 - SECOND) * gradient**2
        mean = self._mean / (1 - FIRST**self.made)
        square = self._square / (1 - SECOND**self.made)
        # An overflow would make the step zero and look like an end.
        step = np.where(np.isfinite(square), mean / (np.sqrt(square) + GUARD), np.nan)
        self.theta = self.theta - rate * step


def descended(objective, steps, learning_rate):
    """Return the parameters after steps from an objective.

    Parameters
    ----------
    objective : Objective
        Where to start.

    steps : list of callable
        Each maps the objective at the present parameters to a gradient.

    learning_rate : float
        Length of the first step.

    Returns
    -------
    ndarray
        Parameters; not finite if the steps diverged.
    """
    adam = Adam(objective.theta, learning_rate, len(steps))
    with np.errstate(all="ignore"):
        for gradient in steps:
            adam.step(gradient(objective.at(adam.theta)))
            if not np.isfinite(adam.theta).all():
                break
    return adam.theta


def total_weight(weights):
    """Return the sum of weights, one if it is zero."""
    return float(weights.sum()) or 1.0


def mean_gradient(objective, rows):
    """Return the mean gradient of the losses of rows."""
    return objective.loss_gradient(rows) / total_weight(objective.weights[rows])


def risk_gradient(objective, rows):
    """Return the gradient of the mean objective as some rows tell it, penalty included."""
    penalty = objective.penalty_gradient() / total_weight(objective.live_weights())
    return mean_gradient(objective, rows) + penalty


def divergence_gradient(student, teacher, rows):
    """Return the mean gradient of how far a student's predictions are from a teacher's.

    The divergence is the one that the loss makes of its own curvature, ``l(s) - l(t) -
    l'(t) (s - t)`` for raw predictions s and t: for log losses the Kullback-Leibler divergence of
    the student's distribution from the teacher's, for squared errors half the squared distance.

    Parameters
    ----------
    student : Objective
        At the parameters whose gradient is asked for.

    teacher : Objective
        At those before the request.

    rows : ndarray of int
        Row numbers.

    Returns
    -------
    ndarray
        Gradient.
    """
    Z, y, weights = (
        student.features(student.rows.take(rows)),
        student.targets(rows),
        student.weights[rows],
    )
    slopes = student.slopes(Z, y) - teacher.slopes(Z, y)
    return student.pull_back(Z, slopes * weights[:, None]) / total_weight(weights)


def relabelled(objective, rows, y):
    """Return the objective with other targets of some rows; the objective stays as it is."""
    new, new_data = copy(objective), copy(objective.data)
    new_data.y = objective.y.copy()
    new_data.y[rows] = y
    new.data = new_data
    return new


def shuffled_batches(rows, size, rng):
    """Return rows in a drawn order, in batches."""
    order = rng.permutation(rows)
    return [order[start : start + size] for start in range(0, len(order), size)]


class StepsUnlearner(RuleUnlearner):
    """Base class: minibatch steps from the parameters as they are.

    A subclass has the parameters ``n_epochs``, ``learning_rate`` and ``batch_size``, and says which
    gradients are followed (``_steps``).
    """

    @abstractmethod
    def _steps(self, objective, leaving, rng):
        """Return one function of the objective per step, which returns a gradient.

        Parameters
        ----------
        objective : Objective
            Of the remaining rows, at the parameters before.

        leaving : ndarray of int
            Rows that leave the training, at least one.

        rng : RandomState
            Draws the batches.
        """

    def _check_params(self):
        check_number(self, "n_epochs", Integral, 1)
        check_number(self, "learning_rate", Real, 0)
        check_number(self, "batch_size", Integral, 1)

    def _batches(self, rows, rng):
        """Return the batches of one pass over rows."""
        return shuffled_batches(rows, self.batch_size, rng)

    def _changed(self, objective, leaving, seed):
        steps = self._steps(objective, leaving, np.random.RandomState(seed))
        return descended(objective, steps, self.learning_rate), f"{len(steps)} steps made"
