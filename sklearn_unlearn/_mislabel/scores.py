"""How suspicious is a label, given predictions that did not see it?"""

import numpy as np

# Median absolute deviation of a standard normal distribution.
MAD_OF_NORMAL = 0.6744897501960817
# So large a share of rows may be wrong where all others are predicted to the last digit.
FEW = 0.1


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
    # Residuals of targets that are Python's own numbers are such, too.
    return np.asarray(np.abs(y - predicted - center) / spread, dtype=float)


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
        Median, and median absolute deviation as that of a normal distribution. Where half of the
        rows or more are predicted to the last digit, it is that of the others; if these are few,
        they are what is suspicious, and it is the last digit.
    """
    residuals = y - predicted
    center = np.median(residuals)
    sizes = np.abs(residuals - center)
    last_digit = np.finfo(float).eps * (np.abs(y).max() or 1.0)
    spread = np.median(sizes) / MAD_OF_NORMAL
    if spread <= last_digit:
        others = sizes[sizes > 10 * last_digit]
        many = len(others) > FEW * len(sizes)
        spread = np.median(others) / MAD_OF_NORMAL if many else last_digit
    return float(center), float(spread)
