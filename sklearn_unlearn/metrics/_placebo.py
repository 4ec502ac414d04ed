"""Is a model told apart from refits? Each refit plays its part once: the placebo.

Under the hypothesis that the model is one more refit, what is measured for it against K refits
has the distribution of what is measured for each refit against the K - 1 others. Those K values
give the scale of a t-test with K - 1 degrees of freedom; few refits can't give a permutation
test, whose smallest p-value is 1 / (K + 1).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

# Distances below this are rounding, in nats or in standard deviations of the predictions.
RESOLUTION = 1e-9
# Relative differences below this are none: sums are rounded.
STEADY = 1e-6


@dataclass(frozen=True)
class Finding:
    """What one measure says of a model before and after a request.

    Parameters
    ----------
    p_before, p_after : float
        Probability that a refit would be as far from the others.

    left : float
        Share of the way to the refits that is left; NaN if there is no way.

    interval : tuple of (float, float)
        Interval for ``left`` at the level of the test.

    detectable : float
        Smallest effect that would be told apart, as a multiple of the floor between refits.
    """

    p_before: float
    p_after: float
    left: float
    interval: tuple[float, float]
    detectable: float


# With two refits there is one distance between them and no spread of it.
NOTHING = Finding(np.nan, np.nan, np.nan, (np.nan, np.nan), np.nan)


def by_distance(
    before: np.ndarray, after: np.ndarray, between: np.ndarray, level: float
) -> Finding:
    """Judge by distances from refits, on the scale of their logarithm.

    Parameters
    ----------
    before, after : ndarray of shape (n_refits,)
        Distances of the models from each refit.

    between : ndarray of shape (n_refits, n_refits)
        Distances of each refit from each; the diagonal is not used.

    level : float
        Level of the test.

    Returns
    -------
    Finding
        The findings; a model nearer to the refits than they are to each other is not told apart.
    """
    n = len(between)
    if n < 3:
        return NOTHING
    placebos = [_excess(between[i], between, np.delete(np.arange(n), i)) for i in range(n)]
    scale = max(float(np.sqrt(np.mean(np.square(placebos)))), STEADY)
    refits = np.arange(n)
    excess = [_excess(own, between, refits) for own in (before, after)]
    p_before, p_after = (float(stats.t.sf(value / scale, n - 1)) for value in excess)
    floor = _mean_between(between, refits)
    way = float(before.mean()) - floor
    reach = stats.t.isf(level / 2, n - 1) * scale
    ends = np.array([0.0, -reach, reach])
    left, low, high = np.full(3, np.nan)
    if way > RESOLUTION:
        left, low, high = np.maximum(0.0, after.mean() * np.exp(ends) - floor) / way
    return Finding(
        p_before,
        p_after,
        float(left),
        (float(low), float(high)),
        float(np.expm1(stats.t.isf(level, n - 1) * scale)),
    )


def by_confidence(
    before: np.ndarray, after: np.ndarray, refits: np.ndarray, references: np.ndarray, level: float
) -> Finding:
    """Judge by how sure models are of each forgotten row, each row measured by its own spread.

    Parameters
    ----------
    before, after : ndarray of shape (n_rows,)
        Confidence of the models in the rows' targets.

    refits : ndarray of shape (n_refits, n_rows)
        That of the refits as they were trained.

    references : ndarray of shape (n_refits, n_rows)
        That of the refits from which differences are measured.

    level : float
        Level of the test, of both sides.

    Returns
    -------
    Finding
        The findings; less sure than refits is told apart as well.
    """
    n = len(refits)
    if n < 3:
        return NOTHING
    # Each refit against the others alone, whose spread it has no part in either.
    placebos = [_shift(refits[i], np.delete(references, i, axis=0)) for i in range(n)]
    shift = [_shift(own, references) for own in (before, after)]
    # A difference from the mean of k has the variance 1 + 1 / k.
    shrink = np.sqrt((1 + 1 / n) / (1 + 1 / (n - 1)))
    scale = float(np.sqrt(np.mean(np.square(placebos))) * shrink)
    scale = max(scale, STEADY * abs(shift[0]), np.finfo(float).tiny)
    p_before, p_after = (float(2 * stats.t.sf(abs(value) / scale, n - 1)) for value in shift)
    reach = stats.t.isf(level / 2, n - 1) * scale
    ends = np.maximum(0.0, abs(shift[1]) + np.array([0.0, -reach, reach]))
    # Squared, as divergences are in the shift of the outputs: both measures mean one share.
    left, low, high = (ends / shift[0]) ** 2 if shift[0] else np.full(3, np.nan)
    return Finding(p_before, p_after, float(left), (float(low), float(high)), np.nan)


def _shift(own: np.ndarray, others: np.ndarray) -> float:
    """Return how much surer a model is than others, in units of each row's spread among them."""
    variance = others.var(axis=0, ddof=1)
    spread = np.sqrt((variance + variance.mean()) / 2) + RESOLUTION
    return float((surer(own, others) / spread).mean())


def surer(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how much surer of each row a model is than others on average; rounding is none."""
    difference = own - others.mean(axis=0)
    # The mean of equal values need not be equal to them.
    return np.where(np.abs(difference) < RESOLUTION, 0.0, difference)


def _mean_between(between: np.ndarray, refits: np.ndarray) -> float:
    """Return the mean distance of some refits from each other."""
    n = len(refits)
    inner = between[np.ix_(refits, refits)]
    return float((inner.sum() - np.trace(inner)) / (n * (n - 1)))


def _excess(own: np.ndarray, between: np.ndarray, refits: np.ndarray) -> float:
    """Return the logarithm of a model's mean distance over that of the refits."""
    floor = _mean_between(between, refits)
    return float(np.log((own[refits].mean() + RESOLUTION) / (floor + RESOLUTION)))
