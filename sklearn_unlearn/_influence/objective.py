"""What an objective can do, whichever model it belongs to."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How steps are computed: those of a network, and the passes over a linear model's rows.

    Parameters
    ----------
    params : str, default="all"
        Parameters that may move.

    curvature : {"gauss-newton", "hessian"}, default="gauss-newton"
        Matrix of the step.

    damping : float or "auto", default="auto"
        What is added to its diagonal, per unit of weight.

    solver : {"auto", "dense", "cg", "ekfac"}, default="auto"
        How its inverse is applied.

    n_jobs : int or None, default=None
        Threads that pass over the rows of a linear model.
    """

    params: str = "all"
    curvature: str = "gauss-newton"
    damping: float | str = "auto"
    solver: str = "auto"
    n_jobs: int | None = None


@dataclass(frozen=True)
class Steps:
    """How far an objective shall move.

    Parameters
    ----------
    eta : float
        Factor of the step; of the whole way where it takes several.

    n_refine : int or "auto"
        Largest number of further steps; "auto" for as many as ``tol_distance`` takes.

    tol : float
        Gradient norm of the mean objective to stop at.

    seed : int
        Draws the rows that a step is judged by, where it takes only some.

    unseen : CriterionRows or None, default=None
        Rows that a network was not trained on: how long its step shall be.

    tol_distance : float, default=1e-6
        Proved distance from the optimum to stop at, as a share of the parameters' norm.

    tells : bool, default=True
        True if the outcome of a network's step tells its losses; False where the caller does.
    """

    eta: float
    n_refine: int | str
    tol: float
    seed: int
    unseen: object = None
    tol_distance: float = 1e-6
    tells: bool = True


class Objective(ABC):
    """Weighted empirical risk of a fitted model at a parameter vector.

    All sums are over rows, not means. Objects are not changed by their methods:
    ``without``, ``reweighted``, ``at`` and ``with_features`` return a new objective that
    shares the rows. Only ``erase`` writes to the shared rows.

    Parameters
    ----------
    data : WeightedRows
        The rows.

    features : Features
        Maps rows to the model's features.
    """

    # True if leaving out each row has a closed form.
    has_closed_form = False
    # True if the optimum of the rows that remain has a closed form.
    is_quadratic = False
    # True if features are converted to float64 arrays or CSR matrices.
    converts = True
    # Parameters of unlearners that can't act on such a model.
    idle_params: tuple[str, ...] = ()
    # Rows whose weight may change in a request; None for all, at the cost of a pass.
    n_compensators: int | None = None
    # True once weights of remaining rows were changed.
    is_reweighted = False
    # True where the rounding errors of a closed form may show in the parameters.
    imprecise = False
    # True where a fit of the last step must follow, because a class has lost all rows.
    needs_fit = False
    # Parts of the model that depend on the rows and that no step changes.
    leftovers: tuple[str, ...] = ()

    def __init__(self, data, features):
        self.data, self.features = data, features

    @staticmethod
    @abstractmethod
    def make_rows(X, features):
        """Return a RowStore of rows as the objective reads them."""

    @property
    def rows(self):
        """All rows given to ``fit``, RowStore."""
        return self.data.rows

    @property
    def y(self):
        """Encoded targets of all rows, ndarray."""
        return self.data.y

    @property
    def weights(self):
        """Sample weights of all rows, ndarray of shape (n_rows,)."""
        return self.data.weights

    @property
    def trained(self):
        """False for rows that are held out or erased, ndarray of bool of shape (n_rows,)."""
        return self.data.trained

    @property
    def given_weights(self):
        """Sample weights of all rows as they were in ``fit``, ndarray of shape (n_rows,)."""
        return self.data.given

    def remaining_rows(self):
        """Return the numbers of the rows that the model is trained on."""
        return self.data.remaining()

    def live_weights(self):
        """Return the weights, zero for rows that are held out or wait to be erased."""
        return self.data.live_weights()

    @property
    @abstractmethod
    def n_rows(self):
        """Number of rows that the model is trained on, int."""

    @property
    @abstractmethod
    def row_values(self):
        """Number of values that a row takes while it is used, int."""

    @property
    @abstractmethod
    def shape(self):
        """Shape of a parameter vector."""

    @property
    @abstractmethod
    def theta(self):
        """The parameters, ndarray of ``shape``."""

    def bound(self, model, settings):
        """Return the objective at a fitted model's parameters.

        Parameters
        ----------
        model : estimator
            The model as it stands.

        settings : Settings
            How steps are computed.

        Returns
        -------
        Objective
            This one, where it holds its parameters itself.
        """
        return self

    def targets(self, rows):
        """Return the targets of numbered rows as the loss takes them."""
        return self.encoded_targets(self.y[rows])

    @abstractmethod
    def encoded_targets(self, y):
        """Return encoded targets as the loss takes them."""

    @abstractmethod
    def raw(self, Z):
        """Return the raw predictions for features, ndarray of shape (n, n_outputs)."""

    @abstractmethod
    def slopes(self, Z, y):
        """Return the derivatives of the losses of rows by their raw predictions."""

    @abstractmethod
    def raw_along(self, Z, v):
        """Return the derivatives of what :meth:`slopes` differentiates by, along a direction.

        Parameters
        ----------
        Z : array-like of shape (n, n_features)
            Features.

        v : ndarray of ``shape``
            Direction in parameter space.

        Returns
        -------
        ndarray of shape (n, k)
            Derivatives.
        """

    @abstractmethod
    def pull_back(self, Z, slopes):
        """Return the gradient, of ``shape``, for derivatives by the raw predictions."""

    @abstractmethod
    def directional(self, S, rows=None, weights=None):
        """Return the derivative of weighted row losses along directions.

        Parameters
        ----------
        S : ndarray of shape (m, *shape)
            Directions in parameter space.

        rows : ndarray of int of shape (n,), default=None
            Rows; all rows of ``fit`` by default.

        weights : ndarray of shape (n,), default=None
            Weights of these rows; those they have by default.

        Returns
        -------
        derivatives : ndarray of shape (n, m)
            Derivatives; zero for rows that are forgotten or were held out.

        pulls : ndarray of shape (n, k)
            What :meth:`weighted_gradient` needs to know of each row.
        """

    @abstractmethod
    def weighted_gradient(self, pulls, rows=None):
        """Return the gradient of a sum of row losses.

        Parameters
        ----------
        pulls : ndarray of shape (n, k)
            From :meth:`directional`, multiplied by whatever factor each row shall have.

        rows : ndarray of int of shape (n,), default=None
            Rows that they belong to; all rows of ``fit`` by default.

        Returns
        -------
        ndarray
            Gradient, as :meth:`reweighted` takes it.
        """

    @abstractmethod
    def loss_gradient(self, rows):
        """Return the gradient of the weighted losses of rows, those left out included."""

    @abstractmethod
    def penalty_gradient(self):
        """Return the gradient of the penalty at theta, of ``shape``."""

    @abstractmethod
    def squared_gradients(self, rows=None):
        """Return the sum of the squared gradients of the weighted losses of rows.

        Parameters
        ----------
        rows : ndarray of int, default=None
            Rows, those left out included; the remaining rows by default.
        """

    @abstractmethod
    def self_influence(self):
        """Return how much each row's own loss falls by training on it, to first order.

        Returns
        -------
        ndarray of shape (n_rows,)
            ``g_i^T H^-1 g_i`` with the row's weight in g_i; zero for rows that the model was not
            trained on.
        """

    @abstractmethod
    def ensure_curvature(self):
        """Make the curvature at the parameters as they are, unless it is there."""

    @abstractmethod
    def solve(self, V):
        """Return the product of the inverse curvature and V.

        Parameters
        ----------
        V : ndarray of shape (m, *shape)
            Vectors in parameter space.

        Returns
        -------
        ndarray of shape (m, *shape)
            Products.
        """

    @abstractmethod
    def without(self, rows, leaving=None):
        """Return the objective on the rows that remain, at the same parameters.

        Parameters
        ----------
        rows : ndarray of int
            Rows to leave out; rows that were held out change nothing.

        leaving : Leaving, default=None
            The same rows, of which some transformers may know the output already.

        Returns
        -------
        Objective
            The objective without them.
        """

    def leaving(self, rows):
        """Return those of the rows left out whose gradients leave with them."""
        return rows

    @abstractmethod
    def check_remaining(self, model):
        """Raise a ValueError if the rows that remain can't be trained on.

        Parameters
        ----------
        model : estimator
            The fitted model, for its classes.
        """

    @abstractmethod
    def reweighted(self, rows, changes, gradient):
        """Return the objective with changed weights of some rows.

        Parameters
        ----------
        rows : ndarray of int or slice
            Row numbers.

        changes : ndarray of shape (n,)
            Changes, relative to the weights in ``fit``.

        gradient : ndarray
            Gradient of the changes, from :meth:`weighted_gradient`.

        Returns
        -------
        Objective
            The reweighted objective, with the curvature before.
        """

    @abstractmethod
    def at(self, theta):
        """Return the objective at other parameters."""

    @abstractmethod
    def with_features(self, features, change=None):
        """Return the objective in changed features.

        Parameters
        ----------
        features : Features
            The new map from rows to features.

        change : Change or None, default=None
            How features change on the rows that remain, None if that is not known.

        Returns
        -------
        Objective
            The objective in the new features, near the same raw predictions if the
            model can express them.
        """

    def own(self):
        """Make private, writable copies of what ``erase`` writes to; nothing else changes."""
        self.data.own()

    @abstractmethod
    def measured_gradient_norm(self):
        """Return the mean objective's largest gradient entry if a pass measured it, else None."""

    @abstractmethod
    def arrive(self, carried, hessian_of, steps, pass_begins):
        """Return the objective after the steps of a request.

        Parameters
        ----------
        carried : Objective
            The objective with the weights that are kept.

        hessian_of : Objective
            Whose curvature the first step takes.

        steps : Steps
            How far.

        pass_begins : callable
            Called before every pass over rows, for progress.

        Returns
        -------
        objective : Objective
            The objective at the end.

        outcome : Outcome
            What the receipt shall say.
        """

    def kept(self):
        """Return the objective as it may be stored: nothing in it is the share of rows that left.

        Returns
        -------
        Objective
            The same, for all later requests.
        """
        return self

    @abstractmethod
    def written(self, model):
        """Return a copy of a fitted model at this objective's parameters."""

    def rewrite(self):
        """Write corrected values to where the rows stand; repeated calls change nothing."""
        self.data.rewrite()

    def erase(self, rows):
        """Remove the values of rows from what objectives share; repeated calls change nothing."""
        self.data.erase(rows)
