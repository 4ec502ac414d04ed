"""A density for one class that needs no scaling across classes."""

from numbers import Real

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln
from scipy.stats import yeojohnson
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_unlearn._inner.declared import check_number

# Exponents of the power transformation that are tried; 1 leaves values as they are.
EXPONENTS = np.linspace(-2, 4, 13)


class StudentTDensity(DensityMixin, BaseEstimator):
    """Multivariate Student t density of power-transformed features.

    Each feature is standardised and made symmetric by a Yeo-Johnson transformation, both
    learned from the rows of the first ``fit`` or ``partial_fit``; the transformed rows get
    a mean and a covariance. All scores are log densities of the rows as given, so that
    models of several classes can be compared though each has its own transformation.

    Parameters
    ----------
    df : float, default=4.0
        Degrees of freedom: how heavy the tails are. ``np.inf`` is a Gaussian.

    power : bool, default=True
        Whether to transform skewed features.

    floor : float, default=0.1
        Standard deviation added to each feature, as a share of its range; it keeps features
        that hardly vary within the class from deciding alone.

    Attributes
    ----------
    location_ : ndarray of shape (n_features,)
        Mean of the transformed rows.

    exponents_ : ndarray of shape (n_features,)
        Exponents of the transformation.

    n_samples_seen_ : int
        Number of rows.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    sklearn_unlearn.ArcaneEnsemble : Trains one such model per class by default.

    Notes
    -----
    With n rows of d features, ``partial_fit`` takes O(n d^2) and memory O(d^2); scoring
    takes O(n d^2 + d^3).

    The defaults were fixed by ``examples/benchmarks/one_class_models.py``.

    References
    ----------
    .. [1] I.-K. Yeo, R. A. Johnson, "A new family of power transformations to improve
       normality or symmetry", Biometrika 87(4), 2000.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_unlearn.one_class import StudentTDensity
    >>> X, y = load_iris(return_X_y=True)
    >>> density = StudentTDensity().fit(X[y == 0])
    >>> bool(density.score_samples(X[y == 0]).min() > density.score_samples(X[y == 1]).max())
    True
    """

    def __init__(self, *, df=4.0, power=True, floor=0.1):
        self.df = df
        self.power = power
        self.floor = floor

    def fit(self, X, y=None):
        """Fit the density to rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted density.
        """
        vars(self).pop("n_samples_seen_", None)
        return self.partial_fit(X)

    def partial_fit(self, X, y=None):
        """Add rows to the density; the transformation stays that of the first rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted density.
        """
        if self.df != np.inf:
            check_number(self, "df", Real, 0, closed=False)
        check_number(self, "floor", Real, 0)
        first = not hasattr(self, "n_samples_seen_")
        X = validate_data(self, X, dtype=np.float64, reset=first)
        if first:
            spread = _floor(np.ptp(X, axis=0), self.floor)
            self.center_ = X.mean(axis=0)
            self.scale_ = np.sqrt(X.var(axis=0) + spread)
        Z = (X - self.center_) / self.scale_
        if first:
            self.exponents_ = _exponents(Z) if self.power else np.ones(X.shape[1])
        T = self._transform(Z)
        n_new, mean = len(T), T.mean(axis=0)
        low, high, centred = T.min(axis=0), T.max(axis=0), T - mean
        squares = centred.T @ centred
        if first:
            self.location_, self._squares = mean, squares
            self._low, self._high, self.n_samples_seen_ = low, high, n_new
        else:
            # Chan's update of mean and sum of squares.
            n_old, gap = self.n_samples_seen_, mean - self.location_
            self.n_samples_seen_ = n_old + n_new
            self._squares += squares + np.outer(gap, gap) * (n_old * n_new / self.n_samples_seen_)
            self.location_ = self.location_ + gap * (n_new / self.n_samples_seen_)
            self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        return self

    @property
    def covariance_(self):
        """Scale matrix of the transformed rows: their covariance plus the floor."""
        check_is_fitted(self)
        covariance = self._squares / self.n_samples_seen_
        covariance.flat[:: len(covariance) + 1] += _floor(self._high - self._low, self.floor)
        return covariance

    def _transform(self, Z):
        """Return standardised rows with symmetric features."""
        T = Z.copy()
        for feature in np.flatnonzero(self.exponents_ != 1):
            T[:, feature] = yeojohnson(Z[:, feature], lmbda=self.exponents_[feature])
        return T

    def score_samples(self, X):
        """Return the log density of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log densities.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        d = X.shape[1]
        Z = (X - self.center_) / self.scale_
        T = self._transform(Z) - self.location_
        factor = _cholesky(self.covariance_)
        white = solve_triangular(factor, T.T, lower=True, check_finite=False)
        distance = (white**2).sum(axis=0)
        log_scale = np.log(np.diag(factor)).sum() + np.log(self.scale_).sum()
        if self.df == np.inf:
            log_density = -0.5 * (distance + d * np.log(2 * np.pi)) - log_scale
        else:
            half = (self.df + d) / 2
            constant = gammaln(half) - gammaln(self.df / 2) - d / 2 * np.log(self.df * np.pi)
            log_density = constant - log_scale - half * np.log1p(distance / self.df)
        if self.power:
            log_density += (np.sign(Z) * np.log1p(np.abs(Z))) @ (self.exponents_ - 1)
        return log_density

    def score(self, X, y=None):
        """Return the mean log density of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        float
            Mean log density.
        """
        return float(np.mean(self.score_samples(X)))


def _floor(ranges, share):
    """Return the variance to add to each feature; one that is constant gets the median."""
    added = (share * ranges) ** 2
    varies = ranges > 0
    return np.where(varies, added, np.median(added[varies]) if varies.any() else 1.0)


def _exponents(Z):
    """Return the most likely exponent of each feature under a Gaussian."""
    jacobian = (np.sign(Z) * np.log1p(np.abs(Z))).sum(axis=0)
    likelihood = np.empty((len(EXPONENTS), Z.shape[1]))
    for row, exponent in zip(likelihood, EXPONENTS, strict=True):
        # The constant keeps features without variation from an infinite likelihood.
        variance = yeojohnson(Z.ravel(), lmbda=exponent).reshape(Z.shape).var(axis=0) + 0.01
        row[:] = (exponent - 1) * jacobian - len(Z) / 2 * np.log(variance)
    # Where all are equal, as for a constant feature, nothing is transformed.
    best = likelihood.max(axis=0)
    plain = likelihood[np.flatnonzero(EXPONENTS == 1)[0]]
    return np.where(plain >= best, 1.0, EXPONENTS[likelihood.argmax(axis=0)])


def _cholesky(covariance):
    """Return the lower factor of a covariance; where rounding made it singular, of a larger."""
    jitter = 0.0
    while True:
        try:
            return np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            jitter = max(10 * jitter, 1e-12 * np.trace(covariance) / len(covariance))
