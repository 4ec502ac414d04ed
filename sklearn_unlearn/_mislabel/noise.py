"""Which classes are taken for which? The noise matrix, and what a label says given it."""

import numpy as np
from scipy.special import gammaln

from sklearn_unlearn._mislabel.pooling import with_floor

# Share of the rows predicted as a class that tell how it is labelled: those predicted most surely,
# where classes overlap least.
SUREST = 0.4
# Labels tell of classes if the surest rows agree with theirs by so many standard deviations more
# often than by chance.
LEAST_TOLD = 2.0
# So many rows that err as the average does may be added to those of each class.
PRIOR_ROWS = np.geomspace(3, 3000, 13)
# What models say of labels becomes what they say of true classes in so many steps: with more,
# errors of the matrix and of the models grow.
N_STEPS = 5


def sure_counts(P, codes):
    """Count the surest rows by the class that is predicted and the label that they were given.

    Rows that are surely of a class are anchors [1]_: how they are labelled tells how labels of
    the class go wrong. Where classes overlap, other rows disagree with right labels, too.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Out-of-sample class probabilities.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of int of shape (n_classes, n_classes)
        Counts; rows are predicted classes, columns given labels.

    References
    ----------
    .. [1] G. Patrini, A. Rozza, A. K. Menon, R. Nock, L. Qu, "Making Deep Neural Networks Robust
       to Label Noise: a Loss Correction Approach", CVPR 2017, :arxiv:`1609.03683`.
    """
    n_classes = P.shape[1]
    predicted, counts = P.argmax(axis=1), np.zeros((n_classes, n_classes), dtype=int)
    for code in np.unique(predicted):
        rows = np.flatnonzero(predicted == code)
        # All rows as sure as the last one are taken: their order must not matter.
        least = np.sort(P[rows, code])[-int(np.ceil(SUREST * len(rows)))]
        rows = rows[P[rows, code] >= least]
        counts[code] = np.bincount(codes[rows], minlength=n_classes)
    return counts


def labels_tell(counts, codes):
    """Tell whether labels have to do with the classes that models see.

    Parameters
    ----------
    counts : ndarray of int of shape (n_classes, n_classes)
        Counts of the surest rows, by predicted class (rows) and given label (columns).

    codes : ndarray of int of shape (n_samples,)
        Class numbers of all given labels.

    Returns
    -------
    bool
        True if more labels agree than would if they were drawn at random.
    """
    shares, rows = np.bincount(codes, minlength=len(counts)) / len(codes), counts.sum(axis=1)
    by_chance, spread = rows @ shares, np.sqrt(rows @ (shares * (1 - shares)))
    return bool(np.trace(counts) > by_chance + LEAST_TOLD * spread)


def noise_matrix(counts):
    """Return the probability of each given label for each true class.

    Counts of each class are mixed with those of rows that err as the average does. How many
    of these is what makes the counts most likely: few where classes differ in how they err, many
    where they don't (Dirichlet-multinomial evidence).

    Parameters
    ----------
    counts : ndarray of int of shape (n_classes, n_classes)
        Counts of true classes (rows) and given labels (columns).

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        Probabilities; each row sums to one.
    """
    n_classes, total = len(counts), counts.sum()
    # Never zero: a label that can't be wrong would rank with all others like it.
    rate = (total - np.trace(counts) + 1) / (total + 2)
    average = np.full((n_classes, n_classes), rate / max(n_classes - 1, 1))
    np.fill_diagonal(average, 1 - rate)
    added = max(PRIOR_ROWS, key=lambda rows: _log_evidence(counts, rows * average))
    mixed = counts + added * average
    return mixed / mixed.sum(axis=1, keepdims=True)


def _log_evidence(counts, prior):
    """Return the log probability of counts whose probabilities are drawn around a prior's."""
    known, rows = prior.sum(axis=1), counts.sum(axis=1)
    each = gammaln(prior + counts) - gammaln(prior)
    return (gammaln(known) - gammaln(known + rows) + each.sum(axis=1)).sum()


def true_probabilities(P, noise):
    """Return the probabilities of the true classes of rows from those of their labels.

    Models that are trained on given labels predict given labels: P = Q T for the noise matrix T.
    A few steps of expectation-maximisation from Q = P find probabilities Q, where the inverse of
    T would find negative ones.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Probabilities of given labels; rows sum to one.

    noise : ndarray of shape (n_classes, n_classes)
        Noise matrix.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities of true classes; rows sum to one.
    """
    Q = P
    for _ in range(N_STEPS):
        expected = Q @ noise
        Q = Q * (np.divide(P, expected, out=np.zeros_like(P), where=expected > 0) @ noise.T)
    return with_floor(Q)


def label_posterior(P, codes, noise):
    """Return the probability of each true class, given the row and its label.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Probabilities of given labels, given the row alone.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    noise : ndarray of shape (n_classes, n_classes)
        Noise matrix; no probability is zero.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities; each row sums to one.
    """
    q = true_probabilities(P, noise) * noise[:, codes].T
    return q / q.sum(axis=1, keepdims=True)
