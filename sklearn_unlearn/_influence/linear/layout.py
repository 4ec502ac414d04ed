"""What depends on the number of a linear model's parameters alone: which may move, penalties."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """Which parameters may move, and the penalty of each.

    Parameters
    ----------
    free : ndarray of bool of shape (n_outputs, n_features + 1)
        True for those that may move.

    stays : ndarray of bool of the same shape or None
        True for the others; None if there are none.

    penalty : ndarray of float of the same shape
        Penalty, without the scale of the problem.
    """

    free: np.ndarray
    stays: np.ndarray | None
    penalty: np.ndarray


def make_layout(problem, shape, fit_intercept, off, n_marks=0):
    """Return the layout of parameters.

    Parameters
    ----------
    problem : LinearProblem
        What the model minimises.

    shape : tuple of int
        Of the parameters, (n_outputs, n_features + 1).

    fit_intercept : bool
        False if the intercept stays zero.

    off : ndarray of int
        Outputs that stay as they are.

    n_marks : int, default=0
        Number of parameters before the intercept that stay zero.

    Returns
    -------
    Layout
        Its arrays are read-only.
    """
    n_predictions = shape[0] - problem.has_scale
    free = np.ones(shape, dtype=bool)
    free[:, -1] = fit_intercept
    free[:, shape[1] - 1 - n_marks : -1] = False
    free[off] = False
    free[n_predictions:, :-1] = False
    free[n_predictions:, -1] = True
    penalty = np.empty(shape)
    penalty[:, :-1] = np.reshape(problem.l2, (-1, 1))
    penalty[:, -1] = problem.intercept_l2
    for array in (free, penalty):
        array.flags.writeable = False
    return Layout(free, None if free.all() else ~free, penalty)
