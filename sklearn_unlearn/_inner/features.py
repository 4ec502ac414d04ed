"""From rows to a model's features, by transformers that forget."""

from abc import ABC, abstractmethod
from copy import copy, deepcopy

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from sklearn_unlearn._inner.pipelines import active_steps, fitted_steps, may_write

# Each halving of a variance by downdates loses a binary digit of it. They are counted over all
# requests since the last fit; after ten the step is fitted anew.
LOSS_UNIT = 2.0**-10
MAX_LOST = round(10 / LOSS_UNIT)


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
    """

    numeric = False
    transformers = None

    @abstractmethod
    def __call__(self, X):
        """Return the features of rows."""

    @abstractmethod
    def forget(self, removed, remaining):
        """Return features that some rows have left, and how they differ from these.

        They are those of transformers fitted on the remaining rows alone, up to rounding
        where a transformer forgets in closed form. Nothing is changed in place: a request
        that fails later leaves the old features as they were.

        Parameters
        ----------
        removed : callable
            Returns the rows that leave; called only if needed.

        remaining : callable
            Returns the rows, targets and fit parameters that remain; called only if a
            transformer has to be fitted anew, as this takes all rows.

        Returns
        -------
        features : Features
            The new features, the object itself if nothing was learned from rows.

        change : tuple of (ndarray, ndarray) or None
            Scale and shift, each of shape (n_features,), if new features are
            ``old * scale + shift`` for all rows. None where features are the same, or
            where no such relation is known.
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

    def forget(self, removed, remaining):
        return self, None


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

    lost : int
        Share of their variance that features have lost since a downdated step was fitted, in
        units of :data:`LOSS_UNIT`.

    anew : bool
        True if a step was fitted anew when rows left, so that sums over the old features may
        have lost digits too.
    """

    writes = False
    lost = 0
    anew = False

    def __init__(self, transformers, convert):
        self.transformers = transformers
        self._convert = convert

    def __call__(self, X):
        if self.writes:
            # A chunk of the rows that are kept must come back as it was.
            X = deepcopy(X)
        return self._convert(self.transformers.transform(X))

    def forget(self, removed, remaining):
        if not fitted_steps(self.transformers.steps):
            return self, None
        X, y, params = remaining()
        return self.behind(_fitted_anew(self.transformers, X, y, params)), None

    def behind(self, transformers, lost=0, anew=True):
        """Return the features behind other fitted transformers of the same kind."""
        new = type(self)(transformers, self._convert)
        new.writes, new.lost, new.anew = self.writes, lost, anew
        return new


class ChainedFeatures(FittedFeatures):
    """Features behind transformers without fit parameters, which forget step by step.

    A step that learns nothing stays, and so does all before the first step that a request
    changes. That one forgets in closed form, at the cost of the rows that leave, if
    ``DOWNDATES`` has one for its class and no later step learns from what it returns. Else it
    and all after it are fitted anew on the remaining rows as they come out of the steps
    before: a later step would have to see all rows again in any case.

    Parameters
    ----------
    transformers : Pipeline
        The fitted transformers.

    convert : callable
        Converts what they return for the model.
    """

    def forget(self, removed, remaining):
        old, lost = self.transformers, 0
        learning = fitted_steps(old.steps)
        place, new = _first_change(old, learning, removed)
        if place is None:
            return self, None
        if new is not None:
            lost = self.lost + loss_units(old.steps[place][1], new)
        anew = new is None or old.steps[place][0] != learning[-1] or lost > MAX_LOST
        if not anew:
            changed = [(learning[-1], new), *old.steps[place + 1 :]]
        else:
            lost = 0
            X, y, params = remaining()
            X = _transformed(old[:place], X)
            changed = _fitted_anew(old[place:], X, y, params).steps
        transformers = copy(old)
        transformers.steps = [*old.steps[:place], *changed]
        change = _affine_change(old[place:], transformers[place:])
        return self.behind(transformers, lost, anew), change


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

    def forget(self, removed, remaining):
        features, change = super().forget(removed, remaining)
        names = getattr(self._scaler, "feature_names_in_", None)
        if names is not None:
            # Rows kept as an array have no names for a new fit to find.
            features._scaler.feature_names_in_ = names
        return features, change


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


def _transformed(transformers, X):
    """Return rows as they come out of fitted transformers, of which there may be none."""
    for step in active_steps(transformers):
        X = step.transform(X)
    return X


def _first_change(transformers, learning, removed):
    """Return the place of the first step that is another without rows, and the new step.

    The new step is None where it has to be fitted; the place is None if all steps stay.
    """
    for place, (name, step) in enumerate(transformers.steps):
        if name not in learning:
            continue
        downdate = DOWNDATES.get(type(step))
        if downdate is None:
            return place, None
        new = downdate(step, _transformed(transformers[:place], removed()))
        if new is not step:
            return place, new
    return None, None


def _affine_change(before, after):
    """Return the scale and shift that a changed step brought, None if there are more steps."""
    old, new = active_steps(before), active_steps(after)
    if len(old) > 1 or type(old[0]) not in AFFINE_CHANGES:
        return None
    return AFFINE_CHANGES[type(old[0])](old[0], new[0])


def _saw_missing(scaler):
    """Tell whether a StandardScaler counted other numbers of rows for some features."""
    return np.ndim(scaler.n_samples_seen_) > 0


def _downdated_scaler(scaler, removed):
    """Return a StandardScaler without some rows, None if digits would be lost.

    Chan's update of mean and sum of squares, run backwards.
    """
    removed = check_array(
        removed, accept_sparse="csr", dtype=np.float64, ensure_all_finite="allow-nan"
    )
    if sparse.issparse(removed):
        removed = removed.toarray()
    # Missing values make the counts differ by feature; those are left to a new fit.
    if _saw_missing(scaler) or np.isnan(removed).any():
        return None
    new = copy(scaler)
    k = removed.shape[0]
    n_left = scaler.n_samples_seen_ - k
    new.n_samples_seen_ = type(scaler.n_samples_seen_)(n_left)
    if scaler.mean_ is None:
        return new
    mean = removed.mean(axis=0)
    gap = scaler.mean_ - mean
    new.mean_ = scaler.mean_ + gap * (k / n_left)
    if scaler.var_ is None:
        return new
    squares = scaler.var_ * scaler.n_samples_seen_ - ((removed - mean) ** 2).sum(axis=0)
    squares -= gap**2 * (k * scaler.n_samples_seen_ / n_left)
    new.var_ = squares / n_left
    # The scaler leaves the scale of a constant feature at one.
    varies = scaler.scale_ == np.sqrt(scaler.var_)
    if (new.var_ <= LOSS_UNIT * scaler.var_)[varies].any():
        return None
    new.var_ = np.where(varies, new.var_, scaler.var_)
    new.scale_ = np.where(varies, np.sqrt(new.var_), scaler.scale_)
    return new


def loss_units(old, new):
    """Return how many units of digits a step's variances lose when some rows leave.

    Rounded up to a power of two, so that the number does not tell the rows: it is the same for
    all that an outlier may have been within a factor.
    """
    before, after = getattr(old, "var_", None), getattr(new, "var_", None)
    if before is None or after is None:
        return 0
    n_before, n_after = np.max(old.n_samples_seen_), np.max(new.n_samples_seen_)
    varies = before > 0
    share = (n_after * after[varies]) / (n_before * before[varies])
    halvings = -np.log2(share.min(initial=1.0))
    return int(2 ** np.ceil(np.log2(max(1.0, halvings / LOSS_UNIT))))


def _scaler_change(old, new):
    """Return the scale and shift that lead from one StandardScaler's features to another's."""
    ones, zeros = np.ones(old.n_features_in_), np.zeros(old.n_features_in_)
    new_scale = ones if new.scale_ is None else new.scale_
    scale = (ones if old.scale_ is None else old.scale_) / new_scale
    shift = (old.mean_ - new.mean_) / new_scale if old.with_mean else zeros
    return scale, shift


# How a step of exactly this class forgets in closed form. Called with the fitted step and the
# rows that leave, as the step got them; returns a new step, the step itself if it learned
# nothing from them, or None if it has to be fitted anew.
DOWNDATES = {StandardScaler: _downdated_scaler}

# What a step of exactly this class changes when it becomes another, as scale and shift.
AFFINE_CHANGES = {StandardScaler: _scaler_change}
