"""The cells of a comparison: a method is trained once, and only if a cell asks for it."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from time import perf_counter
from typing import Any

import joblib
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from sklearn_unlearn.base import BaseUnlearner, Ids, MatrixLike
from sklearn_unlearn.metrics.refits import Refits, Unprinted, make_refits
from sklearn_unlearn.metrics.report import ForgettingReport, forgetting_report


class Trained:
    """A method with a seed, trained when it is first asked for."""

    def __init__(
        self, method: BaseUnlearner, X: MatrixLike, y: ArrayLike, X_ids: Ids | None, seed: int
    ) -> None:
        self.method, self.seed = method, seed
        self._data = X, y, X_ids
        self._found: tuple[BaseUnlearner, float] | Exception | None = None

    def get(self) -> tuple[BaseUnlearner, float]:
        """Return the fitted unlearner and the seconds of its training, or raise its error again."""
        if self._found is None:
            try:
                self._found = self._fit()
            except Exception as error:
                self._found = error
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def _fit(self) -> tuple[BaseUnlearner, float]:
        (X, y, X_ids), model = self._data, clone(self.method)
        if "random_state" in model.get_params(deep=False):
            model.set_params(random_state=self.seed)
        started = perf_counter()
        model.fit(X, y, X_ids=X_ids)
        return model, perf_counter() - started


def refits_or_error(*args: Any, **params: Any) -> Refits | str:
    """Return what :func:`make_refits` does, or the error that it ends with."""
    try:
        return make_refits(*args, **params)
    except Exception as error:  # a request that leaves nothing to train on is a finding as well
        return f"{type(error).__name__}: the refits without these rows failed: {error}"


def cells(
    cell: Callable,
    model: Trained,
    refits: dict[str, Refits | str],
    requests: dict[str, list],
    test: tuple[MatrixLike, ArrayLike],
    attack: str | Callable,
    key: tuple,
) -> dict[str, tuple[ForgettingReport, float] | str]:
    """Return what each request comes to, or the error that it ends with."""
    found: dict[str, tuple[ForgettingReport, float] | str] = {}
    for request, ids in requests.items():
        own = refits[request]
        if isinstance(own, str):
            found[request] = own
            continue
        try:
            found[request] = cell(
                model, own, *test, attack, Unprinted(ids), model.method, model.seed, key
            )
        except Exception as error:  # a method's own failure is a finding, not the end of the others
            found[request] = f"{type(error).__name__}: {error}"
    return found


def cell(
    model: Trained,
    refits: Refits,
    X_test: MatrixLike,
    y_test: ArrayLike,
    attack: str | Callable,
    ids: Unprinted,
    method: BaseUnlearner,
    seed: int,
    key: tuple,
) -> tuple[ForgettingReport, float]:
    """Return the report of a request and the seconds of the method's training.

    A cache knows the data and the refits by ``key``, and the model by its method and seed.
    """
    fitted, seconds = model.get()
    report = forgetting_report(
        fitted, ids.value, X_test, y_test, refits=refits, attack=attack, random_state=seed
    )
    return report, seconds


def check_cached(part: object, name: str) -> None:
    """Raise unless a method or an attack can be known again by a cache."""
    try:
        joblib.hash(part)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"{name} can't be cached by memory=, as it can't be pickled: it may hold a lambda, a "
            "function inside a function, or an open file. Define the function in a module, or "
            "leave memory out."
        ) from error


def sources(part: object) -> list[str]:
    """Return the source of the functions and classes that are parameters, or the part itself.

    What is pickled of a function is its name, which stays the same as it is edited.
    """
    params = part.get_params().values() if isinstance(part, BaseEstimator) else [part]
    found = []
    for value in params:
        if inspect.isfunction(value) or inspect.isclass(value):
            try:
                found.append(inspect.getsource(value))
            except (OSError, TypeError):  # typed into a prompt, or not written in Python
                found.append(repr(value))
    return found
