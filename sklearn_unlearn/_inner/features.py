"""From rows to a model's features, by transformers that forget."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn._inner.forgetting.changes import SAME
from sklearn_unlearn._inner.forgetting.composed import Inputs, forget
from sklearn_unlearn._inner.forgetting.gaps import Gaps, gaps_of, marked
from sklearn_unlearn._inner.forgetting.leaving import Leaving
from sklearn_unlearn._inner.forgetting.moments import MAX_LOST
from sklearn_unlearn._inner.forgetting.table import RULES
from sklearn_unlearn._inner.pipelines import active_steps, fitted_steps, may_write
from sklearn_unlearn._records.altered import altered


def as_matrix(Z):
    """Return features as a float64 array or CSR matrix, not copied if they are."""
    if sparse.issparse(Z):
        return Z.tocsr().astype(np.float64, copy=False)
    return np.asarray(Z, dtype=np.float64)


def as_given(Z):
    """Return features as they are."""
    return Z


class Features(ABC):
    """A map from rows to a model's features, which forgets.

    It maps each row by itself, so that rows can come in blocks of any size.

    Attributes
    ----------
    numeric : bool
        True if all that the map needs of rows are their numbers: they may then be kept as an
        array or a sparse matrix, in which rows are erased in place. False if rows must stay
        in the container in which they came.

    transformers : Pipeline or None
        The fitted transformers that make the features, None if there are none.

    gaps : list of Gaps
        Gaps whose marks stand behind the features.

    changed_freely : bool
        True if at the last request features changed by more than a factor and a shift per column.
    """

    numeric = False
    changed_freely = False
    transformers = None
    gaps: Sequence[Gaps] = ()

    @property
    def marked(self):
        """Numbers of the features whose gaps are marked, ndarray of int of shape (n_marks,)."""
        return np.concatenate([np.empty(0, dtype=np.intp), *(one.outer for one in self.gaps)])

    @property
    def n_marks(self):
        """Number of the columns of marks behind the features."""
        return sum(len(one.outer) for one in self.gaps)

    def without_marks(self):
        """Return the features without marks behind them."""
        return altered(self, gaps=()) if self.gaps else self

    @abstractmethod
    def __call__(self, X):
        """Return the features of rows."""

    def leaving(self, rows):
        """Return rows that leave, as :meth:`forget` takes them.

        Parameters
        ----------
        rows : callable
            Returns the rows.

        Returns
        -------
        Leaving
            The rows, to be looked at once.
        """
        return Leaving(rows, getattr(self, "writes", False))

    def of(self, leaving):
        """Return the features of rows that leave."""
        return self(leaving.rows())

    @abstractmethod
    def forget(self, leaving, remaining):
        """Return features that some rows have left, and how they differ from these.

        They are those of transformers fitted on the remaining rows alone, up to rounding
        where a transformer forgets in closed form. Nothing is changed in place: a request
        that fails later leaves the old features as they were.

        Parameters
        ----------
        leaving : Leaving
            The rows that leave, from :meth:`leaving`; looked at only if needed.

        remaining : callable
            Returns the rows, targets and fit parameters that remain; called only if a
            transformer has to be fitted anew, as this takes all rows.

        Returns
        -------
        features : Features
            The new features, the object itself if nothing was learned from rows.

        change : Change or None
            How features change on the rows that remain, None where it is not known.
        """

    @abstractmethod
    def refitted_on(self, remaining):
        """Return features of transformers that are fitted anew, and how they differ from these.

        Parameters
        ----------
        remaining : callable
            Returns the rows, targets and fit parameters to fit them on.

        Returns
        -------
        features : Features
            The new features, the object itself if nothing was learned from rows.

        change : Change or None
            See :meth:`forget`.
        """


class RawFeatures(Features):
    """Features of a model without transformers: the rows themselves.

    Parameters
    ----------
    convert : callable
        Converts them for the model.
    """

    numeric = True

    def __init__(self, convert):
        self._convert = convert

    def __call__(self, X):
        return self._convert(X)

    def forget(self, leaving, remaining):
        return self, SAME

    def refitted_on(self, remaining):
        return self, SAME

    def behind(self, transformers):
        """Return the same features: there are no transformers."""
        return self


class FittedFeatures(Features):
    """Features behind transformers, which forget by one fit of them all.

    Parameters
    ----------
    transformers : Pipeline
        The fitted transformers.

    convert : callable
        Converts what they return for the model.

    Attributes
    ----------
    writes : bool
        True if the transformers write to the rows that they are given.

    kept : object or None
        What is kept of the remaining rows for the next request.

    lost : int
        Share of their variance that features have lost since a downdated step was fitted, in
        units of ``LOSS_UNIT``.

    worn : bool
        True if sums over the old features may have lost digits at the last request.

    refitted : tuple of str
        Names of the transformers that were fitted anew at the last request.
    """

    writes = False
    kept = None
    lost = 0
    worn = False
    refitted: tuple[str, ...] = ()

    def __init__(self, transformers, convert):
        self.transformers = transformers
        self._convert = convert

    def __call__(self, X):
        if self.writes:
            # A chunk of the rows that are kept must come back as it was.
            X = deepcopy(X)
        return self._convert(self.transformers.transform(X))

    def forget(self, leaving, remaining):
        return self.refitted_on(remaining)

    def refitted_on(self, remaining):
        if not fitted_steps(self.transformers.steps):
            return self, SAME
        X, y, params = remaining()
        new = self.behind(_fitted_anew(self.transformers, X, y, params))
        new.refitted = tuple(fitted_steps(self.transformers.steps))
        new.changed_freely = True
        return new, None

    def behind(self, transformers, lost=0, worn=True):
        """Return the features behind other fitted transformers of the same kind."""
        new = type(self)(transformers, self._convert)
        new.writes, new.lost, new.worn = self.writes, lost, worn
        return new


class ChainedFeatures(FittedFeatures):
    """Features behind transformers without fit parameters, which forget part by part.

    A part that learns nothing from the rows that leave stays. One for whose class there is a
    rule forgets in closed form, at the cost of the rows that leave. Any other is fitted anew on
    the remaining rows as they come out of the parts before. What the rules keep beside the
    transformers, counts for example, is made in one pass at the first request.

    Parameters
    ----------
    transformers : Pipeline
        The fitted transformers.

    convert : callable
        Converts what they return for the model.
    """

    def __call__(self, X):
        Z = super().__call__(X)
        return marked(Z, self.gaps, Leaving(lambda: X)) if self.gaps else Z

    def of(self, leaving):
        Z = self._convert(leaving.behind(self.transformers).rows())
        return marked(Z, self.gaps, leaving) if self.gaps else Z

    def forget(self, leaving, remaining):
        inputs = Inputs.first(leaving, remaining)
        found = forget(self.transformers, inputs, self.kept)
        lost, worn = self.lost + found.lost, found.worn
        if lost > MAX_LOST:
            found = forget(self.transformers, inputs, self.kept, fresh=True)
            worn = True
        if found.step is self.transformers and found.kept is None:
            return self, SAME
        new = self.behind(found.step, 0 if worn else lost, worn)
        new.kept, new.refitted = found.kept, found.anew
        new.changed_freely = found.change is None
        if self._convert is as_matrix and found.change is not None:
            new.gaps = gaps_of(found.step, found.kept)
        return new, found.change


class ScaledFeatures(ChainedFeatures):
    """Features of a model behind nothing but a StandardScaler, of rows that are numbers.

    Parameters
    ----------
    transformers : Pipeline
        A pipeline of the fitted scaler.

    convert : callable, default=as_matrix
        Converts rows for the scaling, which is done here and not rounded to their dtype.
    """

    numeric = True

    def __init__(self, transformers, convert=as_matrix):
        super().__init__(transformers, convert)
        (self._scaler,) = active_steps(transformers)

    def __call__(self, X):
        Z = self._convert(X)
        scaler = self._scaler
        if sparse.issparse(Z):
            return Z if scaler.scale_ is None else Z.multiply(1 / scaler.scale_).tocsr()
        if scaler.with_mean:
            Z = Z - scaler.mean_
        return Z if scaler.scale_ is None else Z / scaler.scale_

    def of(self, leaving):
        return self(leaving.rows())

    def forget(self, leaving, remaining):
        features, change = super().forget(leaving, remaining)
        return self._named(features), change

    def refitted_on(self, remaining):
        new = self._named(super().refitted_on(remaining)[0])
        new.changed_freely = new.worn = False
        return new, RULES[StandardScaler].change(self._scaler, new._scaler, None, SAME)

    def _named(self, features):
        """Return other features, whose scaler knows the names of columns that this one knows."""
        names = getattr(self._scaler, "feature_names_in_", None)
        if names is not None:
            # Rows kept as an array have no names for a new fit to find.
            features._scaler.feature_names_in_ = names
        return features


def make_features(transformers, weighted, convert=True):
    """Return the features of a model behind fitted transformers.

    Parameters
    ----------
    transformers : Pipeline or None
        Fitted transformers.

    weighted : bool
        True if the transformers were fitted with parameters of their own, such as weights.

    convert : bool, default=True
        False if the model takes features of any type and shape.

    Returns
    -------
    Features
        Features that can forget.
    """
    convert = as_matrix if convert else as_given
    if transformers is None:
        return RawFeatures(convert)
    steps = active_steps(transformers)
    scaled = len(steps) == 1 and type(steps[0]) is StandardScaler and not _saw_missing(steps[0])
    if scaled and not weighted:
        return ScaledFeatures(transformers)
    features = (FittedFeatures if weighted else ChainedFeatures)(transformers, convert)
    features.writes = may_write(transformers)
    return features


def _fitted_anew(transformers, X, y, params):
    """Return a fitted clone of transformers."""
    # A cache on disk would keep what is forgotten next.
    return clone(transformers).set_params(memory=None).fit(X, y, **params)


def _saw_missing(scaler):
    """Tell whether a StandardScaler counted other numbers of rows for some features."""
    return np.ndim(scaler.n_samples_seen_) > 0
