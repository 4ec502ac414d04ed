"""Any table becomes numbers: once for linear models, once for trees."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_unlearn._mislabel.labels import is_missing

# A category of fewer rows is joined with others of its kind; more categories than this are too.
LEAST_ROWS, MOST_CATEGORIES = 5, 30
# Trees take sparse rows as this many components.
N_COMPONENTS = 50
# Values of a column that boosting tells apart. Where there are no more of them than it has bins, it
# needs no weighted quantiles: those took most of its time.
N_VALUES = 128
# Rows of words have this mean square: the usual penalty of logistic regression suits them then.
MEAN_SQUARE = 10.0


class Tables(BaseEstimator):
    """Encode frames, arrays of numbers or of objects, and sparse rows.

    Numbers and booleans stay numbers; strings and categories become categories, a missing value
    one of its own; dates are left out with a warning. Constant columns and copies of other columns
    are left out.

    Parameters
    ----------
    random_state : int, default=0
        Seeds the components of sparse rows.

    Attributes
    ----------
    kinds_ : list of str
        "number", "category" or "date", for each column of a table; not for sparse rows.
    """

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        """Learn the columns' kinds, categories, means and scales."""
        X = self._checked(X, reset=True)
        if sparse.issparse(X):
            X = X[np.argsort(row_keys(X), kind="stable")]
            square = X.multiply(X).sum() / X.shape[0]
            self._factor = np.sqrt(MEAN_SQUARE / square) if square > 0 else 1.0
            self._components = None
            if X.shape[1] > N_COMPONENTS:
                self._components = TruncatedSVD(N_COMPONENTS, random_state=self.random_state)
                self._components.fit(X)
            return self._with_edges(X)
        columns = list(_columns(X))
        self.kinds_ = [_kind(values) for values in columns]
        self._warn_of_dates()
        self._categories = [
            np.unique(_texts(values)) if kind == "category" else None
            for values, kind in zip(columns, self.kinds_)
        ]
        numbers, codes = self._read(columns)
        self._kept = _unlike(numbers), _unlike(codes)
        numbers, codes = numbers[:, self._kept[0]], codes[:, self._kept[1]]
        # Sums depend on the order of rows in their last digit: here it is the rows' own.
        order = np.argsort(row_keys(np.hstack([numbers, codes])), kind="stable")
        numbers, codes = numbers[order], codes[order]
        self._imputer = SimpleImputer(strategy="median", add_indicator=True)
        if numbers.shape[1]:
            self._scaler = StandardScaler().fit(self._imputer.fit_transform(numbers))
        self._one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=LEAST_ROWS,
            max_categories=MOST_CATEGORIES,
            sparse_output=False,
        )
        if codes.shape[1]:
            self._one_hot.fit(codes)
        if not numbers.shape[1] and not codes.shape[1]:
            warnings.warn("No column of X tells rows apart.", UserWarning, stacklevel=2)
        return self._with_edges(X)

    def _with_edges(self, X):
        """Learn where columns of many values are cut."""
        self._edges = [_edges(column) for column in self.transform(X)[1].T]
        return self

    def transform(self, X):
        """Return the rows for linear models and for trees.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        linear : {ndarray, sparse matrix} of shape (n_samples, n_linear)
            Scaled numbers without missing values, categories one-hot encoded.

        trees : ndarray of shape (n_samples, n_trees)
            Numbers, missing ones as NaN, and category numbers.
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        if sparse.issparse(X):
            trees = X.toarray() if self._components is None else self._components.transform(X)
            return X * self._factor, trees
        numbers, codes = self._read(list(_columns(X)))
        numbers, codes = numbers[:, self._kept[0]], codes[:, self._kept[1]]
        linear = [np.zeros((len(numbers), 1))] * (not numbers.shape[1] and not codes.shape[1])
        if numbers.shape[1]:
            linear.append(self._scaler.transform(self._imputer.transform(numbers)))
        if codes.shape[1]:
            with warnings.catch_warnings():
                # A category that is new counts as one of the rare ones.
                warnings.filterwarnings("ignore", "Found unknown categories", UserWarning)
                linear.append(self._one_hot.transform(codes))
        trees = np.hstack([numbers, codes]) if len(linear[0].T) and self._any() else linear[0]
        return np.hstack(linear), trees

    def coarse(self, trees):
        """Return what trees get with few values in each column.

        Parameters
        ----------
        trees : ndarray of shape (n_samples, n_trees)
            From :meth:`transform`.

        Returns
        -------
        ndarray of shape (n_samples, n_trees)
            Columns of many values as the numbers of quantiles, NaN as it is.
        """
        found = trees.copy()
        for place, edges in enumerate(self._edges):
            if edges is not None:
                there = ~np.isnan(trees[:, place])
                found[there, place] = np.searchsorted(edges, trees[there, place], side="right")
        return found

    def row_keys(self, X):
        """Return what orders the rows of a table by what is in them, see :func:`row_keys`."""
        X = self._checked(X, reset=False)
        if sparse.issparse(X):
            return row_keys(X)
        parts = self._read(list(_columns(X)))
        return row_keys(np.hstack([part[:, kept] for part, kept in zip(parts, self._kept)]))

    def _any(self):
        """Tell whether a column is left."""
        return any(kept.any() for kept in self._kept)

    def _checked(self, X, reset):
        """Return rows of two dimensions, frames as they are."""
        check_no_texts(X)
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True, reset=reset)
            if not X.shape[0] or not X.shape[1]:
                check_array(np.empty(X.shape))
            return X
        X = check_array(X, accept_sparse="csr", dtype=None, ensure_all_finite=False)
        validate_data(self, X, skip_check_array=True, reset=reset)
        if sparse.issparse(X):
            return check_array(X, accept_sparse="csr", dtype=float)
        return X

    def _read(self, columns):
        """Return the numbers of a table and the numbers of its categories."""
        n_rows = len(columns[0])
        numbers, codes = [], []
        for values, kind, known in zip(columns, self.kinds_, self._categories):
            if kind == "number":
                numbers.append(_numbers(values))
            elif kind == "category":
                texts = _texts(values)
                places = np.minimum(np.searchsorted(known, texts), len(known) - 1)
                codes.append(np.where(known[places] == texts, places, -1.0))
        numbers = np.column_stack(numbers) if numbers else np.empty((n_rows, 0))
        if np.isinf(numbers).any():
            raise ValueError("X contains infinity. Write missing values as NaN.")
        return numbers, np.column_stack(codes) if codes else np.empty((n_rows, 0))

    def _warn_of_dates(self):
        """Warn of columns that are left out."""
        dates = [place for place, kind in enumerate(self.kinds_) if kind == "date"]
        if dates:
            names = getattr(self, "feature_names_in_", np.arange(self.n_features_in_))
            warnings.warn(
                f"Columns of dates are left out: {', '.join(str(names[place]) for place in dates)}."
                " Pass what matters of them (year, weekday, days since ...) as numbers.",
                UserWarning,
                stacklevel=5,
            )


def check_no_texts(X):
    """Raise if rows are texts rather than rows of a table; the message holds none of them."""
    if hasattr(X, "columns") or sparse.issparse(X) or not np.iterable(X):
        return
    if isinstance(next(iter(X), None), str):
        raise ValueError(
            "X is a list of texts, and a table is needed. Pass what a vectoriser makes of them, as "
            "TfidfVectorizer().fit_transform(X), or in fit a pipeline with a vectoriser as "
            "estimator."
        )


def check_numbers(X, method):
    """Raise unless a table holds nothing but numbers, which linear models need."""
    X = Tables()._checked(X, reset=True)
    if sparse.issparse(X):
        return
    columns = list(_columns(X))
    if not all(_kind(values) == "number" for values in columns):
        found = "X has strings, categories or dates"
    elif any(np.isnan(_numbers(values)).any() for values in columns):
        found = "X has missing values (NaN)"
    else:
        return
    raise ValueError(
        f"method={method!r} without an estimator takes numbers, and {found}. The default, "
        'method="auto", takes any table; or pass a pipeline that makes numbers of X as estimator.'
    )


def _columns(X):
    """Yield the columns of a frame or an array as arrays; nullable ones as numbers or objects."""
    if isinstance(X, np.ndarray):
        yield from X.T
        return
    for place in range(X.shape[1]):
        column = X.iloc[:, place] if hasattr(X, "iloc") else X[:, place]
        kind = getattr(getattr(column, "dtype", None), "kind", None)
        if kind in ("i", "u", "f", "b") and hasattr(column, "to_numpy") and hasattr(X, "iloc"):
            yield column.to_numpy(dtype=float, na_value=np.nan)
        else:
            yield np.asarray(column)


def _kind(values):
    """Return what a column holds: "number", "category" or "date"."""
    if values.dtype.kind in "mM":
        return "date"
    if values.dtype.kind in "biuf":
        return "number"
    if values.dtype.kind != "O":
        return "category"
    present = [value for value in values if not is_missing(value)]
    if present and all(hasattr(value, "year") for value in present):
        return "date"
    for value in present:
        if isinstance(value, (dict, list, set, tuple, np.ndarray)):
            raise TypeError(
                f"A value of X is a {type(value).__name__}: each argument must be a string or a "
                "number."
            )
    plain = all(isinstance(value, (int, float, np.number, np.bool_)) for value in present)
    return "number" if plain else "category"


def _numbers(values):
    """Return a column as floats, missing values as NaN."""
    if values.dtype.kind != "O":
        return values.astype(float)
    return np.array([np.nan if is_missing(value) else float(value) for value in values])


def _texts(values):
    """Return a column as strings; a missing value is the empty one."""
    if values.dtype.kind in "US":
        return values.astype(str)
    return np.array(["" if is_missing(value) else f"={value}" for value in values], dtype=str)


def _edges(column):
    """Return the quantiles that cut a column of many values, else None."""
    values = column[~np.isnan(column)]
    if len(np.unique(values)) <= N_VALUES:
        return None
    return np.unique(np.quantile(values, np.arange(1, N_VALUES) / N_VALUES))


def _unlike(columns):
    """Tell which columns are neither constant nor copies of one before them."""
    seen, kept = set(), np.zeros(columns.shape[1], dtype=bool)
    for place, column in enumerate(columns.T):
        told = np.ascontiguousarray(column).tobytes()
        first = column[0]
        constant = (column == first).all() or np.isnan(column).all()
        kept[place] = not constant and hash(told) not in seen
        seen.add(hash(told))
    return kept


def row_keys(X):
    """Return a number for each row that tells what is in it, exactly.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    ndarray of uint64 of shape (n_samples,)
        Sums, modulo 2**64, of the bits of values, each column's multiplied by a number of its own.
    """
    keys = np.zeros(X.shape[0], dtype=np.uint64)
    odd = np.random.default_rng(0).integers(2**63, size=X.shape[1], dtype=np.uint64) * 2 + 1
    if sparse.issparse(X):
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        np.add.at(keys, rows, _bits(X.data) * odd[X.indices])
        return keys
    for column, factor in zip(X.T, odd):
        keys += _bits(column) * factor
    return keys


def _bits(values):
    """Return the bits of numbers, mixed, as whole numbers."""
    # Zero has two signs.
    bits = (np.asarray(values, dtype=float) + 0.0).view(np.uint64)
    return bits ^ (bits >> np.uint64(29))
