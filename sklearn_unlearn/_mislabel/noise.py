"""Which classes are taken for which? The noise matrix, and what a label says given it."""

import numpy as np

# Rows of each class that err as the average does, before any is counted.
PRIOR_ROWS = 100.0
# The matrix is a guess from the same labels: its likelihood ratios count by this power.
POWER = 0.5
# A label is replaced where another is so many times as probable: harm is done sooner than good.
SURE = 2.0


def confident_joint(P, codes):
    """Count rows by the class that they are sure to be of and the label that they were given.

    A row is sure to be of class k if its probability of k is at least the mean probability of
    k among the rows labelled k; of several such classes, the most probable [1]_.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Out-of-sample class probabilities.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of int of shape (n_classes, n_classes)
        Counts; rows are true classes, columns given ones.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in
       Dataset Labels", Journal of Artificial Intelligence Research, 2021,
       :arxiv:`1911.00068`.
    """
    n_classes = P.shape[1]
    own = P[np.arange(len(codes)), codes]
    counts = np.bincount(codes, minlength=n_classes)
    # A class without rows has no threshold that a row could reach.
    least = np.where(counts > 0, np.bincount(codes, own, n_classes) / np.maximum(counts, 1), np.inf)
    sure = least <= P
    best = np.where(sure, P, -1.0).argmax(axis=1)
    some = sure.any(axis=1)
    joint = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(joint, (best[some], codes[some]), 1)
    return joint


def noise_matrix(joint):
    """Return the probability of each given label for each true class.

    Parameters
    ----------
    joint : ndarray of int of shape (n_classes, n_classes)
        Counts of true classes (rows) and given labels (columns).

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        Probabilities; each row sums to one. Counts are mixed with those of rows that err as
        the average does.
    """
    n_classes, total = len(joint), joint.sum()
    # Never zero: a label that can't be wrong would rank with all others like it.
    rate = (total - np.trace(joint) + 1) / (total + 2)
    prior = np.full((n_classes, n_classes), rate / max(n_classes - 1, 1))
    np.fill_diagonal(prior, 1 - rate)
    counts = joint + PRIOR_ROWS * prior
    return counts / counts.sum(axis=1, keepdims=True)


def label_posterior(P, codes, noise):
    """Return the probability of each true class, given the row and its label.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Class probabilities given the row alone.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    noise : ndarray of shape (n_classes, n_classes)
        Noise matrix.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities; each row sums to one.
    """
    q = P * noise[:, codes].T ** POWER
    total = q.sum(axis=1, keepdims=True)
    return np.where(total > 0, q / np.where(total > 0, total, 1), P)


def suggested_codes(posterior, codes):
    """Return the class numbers to put in the place of the given ones.

    Parameters
    ----------
    posterior : ndarray of shape (n_samples, n_classes)
        Posterior of every label.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        The most probable class where that is sure enough, else the given one.
    """
    own = posterior[np.arange(len(codes)), codes]
    return np.where(posterior.max(axis=1) > SURE * own, posterior.argmax(axis=1), codes)
