"""What is known of how the models of a class forget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_unlearn._inner.closed.labels import Labels


@dataclass(frozen=True)
class Part:
    """Rows as a model gets them.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        Their features.

    y : ndarray of shape (n_rows,) or (n_rows, n_outputs), or None
        Their targets.

    weights : ndarray of shape (n_rows,) or None
        Their sample weights.
    """

    X: Any
    y: np.ndarray | None
    weights: np.ndarray | None


@dataclass(frozen=True)
class Request:
    """Rows that leave a model.

    Parameters
    ----------
    part : Part
        The rows.

    everything : callable
        Returns the Part of all rows that the model was trained on, these among them.

    remaining : callable
        Returns the Part of those that remain.

    before : Labels or None
        How many rows the classes had; None of models that are no classifiers.

    after : Labels or None
        How many they have left.
    """

    part: Part
    everything: Callable
    remaining: Callable
    before: Labels | None
    after: Labels | None


@dataclass(frozen=True)
class ClosedForm:
    """How fitted models of one class forget.

    Parameters
    ----------
    forget : callable
        Takes the fitted model, the :class:`Request`, and what was kept at the last one, None
        before the first. Returns the new model, what to keep, and how many units of digits are
        lost; or None if the model has to be fitted anew. Changes nothing in place.

    moved : callable or None, default=None
        Takes a fitted model, what is kept and a :class:`Change` of its features. Returns the
        model of changed features and what to keep, or None if it has to be fitted anew. Without
        it, it always has.

    suits : callable or None, default=None
        Takes a fitted model. Tells whether models of its parameters forget in this way; without
        it, all do.
    """

    forget: Callable
    moved: Callable | None = None
    suits: Callable | None = None
