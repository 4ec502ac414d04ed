"""How suspicious is a label, given predictions that did not see it?"""

import numpy as np

# Median absolute deviation of a standard normal distribution.
MAD_OF_NORMAL = 0.6744897501960817


def label_losses(probabilities, codes):
    """Return the logarithmic loss of each label.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Out-of-sample class probabilities.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of shape (n_samples,)
        Losses, high for suspicious labels.
    """
    given = probabilities[np.arange(len(codes)), codes]
    return -np.log(np.maximum(given, np.finfo(float).tiny))


def count_wrong_labels(probabilities, codes):
    """Estimate how many labels of each class are wrong, by confident learning.

    A row counts as class k if its probability of k is at least the mean probability of k
    among the rows labelled k; of several such classes, the most probable [1]_.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Out-of-sample class probabilities.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of int of shape (n_classes,)
        Number of rows labelled with each class that count as another one.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in
       Dataset Labels", Journal of Artificial Intelligence Research, 2021,
       :arxiv:`1911.00068`.
    """
    n_classes = probabilities.shape[1]
    own = probabilities[np.arange(len(codes)), codes]
    thresholds = np.bincount(codes, own, n_classes) / np.bincount(codes, minlength=n_classes)
    confident = probabilities >= thresholds
    best = np.where(confident, probabilities, -1.0).argmax(axis=1)
    return np.bincount(codes[confident.any(axis=1) & (best != codes)], minlength=n_classes)


def residual_scores(predicted, y):
    """Return the size of each residual in robust standard deviations.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
        Out-of-sample predictions.

    y : ndarray of shape (n_samples,)
        Targets.

    Returns
    -------
    ndarray of shape (n_samples,)
        Sizes, high for suspicious targets.
    """
    center, spread = residual_scale(predicted, y)
    return np.abs(y - predicted - center) / spread


def residual_scale(predicted, y):
    """Return the median of residuals and their robust standard deviation.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
        Out-of-sample predictions.

    y : ndarray of shape (n_samples,)
        Targets.

    Returns
    -------
    center, spread : float
        Median, and median absolute deviation as that of a normal distribution.
    """
    residuals = y - predicted
    center = np.median(residuals)
    spread = np.median(np.abs(residuals - center)) / MAD_OF_NORMAL
    # Where more than half of the rows are predicted to the last digit, any other is suspicious.
    return float(center), float(max(spread, np.finfo(float).eps * max(1.0, np.abs(y).max())))
