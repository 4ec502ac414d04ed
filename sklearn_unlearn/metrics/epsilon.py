"""Are forgetful models distinguishable from retrained ones, over many seeds?"""

from math import comb

import numpy as np
from numpy.typing import ArrayLike

# Chance that models of one kind, dealt into two parts, are told apart by one threshold.
MAX_BY_CHANCE = 0.05
# What the challenge of NeurIPS 2023 makes of values of epsilon.
BIN_WIDTH, N_BINS = 0.5, 13


def forgetting_epsilon(
    forgotten: ArrayLike, retrained: ArrayLike, *, delta: float = 0.01, challenge: bool = False
) -> np.ndarray:
    """Empirical privacy loss between models that forgot and models retrained without the rows.

    For every row, the best threshold of an attack that tells the two kinds of models by a
    score of that row, and the epsilon that its error rates refute [1]_: a procedure that is
    (epsilon, delta)-indistinguishable from retraining admits no test with
    ``log((1 - delta - FPR) / FNR)`` above epsilon, nor with the rates exchanged.

    Parameters
    ----------
    forgotten : array-like of shape (n_models, n_rows)
        A score of each forgotten row, such as its loss or log-odds, under models that forgot:
        one model per seed.

    retrained : array-like of shape (n_retrained, n_rows)
        The same under models that were trained without the rows, one per seed.

    delta : float, default=0.01
        Probability that may escape.

    challenge : bool, default=False
        True for the definition of the unlearning challenge of NeurIPS 2023: tests that call what
        lies between two thresholds as well; a test with one rate of zero says nothing, and one
        with both gives infinity. :func:`forgetting_quality` makes its score of these.

    Returns
    -------
    ndarray of shape (n_rows,)
        Epsilon of each row, from 0 (indistinguishable) to about ``log(n)``, the largest value that
        n models of a kind, of that with fewer, can show; with ``challenge`` to infinity. The best
        of many thresholds is better than chance even between equal procedures: that floor is what
        ``forgetting_epsilon(some_retrained, other_retrained)`` gives with as many models.

    Raises
    ------
    ValueError
        If the scores don't belong together, delta is invalid, or there are so few models that
        the largest value comes up by chance in more than one of twenty rows: three of a kind are
        too few, four are enough.

    Notes
    -----
    Without ``challenge``, the rate below the fraction is taken to be at least 1 / n, n being the
    smaller of the two numbers of models, so that no few models prove that an epsilon is infinite;
    the rate above it is taken as it is. The challenge itself had 512 models of each kind, and
    thresholds on a grid; here all are tried.

    References
    ----------
    .. [1] E. Triantafillou et al., "Are we making progress in unlearning? Findings from the
       first NeurIPS unlearning competition", 2024, :arxiv:`2406.09073`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_unlearn.metrics import forgetting_epsilon
    >>> rng = np.random.default_rng(0)
    >>> retrained = rng.normal(size=(100, 5))
    >>> same, other = rng.normal(size=(100, 5)), rng.normal(4.0, size=(100, 5))
    >>> floor = np.median(forgetting_epsilon(same, retrained))
    >>> bool(floor < 2.5 < 4.0 < np.median(forgetting_epsilon(other, retrained)))
    True
    """
    forgotten, retrained = np.asarray(forgotten, float), np.asarray(retrained, float)
    if forgotten.ndim != 2 or retrained.ndim != 2 or forgotten.shape[1] != retrained.shape[1]:
        raise ValueError(
            "forgotten and retrained need one line per model and one column per row; got shapes "
            f"{forgotten.shape} and {retrained.shape}."
        )
    if not np.isfinite(forgotten).all() or not np.isfinite(retrained).all():
        raise ValueError(
            "Scores must be finite: clip infinite ones, and leave out models that give NaN."
        )
    n, m = len(forgotten), len(retrained)
    # Of all ways to deal equal models into two kinds, two have one kind below the other.
    by_chance = 2 / comb(n + m, n) if min(n, m) > 1 else 1.0
    if by_chance > MAX_BY_CHANCE:
        raise ValueError(
            f"Too few models: equal ones, {n} and {m} of them, are told apart by chance with "
            f"probability {by_chance:.2g}. Give four or more of each kind."
        )
    if not 0 <= delta < 1:
        raise ValueError(f"delta={delta!r} is invalid: it must be in [0, 1).")
    tests = [_tests(a, b, challenge) for a, b in zip(forgotten.T, retrained.T)]
    if challenge:
        return np.array([_largest_challenged(some, delta) for some in tests])
    return np.array([_largest_bounded(some, delta, 1 / min(n, m)) for some in tests])


def forgetting_quality(epsilons: ArrayLike) -> float:
    """Score of the unlearning challenge of NeurIPS 2023: how well rows are forgotten.

    Parameters
    ----------
    epsilons : array-like of shape (n_rows,)
        What :func:`forgetting_epsilon` returns with ``challenge=True``.

    Returns
    -------
    float
        Mean of 1, 1/2, 1/4, ... for a row with epsilon in [0, 0.5), [0.5, 1), [1, 1.5), ...; the
        thirteenth and last of these bins has no end. The challenge's own score is this times the
        accuracy on remaining rows, and on test rows, each over the refits'.

    Raises
    ------
    ValueError
        If a value is NaN or negative, or there is none.

    References
    ----------
    .. [1] E. Triantafillou et al., "Are we making progress in unlearning? Findings from the
       first NeurIPS unlearning competition", 2024, :arxiv:`2406.09073`.

    Examples
    --------
    >>> from sklearn_unlearn.metrics import forgetting_quality
    >>> forgetting_quality([0.0, 0.7])
    0.75
    """
    epsilons = np.asarray(epsilons, float).ravel()
    if not len(epsilons) or not (epsilons >= 0).all():
        raise ValueError("epsilons need one value per row, none of them NaN or below 0.")
    bins = np.digitize(epsilons, BIN_WIDTH * np.arange(N_BINS))
    return float(np.mean(2.0 / 2.0**bins))


def _tests(
    forgotten: np.ndarray, retrained: np.ndarray, intervals: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return rates of error of tests, of either kind: missed ones and false calls."""
    both = np.unique(np.concatenate([forgotten, retrained]))
    thresholds = np.concatenate([[-np.inf], (both[1:] + both[:-1]) / 2, [np.inf]])
    last = len(thresholds)
    lower, upper = np.triu_indices(last, 1) if intervals else (np.zeros(last, int), np.arange(last))
    # Counts, as differences of shares are not exact.
    below = [np.searchsorted(np.sort(values), thresholds) for values in (forgotten, retrained)]
    inside = [counts[upper] - counts[lower] for counts in below]
    n, m = len(forgotten), len(retrained)
    return [((n - inside[0]) / n, inside[1] / m), (inside[0] / n, (m - inside[1]) / m)]


def _largest_bounded(
    tests: list[tuple[np.ndarray, np.ndarray]], delta: float, least: float
) -> float:
    """Return the epsilon that the best test refutes, no rate being below the least."""
    ratios = [
        (1 - delta - one) / np.maximum(other, least)
        for missed, called in tests
        for one, other in ((missed, called), (called, missed))
    ]
    return float(np.log(max(np.max(ratios), 1.0)))


def _largest_challenged(tests: list[tuple[np.ndarray, np.ndarray]], delta: float) -> float:
    """Return the epsilon that the best test refutes, as the challenge counts."""
    largest = 1.0
    for missed, called in tests:
        if ((missed == 0) & (called == 0)).any():
            return float("inf")
        says = (missed > 0) & (called > 0)
        for one, other in ((missed[says], called[says]), (called[says], missed[says])):
            largest = max(largest, float(np.max((1 - delta - one) / other, initial=1.0)))
    return float(np.log(largest))
