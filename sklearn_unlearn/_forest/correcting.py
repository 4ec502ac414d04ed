"""How forests correct rows: trees that see one are grown anew, on the right rows."""

from dataclasses import replace

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sklearn_unlearn._inner.callbacks import Progress
from sklearn_unlearn._inner.pipelines import out_of_reach
from sklearn_unlearn._records.corrections import corrected_parts, replaced
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import writable
from sklearn_unlearn._records.targets import joined_labels


class CorrectingMixin:
    """Forests that correct rows, bitwise like a fresh fit on the right ones."""

    def _correct(self, rows, given, context):
        self._check_same_rows()
        old = self._records
        records = self._corrected(old, rows, given)
        self._check_enough(records, request=True)
        units, touched = self._units_of(records), None
        how = "trees that see a corrected row were grown anew"
        if units == self._units and _same_labels(records.labels, old.labels):
            is_wrong = np.zeros(len(records.hashes), dtype=bool)
            is_wrong[rows] = True
            touched = np.array([is_wrong[tree.rows].any() for tree in self._trees])
        else:
            how = "the units of sums or the classes are others now: all trees were grown anew"
        maker = self._maker(records, units, Progress(self, context))
        trees, n_trained = maker.grown(self._trees, touched)
        return self._attributes(records, units, trees), Outcome(
            guarantee="exact",
            n_rows_retrained=n_trained,
            stopped_because=how,
            not_forgotten=tuple(out_of_reach(records.X, self._inner())),
        )

    def _corrected(self, records, rows, given):
        """Return records with other values or targets of some rows; the old ones stay."""
        X, matrix = corrected_parts(records.X, rows, given.X), records.matrix
        if given.X is not None:
            # As ``fit`` would see them, in the type that they are kept in.
            values = validate_data(
                self.estimator_,
                X.take(rows),
                reset=False,
                dtype=np.float32,
                ensure_all_finite="allow-nan",
            )
            matrix = matrix.copy()
            matrix[:, rows] = values.T
        y, labels = records.y, records.labels
        if given.y is not None:
            y, labels = _corrected_targets(records, rows, given.y)
        return replace(
            records,
            X=X,
            matrix=writable(matrix),
            y=writable(y),
            labels=labels,
            weights=writable(records.weights),
            hashes=writable(records.hashes),
        )

    def _rewrite(self):
        self._records.X.rewrite()
        # All rows are private copies now.
        self._fingerprints = (None,) * len(self._fingerprints)


def _corrected_targets(records, rows, y):
    """Return targets of all rows, for classifiers codes of the labels, and these or None."""
    if records.labels is None:
        assert_all_finite(y, input_name="y")
        return replaced(records.y, rows, y), None
    given = replaced(records.labels[records.y], rows, y)[records.numbers]
    check_classification_targets(given)
    # Labels that no row has any more are gone.
    codes, labels = joined_labels(given, None)
    made = np.zeros_like(records.y)
    made[records.numbers] = codes
    return made, labels


def _same_labels(labels, others):
    """Tell whether classes are the same ones, of the same type."""
    return labels is None or (labels.dtype == others.dtype and np.array_equal(labels, others))
