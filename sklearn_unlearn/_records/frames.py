"""Data frames: rows of them without a trace of the other rows."""

from copy import copy

import numpy as np

# Types of pandas' own whose values can be overwritten, each by itself.
WITH_BLANKS = (
    *(f"{kind}{size}Dtype" for kind in ("Int", "UInt") for size in (8, 16, 32, 64)),
    *("Float32Dtype", "Float64Dtype", "BooleanDtype", "StringDtype", "ArrowDtype"),
    *("CategoricalDtype", "DatetimeTZDtype", "PeriodDtype"),
)

_PLAIN_ARRAYS = ("NumpyEADtype", "PandasDtype")


def is_polars(X):
    """Tell whether rows are a frame of polars."""
    return type(X).__module__.partition(".")[0] == "polars"


def is_frame(X):
    """Tell whether rows are a frame of pandas or polars."""
    return hasattr(X, "iloc") or is_polars(X)


def stacked_frames(parts):
    """Return frames of one kind one below the other."""
    if is_polars(parts[0]):
        import polars as pl

        return pl.concat(parts)
    import pandas as pd

    return pd.concat(parts)


def number_type(X):
    """Return the type of a pandas frame's values as one array of numbers; None of all other rows.

    The type is the one that pandas gives, whatever columns of several types become.
    """
    if not hasattr(X, "iloc") or X.ndim != 2:
        return None
    if not all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in X.dtypes):
        return None
    dtype = X.iloc[:0].to_numpy().dtype
    return dtype if dtype.kind in "iuf" else None


def without_unused(X):
    """Return rows without categories that none of them has; other containers as they are."""
    if is_polars(X):
        return _polars_rebuilt(X, lambda dtype: hasattr(dtype, "categories"))
    if not hasattr(X, "iloc"):
        return X
    if X.ndim == 1:
        return without_unused(X.to_frame()).iloc[:, 0]
    return _changed(X, _is_categorical, _with_used_categories)


def alone(X):
    """Return rows as if there had never been others.

    Without their index, ``attrs`` and unused categories, and in memory of their own: arrow's and
    polars' arrays can keep the text of rows that are no longer in them.
    """
    if is_polars(X):
        return _polars_rebuilt(X, lambda dtype: not dtype.is_numeric())
    if not hasattr(X, "iloc"):
        return X
    if X.ndim == 1:
        return alone(X.to_frame()).iloc[:, 0]
    X = without_unused(X.reset_index(drop=True))
    X.attrs = {}
    return _changed(X, _is_arrow, _rebuilt)


def frame_in_kind(X, like):
    """Return rows from elsewhere as a frame or series goes into another one.

    Parameters
    ----------
    X : array-like
        Rows.

    like : Table, DataFrame or Series
        The other one.

    Returns
    -------
    DataFrame or Series
        Of its columns and types; categories that are new to it are kept.
    """
    if isinstance(like, Table):
        return like.in_kind(X)
    if not is_polars(like):
        raise ValueError(
            "X has columns of a type whose values can't be overwritten, so that they can't be "
            "corrected. Fit anew."
        )
    import polars as pl

    if not isinstance(X, pl.DataFrame) or X.columns != like.columns:
        raise ValueError(wrong_columns(X, like.columns))
    try:
        return X.cast(dict(like.schema))
    except pl.exceptions.PolarsError:
        raise ValueError(f"X has values that don't go into the types {like.schema}.") from None


def wrong_columns(X, names):
    """Return the text of an error: rows don't have the columns of other ones."""
    found = list(getattr(X, "columns", ())) or "none"
    return f"X must be a frame with the columns of fit, {list(names)}; it has {found}."


class Table:
    """The rows of a pandas frame or series, whose values can be overwritten in place.

    Each column is an array of its own. What is taken is a frame again, or a series.

    Parameters
    ----------
    X : DataFrame or Series
        Rows of which :meth:`holds` is true; not changed.
    """

    def __init__(self, X):
        X = alone(X)
        self._series = X.ndim == 1
        X = X.to_frame() if self._series else X
        self._names = X.columns
        self._columns = [X.iloc[:, place].array.copy() for place in range(X.shape[1])]
        self.shape = X.shape

    @staticmethod
    def holds(X):
        """Tell whether rows are of pandas, with columns whose values can be overwritten."""
        if not hasattr(X, "iloc"):
            return False
        return all(_has_blank(dtype) for dtype in (X.dtypes if X.ndim > 1 else [X.dtype]))

    def take(self, rows):
        """Return rows by their number, an array or a slice, as a frame or series."""
        import pandas as pd

        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.shape[0]))
        taken = {place: _as_series(column.take(rows)) for place, column in enumerate(self._columns)}
        frame = pd.DataFrame(taken, index=pd.RangeIndex(len(rows)))
        frame.columns = self._names
        return frame.iloc[:, 0] if self._series else frame

    def numbers(self, rows, dtype):
        """Return rows by their number, as an array."""
        taken = np.empty((len(rows), len(self._columns)), dtype)
        for place, column in enumerate(self._columns):
            taken[:, place] = column.to_numpy()[rows]
        return taken

    def in_kind(self, X):
        """Return rows from elsewhere as a frame or series that :meth:`put` takes."""
        import pandas as pd

        if self._series:
            X = pd.DataFrame({0: X if isinstance(X, pd.Series) else pd.Series(list(X))})
        elif not hasattr(X, "iloc") or list(X.columns) != list(self._names):
            raise ValueError(wrong_columns(X, self._names))
        columns = {
            place: _typed(X.iloc[:, place], column.dtype)
            for place, column in enumerate(self._columns)
        }
        return pd.DataFrame(columns).reset_index(drop=True)

    def put(self, rows, X):
        """Put the values of a frame from :meth:`in_kind` in the place of rows."""
        for place, column in enumerate(self._columns):
            values = X.iloc[:, place].array
            if _is_categorical(column.dtype):
                known = set(column.categories)
                new = dict.fromkeys(each for each in values.dropna().tolist() if each not in known)
                column = column.add_categories(list(new))
            column[rows] = values
            again = _is_categorical(column.dtype) or _is_in_arrow(column.dtype)
            self._columns[place] = _without_traces(column) if again else column

    def copy(self):
        """Return a table that shares nothing that is written to."""
        new = copy(self)
        new._columns = [column.copy() for column in self._columns]
        return new

    def wipe(self, rows):
        """Overwrite the values of rows; a repeated call changes nothing."""
        for place, column in enumerate(self._columns):
            column[rows] = _blank(column.dtype)
            if _is_categorical(column.dtype) or _is_in_arrow(column.dtype):
                self._columns[place] = _without_traces(column)


def _typed(values, dtype):
    """Return a series in a type; of categories, as plain values."""
    name = values.name
    if _is_categorical(dtype):
        return values.astype(dtype.categories.dtype)
    # pandas' name of a plain array's type has that type in it.
    own = dtype.numpy_dtype if type(dtype).__name__ in _PLAIN_ARRAYS else dtype
    try:
        typed = values.astype(own)
        same = bool(((typed == values) | (typed.isna() & values.isna())).all())
    except (TypeError, ValueError):
        same = False
    if not same and getattr(own, "kind", "") != "f":
        raise ValueError(f"Column {name!r} of X has values that {own}, its type, can't hold.")
    return typed


def _as_series(values):
    """Return values as a series of their own type: of objects, pandas might make texts."""
    import pandas as pd

    # pandas' name of a plain array's type, as of an array of objects.
    own = getattr(values.dtype, "numpy_dtype", None)
    if getattr(own, "kind", None) == "O":
        return pd.Series(values.to_numpy(), dtype=object)
    return pd.Series(values, copy=False)


def _has_blank(dtype):
    """Tell whether columns of a type hold values that can be overwritten one by one."""
    return isinstance(dtype, np.dtype) or type(dtype).__name__ in WITH_BLANKS


def _blank(dtype):
    """Return a value of a type that tells nothing."""
    if dtype.kind in "iufc":
        return 0
    # In arrays with a mask, a missing value would leave what stands below the mask.
    return False if dtype.kind == "b" else None


def _without_traces(values):
    """Return categories without unused ones, or text in memory of its own."""
    import pandas as pd

    change = _with_used_categories if _is_categorical(values.dtype) else _rebuilt
    return change(pd.Series(values)).array.copy()


def _is_in_arrow(dtype):
    """Tell whether text lies in arrow's memory, in which nothing is overwritten."""
    return _is_arrow(dtype) and getattr(dtype, "storage", "pyarrow") == "pyarrow"


def _changed(frame, applies, change):
    """Return a pandas frame in which columns of some types are changed."""
    places = [place for place, dtype in enumerate(frame.dtypes) if applies(dtype)]
    if places:
        frame = frame.copy(deep=False)
    for place in places:
        frame.isetitem(place, change(frame.iloc[:, place]))
    return frame


def _is_categorical(dtype):
    """Tell whether values of a type have categories."""
    return type(dtype).__name__ == "CategoricalDtype"


def _is_arrow(dtype):
    """Tell whether values of a type may lie in arrow's memory, beside others' values."""
    return type(dtype).__name__ in ("ArrowDtype", "StringDtype") and dtype.kind not in "iufbmM"


def _rebuilt(column):
    """Return a column made anew from its values."""
    import pandas as pd

    return pd.Series(pd.array(column.tolist(), dtype=column.dtype), index=column.index)


def _with_used_categories(column):
    """Return a categorical column without unused categories, and these in memory of their own."""
    import pandas as pd

    codes = column.cat.codes.to_numpy()
    if np.bincount(codes[codes >= 0], minlength=len(column.cat.categories)).all():
        return column
    column = column.cat.remove_unused_categories()
    categories = column.cat.categories
    own = pd.Index(categories.tolist(), dtype=categories.dtype)
    values = pd.Categorical.from_codes(column.cat.codes, own, ordered=column.cat.ordered)
    return pd.Series(values, index=column.index)


def _polars_rebuilt(X, applies):
    """Return a frame of polars in which columns of some types are made anew from their values."""
    import polars as pl

    def own(column):
        dtype, values = column.dtype, column.to_list()
        if isinstance(dtype, pl.Enum):
            used = set(values)
            dtype = pl.Enum([name for name in dtype.categories if name in used])
        return pl.Series(column.name, values, dtype=dtype)

    columns = [own(column) if applies(column.dtype) else column for column in X]
    return pl.DataFrame(columns)
