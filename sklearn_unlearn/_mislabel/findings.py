"""What a detector tells of labels and targets, once they were judged."""

import warnings

import numpy as np

from sklearn_unlearn._mislabel.noise import (
    label_posterior,
    labels_tell,
    noise_matrix,
    sure_counts,
)
from sklearn_unlearn._mislabel.pooling import calibrated
from sklearn_unlearn._mislabel.residuals import robust_weights
from sklearn_unlearn._mislabel.scores import residual_scale

# What an earlier fit may have left that a later one does not set.
SOMETIMES = ("classes_", "label_proba_", "noise_matrix_", "sample_weight_", "weights_")


def rows_of_judged_classes(y, may_leave_out):
    """Tell which rows are of classes that can be judged.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.

    may_leave_out : bool
        True if classes with one row are left out, with a warning; else they are refused.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        False for rows that are the only one of their class.

    Raises
    ------
    ValueError
        If there are no two classes to choose between, or a class with one row is refused.
    """
    classes, codes = np.unique(y, return_inverse=True)
    if not len(classes):
        raise ValueError("X has 0 sample(s) while a minimum of 1 is required.")
    if len(classes) < 2:
        raise ValueError(
            f"y has one class only, {classes.tolist()[0]!r}; wrong labels need at least two."
        )
    counts = np.bincount(codes)
    alone = counts < 2
    if alone.any():
        label = classes.tolist()[int(counts.argmin())]
        if not may_leave_out or (~alone).sum() < 2:
            raise ValueError(
                f"The class {label!r} has one row: without it the class is unknown. Leave the "
                "row out, or join the class with another."
            )
        warnings.warn(
            f"{alone.sum()} of {len(classes)} classes {'has' if alone.sum() == 1 else 'have'} "
            "one row only: without it the class is unknown. Those labels are scored last.",
            UserWarning,
            stacklevel=3,
        )
    return ~alone[codes]


def known_codes(classes, y):
    """Return the class numbers of labels; raise for labels that are none of the classes."""
    known = np.isin(y, classes)
    if not known.all():
        raise ValueError(
            f"y has labels that are none of the classes, the first in row {int(np.argmin(known))}."
            " Leave those rows out, or fit the detector on them."
        )
    return np.searchsorted(classes, y)


def about_targets(judged, y):
    """Return the attributes of a detector that was fitted on targets.

    Parameters
    ----------
    judged : Judged
        What the method returned.

    y : ndarray of shape (n_samples,)
        Targets.

    Returns
    -------
    dict
        Values by name.
    """
    center, spread = residual_scale(judged.predicted, y)
    return {
        "mislabel_scores_": judged.scores,
        "suggested_labels_": judged.predicted,
        "sample_weight_": robust_weights(judged.predicted, y),
        "_center": center,
        "_spread": spread,
        "_n_wrong": int(judged.n_wrong.sum()),
    }


def about_labels(judged, classes, y, kept, pooled):
    """Return the attributes of a detector that was fitted on labels.

    Parameters
    ----------
    judged : Judged
        What the method returned, of the rows that were judged.

    classes : ndarray of shape (n_classes,)
        Labels.

    y : ndarray of shape (n_samples,)
        Given labels.

    kept : ndarray of bool of shape (n_samples,)
        Which rows were judged; labels of the others are scored last, and kept.

    pooled : bool
        True if probabilities are those of a pool, which need no calibration.

    Returns
    -------
    dict
        Values by name.
    """
    codes = np.searchsorted(classes, y[kept])
    suggested, n_wrong = judged.predicted, int(judged.n_wrong.sum())
    found = {"classes_": classes}
    if judged.outside is not None:
        P = judged.outside if pooled else calibrated(judged.outside, codes)
        counts = sure_counts(P, codes)
        noise = noise_matrix(counts)
        q = label_posterior(P, codes, noise)
        if not labels_tell(counts, codes):
            if (q.argmax(axis=1) != codes).any():
                warnings.warn(
                    "Labels agree with what the models are surest of no more often than by chance: "
                    "they have nothing to do with the classes that the models see, or rows are "
                    "too few to tell, so that none is suspected. Pass other features, more rows, "
                    "or a number as contamination.",
                    UserWarning,
                    stacklevel=3,
                )
            q = np.eye(len(classes))[codes]
        suggested = classes[q.argmax(axis=1)]
        # As many as are expected to be wrong, whichever they are.
        n_wrong = round((1 - q[np.arange(len(codes)), codes]).sum())
        found["noise_matrix_"] = noise
        found["label_proba_"] = np.zeros((len(y), len(classes)))
        found["label_proba_"][kept] = q
        found["sample_weight_"] = np.ones(len(y))
        found["sample_weight_"][kept] = _lead(q, codes)
    found["mislabel_scores_"] = np.full(len(y), min(0.0, judged.scores.min()))
    found["mislabel_scores_"][kept] = judged.scores
    found["suggested_labels_"] = y.copy()
    found["suggested_labels_"][kept] = suggested
    return found | {"_n_wrong": n_wrong}


def _lead(posterior, codes):
    """Return by how much each given label is more probable than any other; zero if it is not."""
    rows, n_classes = np.arange(len(codes)), posterior.shape[1]
    own, others = posterior[rows, codes], posterior.copy()
    others[rows, codes] = 0
    lead = np.maximum(own - others.max(axis=1), 0)
    # No class may be left without weight: a fit would lose it, or fail.
    return np.where((np.bincount(codes, lead, n_classes) > 0)[codes], lead, own)
