"""Data frames: rows of them without a trace of the other rows."""


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
