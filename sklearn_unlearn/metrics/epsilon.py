"""Are forgetful models distinguishable from retrained ones, over many seeds?"""

import numpy as np
from numpy.typing import ArrayLike


def forgetting_epsilon(
    forgotten: ArrayLike, retrained: ArrayLike, *, delta: float = 0.01
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

    Returns
    -------
    ndarray of shape (n_rows,)
        Epsilon of each row, from 0 (indistinguishable) to ``log(n)`` for n models of a kind, the
        largest value that so many models can show. The best of many thresholds is
        better than chance even between equal procedures: that floor is what
        ``forgetting_epsilon(some_retrained, other_retrained)`` gives with as many models.

    Raises
    ------
    ValueError
        If the scores don't belong together or delta is invalid.

    Notes
    -----
    The unlearning challenge of NeurIPS 2023 bins these values into a score and fixes other
    details (a second, Gaussian attack; 512 models); this is the same test without them. Rates
    are taken to be at least 1 / n.

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
    if len(forgotten) < 2 or len(retrained) < 2:
        raise ValueError(
            f"Two models of each kind are the least; got {len(forgotten)} and {len(retrained)}."
        )
    if not 0 <= delta < 1:
        raise ValueError(f"delta={delta!r} is invalid: it must be in [0, 1).")
    return np.array([_of_row(a, b, delta) for a, b in zip(forgotten.T, retrained.T)])


def _of_row(forgotten: np.ndarray, retrained: np.ndarray, delta: float) -> float:
    """Return the epsilon that the best threshold refutes."""
    least = 1 / min(len(forgotten), len(retrained))
    both = np.unique(np.concatenate([forgotten, retrained]))
    thresholds = np.concatenate([[-np.inf], (both[1:] + both[:-1]) / 2, [np.inf]])
    below = [
        np.searchsorted(np.sort(values), thresholds) / len(values)
        for values in (forgotten, retrained)
    ]
    epsilon = 0.0
    for missed, called in ((below[0], 1 - below[1]), (1 - below[0], below[1])):
        for one, other in ((missed, called), (called, missed)):
            ratio = (1 - delta - one) / np.maximum(other, least)
            epsilon = max(epsilon, float(np.log(max(ratio.max(), 1.0))))
    return epsilon
