"""Models that were trained without the rows: what every other measure is held against."""

from dataclasses import dataclass, field
from numbers import Integral
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory

from sklearn_unlearn._influence.polish import polished
from sklearn_unlearn._inner.declared import fixed_seeds, vary_seeds
from sklearn_unlearn._inner.fit_params import per_row, with_weights
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn.base import BaseUnlearner, Ids, MatrixLike, RandomState
from sklearn_unlearn.metrics._outputs import parameter_vector

# The floor is the distance of two.
MIN_REFITS = 2


@dataclass(frozen=True)
class Unprinted:
    """Rows or ids as an argument of what is cached: a cache stores how its arguments print.

    Parameters
    ----------
    value : object
        The argument.
    """

    value: Any = field(repr=False)


@dataclass(frozen=True)
class Refits:
    """Models trained without some rows, with the rows; made by :func:`make_refits`.

    Reports, attacks and scorers of the same request share it, whichever method they look at.

    Parameters
    ----------
    models : list of estimator
        The refits as the estimator trains them, plain models; nets of skorch in the adapter that
        trains them, the net itself being its ``net_``.

    references : list of estimator
        What distances are measured from: linear models brought to their optimum by Newton
        steps, all others as they are. What a solver's tolerance leaves open thereby counts as a
        difference between refits.

    forgotten : tuple of (X, y)
        The rows that the refits were trained without.

    remaining : tuple of (X, y)
        The rows that they were trained on.

    seconds : list of float
        Wall-clock time of each fit, in seconds.

    gradient_norms : list of float or None
        Largest gradient entry of each refit's mean objective; None where it has no closed form.

    reseeded : tuple of str
        Parameters that hold a fixed seed in the estimator and were varied, as otherwise all
        refits would be one.

    sample_weight : float, ndarray of shape (n_remaining,) or None
        Weights that they were trained with.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from sklearn_unlearn.metrics import make_refits
    >>> X, y = load_diabetes(return_X_y=True)
    >>> tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    >>> make_refits(tree, X, y, forget=[3, 14], n=2).reseeded
    ('random_state',)
    """

    models: list[BaseEstimator]
    references: list[BaseEstimator]
    forgotten: tuple[Any, Any] = field(repr=False)
    remaining: tuple[Any, Any] = field(repr=False)
    seconds: list[float]
    gradient_norms: list[float] | None = None
    reseeded: tuple[str, ...] = ()
    sample_weight: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.models)


def make_refits(
    estimator: BaseEstimator,
    X: MatrixLike,
    y: ArrayLike,
    *,
    forget: Ids,
    X_ids: Ids | None = None,
    sample_weight: float | ArrayLike | None = None,
    n: int = 5,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    memory: str | joblib.Memory | None = None,
    **fit_params: Any,
) -> Refits:
    """Train models without some rows, each with a seed of its own.

    Parameters
    ----------
    estimator : estimator
        What to train: a model, or an unlearner where only that can train the model (an
        ensemble). It is cloned.

    X : array-like of shape (n_samples, n_features)
        All training rows, those to forget among them.

    y : array-like of shape (n_samples,)
        Their targets.

    forget : array-like of shape (n_subjects,)
        Ids of the subjects to leave out.

    X_ids : array-like of shape (n_samples,), default=None
        Id of the subject that each row belongs to, as in ``fit`` of an unlearner.

    sample_weight : float or array-like of shape (n_samples,), default=None
        Weights of the rows, as in ``fit`` of an unlearner: those of a pipeline go to its last step.

    n : int, default=5
        Number of refits; with two there is no verdict.

    random_state : int, RandomState instance or None, default=None
        Seeds the refits. Seeds that are set inside the estimator are varied as well.

    n_jobs : int or None, default=None
        Number of fits at the same time, see :class:`joblib.Parallel`.

    memory : str, joblib.Memory or None, default=None
        Where to cache the fits. The cache holds models, not rows.

    **fit_params : dict
        Further parameters for ``fit`` of the estimator; of those with one value per row, the fits
        get the values of their rows.

    Returns
    -------
    Refits
        The refits, for :func:`forgetting_report`.

    Raises
    ------
    ValueError
        If ``n`` is below 2, or an id is unknown.

    Notes
    -----
    Costs ``n`` fits, and a few passes over the rows for each linear model.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.metrics import make_refits
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> refits = make_refits(LogisticRegression(), X / X.max(axis=0), y, forget=[3, 14], n=3)
    >>> len(refits), len(refits.forgotten[1])
    (3, 2)
    """
    check_n_refits(n, "n")
    subjects = SubjectIndex(count_rows(X), X, y, X_ids)
    forgotten = np.sort(subjects.rows(forget)[1])
    remaining = np.setdiff1d(np.arange(count_rows(X)), forgotten)
    data, ids = (take_rows(X, remaining), take_rows(y, remaining)), None
    if isinstance(estimator, BaseUnlearner):
        if sample_weight is not None:
            fit_params["sample_weight"] = sample_weight
        known = dict(zip(*subjects.remaining()))
        ids = [known[row] for row in remaining]
    else:
        fit_params = with_weights(estimator, fit_params, sample_weight)
    params = per_row(fit_params, count_rows(X), remaining)
    fit = _fit if memory is None else check_memory(memory).cache(_fit)
    calls = [
        delayed(fit)(adapted(estimator), Unprinted((*data, ids, params)), seed)
        for seed in draw_seeds(random_state, n)
    ]
    fitted = Parallel(n_jobs=n_jobs)(calls)
    gone = take_rows(X, forgotten), take_rows(y, forgotten)
    return as_refits(fitted, gone, (*data, params), estimator)


def refits_of(
    unlearner: BaseUnlearner,
    rows: np.ndarray,
    *,
    n: int = 5,
    random_state: RandomState = None,
    n_jobs: int | None = None,
) -> Refits:
    """Train models like a fitted unlearner's without some of its rows.

    Parameters
    ----------
    unlearner : BaseUnlearner
        Fitted; not changed.

    rows : ndarray of int
        Numbers of the rows to leave out.

    n : int, default=5
        Number of refits.

    random_state : int, RandomState instance or None, default=None
        Seeds the refits.

    n_jobs : int or None, default=None
        Number of fits at the same time.

    Returns
    -------
    Refits
        The refits. Rows that the unlearner held out count neither as forgotten nor as remaining,
        unless all rows to leave out are such.
    """
    check_n_refits(n, "n_refits")
    left = np.setdiff1d(unlearner.rows_of(), rows)
    calls = [delayed(_refit)(unlearner, left, seed) for seed in draw_seeds(random_state, n)]
    fitted = Parallel(n_jobs=n_jobs)(calls)
    forgotten, remaining = (trained_rows(unlearner, some) for some in (rows, left))
    return as_refits(fitted, forgotten[:2], remaining, unlearner)


def draw_seeds(random_state: RandomState, n: int) -> list[int]:
    """Return seeds for refits."""
    return check_random_state(random_state).randint(2**31 - 1, size=n).tolist()


def check_n_refits(n: int, name: str) -> None:
    """Raise unless there are refits to compare."""
    if not isinstance(n, Integral) or isinstance(n, bool) or n < MIN_REFITS:
        raise ValueError(
            f"{name}={n!r} is invalid: refits are compared with each other, for which "
            f"{MIN_REFITS} or more are needed, and 3 for a verdict."
        )


def check_same_rows(
    refits: Refits, unlearner: BaseUnlearner, rows: np.ndarray, left: np.ndarray
) -> None:
    """Raise unless refits were trained on the rows that a request leaves."""
    trained = unlearner.trained_on(rows)
    # Refits that others made know nothing of rows that this unlearner held out.
    for gone, kept in (
        (rows, left),
        (trained if len(trained) else rows, unlearner.trained_on(left)),
    ):
        if len(gone) != count_rows(refits.forgotten[1]):
            continue
        X, y = unlearner.training_data(gone)[:2]
        _, y_kept, params = unlearner.training_data(kept)
        if not all(map(_equal, (X, y, y_kept), (*refits.forgotten, refits.remaining[1]))):
            continue
        weights = _weights(unlearner.estimator_, params), refits.sample_weight
        one, other = (np.asarray(1.0 if some is None else some) for some in weights)
        if np.all(one == other):
            return
        raise ValueError(
            "refits were trained with other weights than the unlearner. Make them with the "
            "sample_weight of its fit."
        )
    raise ValueError(
        f"refits are refits of other rows: they left out {count_rows(refits.forgotten[1])} and "
        f"kept {count_rows(refits.remaining[1])}, the request takes {len(rows)} and leaves "
        f"{len(left)}; equal numbers hide other values. Make them of the same X, y and ids."
    )


def _equal(one: Any, other: Any) -> bool:
    """Tell whether rows or targets have the same values, whatever holds them."""
    one, other = (part.toarray() if sparse.issparse(part) else part for part in (one, other))
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype.hasobject or other.dtype.hasobject:
        one, other = one.astype(str), other.astype(str)
    # What is missing is missing in both.
    return one.shape == other.shape and bool(
        ((one == other) | ((one != one) & (other != other))).all()
    )


def trained_rows(unlearner: BaseUnlearner, rows: np.ndarray) -> tuple[Any, Any, dict[str, Any]]:
    """Return the data of those rows that were not held out; of all if none is."""
    trained = unlearner.trained_on(rows)
    return unlearner.training_data(trained if len(trained) else rows)


def as_refits(
    fitted: list[tuple[BaseEstimator, float]],
    forgotten: tuple[Any, Any],
    remaining: tuple[Any, Any, dict[str, Any]],
    estimator: BaseEstimator,
) -> Refits:
    """Return fitted models, each with its seconds, as what they are held to be."""
    models, seconds = [model for model, _ in fitted], [taken for _, taken in fitted]
    X, y, params = remaining
    weights = _weights(models[0], params)
    ends = _optima(models, X, y, weights)
    norms = [norm for _, norm in ends if norm is not None]
    inside = set(fixed_seeds(estimator))
    if isinstance(estimator, BaseUnlearner):
        # An unlearner's own seed is one of those that refits vary in any case.
        inside.discard("random_state")
    return Refits(
        models,
        [best for best, _ in ends],
        forgotten,
        (X, y),
        seconds,
        norms if len(norms) == len(ends) else None,
        tuple(sorted(inside)),
        weights,
    )


def _weights(model: BaseEstimator, fit_params: dict[str, Any]) -> Any:
    """Return the weights among parameters of ``fit``, those of a pipeline's last step first."""
    name = f"{model.steps[-1][0]}__sample_weight" if isinstance(model, Pipeline) else ""
    return fit_params.get(name, fit_params.get("sample_weight"))


def _fit(estimator: BaseEstimator, data: Unprinted, seed: int) -> tuple[BaseEstimator, float]:
    """Return a plain model fitted with a seed, and how long it took."""
    started = perf_counter()
    X, y, ids, params = data.value
    model = vary_seeds(clone(estimator), seed)
    if ids is None:
        model.fit(X, y, **params)
    else:
        model = model.fit(X, y, X_ids=ids, **params).estimator_
    return model, perf_counter() - started


def _refit(unlearner: BaseUnlearner, left: np.ndarray, seed: int) -> tuple[BaseEstimator, float]:
    """Return the plain model of a refit on numbered rows, and how long it took."""
    started = perf_counter()
    model = unlearner.refitted(left, seed, varied=True).estimator_
    return model, perf_counter() - started


def _optima(
    models: list[BaseEstimator], X: MatrixLike, y: ArrayLike, weights: ArrayLike | None
) -> list[tuple[BaseEstimator, float | None]]:
    """Return models at their optimum; those that came out equal are brought there once."""
    known: dict[tuple[bytes, bytes], tuple[BaseEstimator, float | None]] = {}
    ends = []
    for model in models:
        theta = parameter_vector(model)
        if theta is None:
            ends.append(_optimum(model, X, y, weights))
            continue
        key = theta.tobytes(), np.asarray(model.predict(X)).tobytes()
        if key not in known:
            known[key] = _optimum(model, X, y, weights)
        ends.append(known[key])
    return ends


def _optimum(
    model: BaseEstimator, X: MatrixLike, y: ArrayLike, weights: ArrayLike | None
) -> tuple[BaseEstimator, float | None]:
    """Return a linear model at its optimum and the gradient norm where its solver stopped.

    Other models, and those whose objective goes down for ever, come back as they are; likewise
    those of stochastic gradient descent, which stops early for a purpose.
    """
    if isinstance(last_step(model), (SGDClassifier, SGDRegressor)):
        return model, None
    try:
        return polished(model, X, y, weights)
    except (TypeError, ValueError):
        return model, None
