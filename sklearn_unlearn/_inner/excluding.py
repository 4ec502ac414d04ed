"""Training without the rows of some subjects: the parameter exclude_ids of every unlearner."""

from functools import wraps
from inspect import Parameter, signature

from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.fit_params import per_row
from sklearn_unlearn._records.exclusion import included_rows
from sklearn_unlearn._records.keys import as_keys
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn._records.source import RowSource
from sklearn_unlearn._records.source_part import SourcePart
from sklearn_unlearn._records.subjects import read_keys

# Parameters that have other rows, or none, even if there are as many of them.
_NOT_OF_ROWS = {"X_val", "y_val", "classes"}


def excluding(method):
    """Make ``fit`` or ``partial_fit`` leave out the rows of the ids in ``exclude_ids``.

    The method gets the other rows, and nothing of that parameter.
    """
    form = signature(method)

    @wraps(method)
    def without(self, *args, exclude_ids=None, **params):
        if exclude_ids is None and not _has_erased(args, params):
            return method(self, *args, **params)
        if exclude_ids is not None and isinstance(
            getattr(self, "estimator", None), FrozenEstimator
        ):
            raise ValueError(
                "exclude_ids leaves no row out of an estimator that is frozen: it was trained "
                "before. Fit on all its rows, then call partial_forget."
            )
        given = _by_name(form, (self, *args), params)
        if _has_erased((), given):
            _leave_out_erased(given)
        if exclude_ids is None:
            return method(self, **given)
        try:
            # The change of the model that follows takes the number up.
            self._n_left_out = _cut(given, exclude_ids)
            return method(self, **given)
        finally:
            vars(self).pop("_n_left_out", None)

    return without


def _by_name(form, args, params):
    """Return the arguments of a call by name, without the object itself."""
    itself, *others = form.parameters.values()
    given = form.bind(*args, **params).arguments
    del given[itself.name]
    for parameter in others:
        if parameter.kind is Parameter.VAR_KEYWORD:
            given |= given.pop(parameter.name, {})
    return given


def _cut(given, exclude_ids):
    """Leave excluded rows out of the arguments of a call; return how many there were."""
    X, y, X_ids = (given.get(name) for name in ("X", "y", "X_ids"))
    check_consistent_length(X, y)
    n_rows = count_rows(X)
    rows = included_rows(exclude_ids, n_rows, X, y, X_ids)
    _keep(given, rows)
    return n_rows - len(rows)


def _has_erased(args, params):
    """Tell whether the rows of a call lie outside the model, and some are erased there."""
    X = args[0] if args else params.get("X")
    return isinstance(X, RowSource) and len(X.marked) > 0


def _leave_out_erased(given):
    """Leave rows that are erased out of the arguments of a call."""
    X, X_ids = given["X"], given.get("X_ids")
    check_consistent_length(X, given.get("y"))
    if X_ids is not None:
        # It raises for ids that are not those of the rows.
        read_keys(range(len(X)), None, None, X_ids)
    _keep(given, X.unmarked)


def _keep(given, rows):
    """Leave all rows but some out of the arguments of a call."""
    X, y, X_ids = (given.pop(name, None) for name in ("X", "y", "X_ids"))
    n_rows = count_rows(X)
    if len(rows) < n_rows:
        X = SourcePart(X, rows) if isinstance(X, RowSource) else take_rows(X, rows)
        y = None if y is None else take_rows(y, rows)
        X_ids = None if X_ids is None else take_rows(as_keys(X_ids), rows)
        theirs = given.keys() - _NOT_OF_ROWS
        given |= per_row({name: given[name] for name in theirs}, n_rows, rows)
    given |= {"X": X, "y": y, "X_ids": X_ids}


class ExcludingMixin:
    """How many rows an estimator was told to leave out."""

    @property
    def n_rows_excluded_(self) -> int:
        """Number of rows that ``fit``, and ``partial_fit`` since, left out for ``exclude_ids``."""
        check_is_fitted(self)
        return vars(self).get("_n_excluded", 0)

    def _with_left_out(self, attributes):
        """Return new attributes with the number of rows that the call at work leaves out."""
        n_left_out = vars(self).get("_n_left_out")
        if n_left_out is None:
            return attributes
        before = attributes.get("_n_excluded", vars(self).get("_n_excluded", 0))
        return {**attributes, "_n_excluded": before + n_left_out}
