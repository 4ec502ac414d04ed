"""The objective of a linear model at a parameter vector, in closed form.

Parameters are held as an array of shape (n_outputs, n_features + 1), the intercept last; a
model without intercept keeps a zero there. A scale of the residuals is an output after the
predictions, with coefficients that stay zero: steps move it together with them. The penalty of
:class:`LinearProblem` is scaled to sums over rows.
"""

import math
from copy import copy
from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.linear.carrying import moved, reweighted, without
from sklearn_unlearn._influence.linear.class_weights import ClassWeights
from sklearn_unlearn._influence.linear.dual import pays_by_rows, row_solvers
from sklearn_unlearn._influence.linear.expansion import (
    Expansion,
    pull_back,
    push_forward,
)
from sklearn_unlearn._influence.linear.following import as_followed, settle
from sklearn_unlearn._influence.linear.inverse import block_solvers, by_block, solve_by_products
from sklearn_unlearn._influence.linear.layout import make_layout
from sklearn_unlearn._influence.linear.leave_one_out import self_influence
from sklearn_unlearn._influence.linear.lost_classes import awaiting_fit, check_classes, lost_classes
from sklearn_unlearn._influence.linear.made import MadeFeatures
from sklearn_unlearn._influence.linear.marks import with_marks, without_marks
from sklearn_unlearn._influence.linear.passes import (
    add_rows,
    along,
    row_curvatures,
    weighted,
)
from sklearn_unlearn._influence.linear.problem import (
    linear_problem,
    read_parameters,
    write_parameters,
)
from sklearn_unlearn._influence.linear.products import Products
from sklearn_unlearn._influence.linear.projection import in_features
from sklearn_unlearn._influence.linear.reading import are_few, blocks, pays_by_products, row_values
from sklearn_unlearn._influence.linear.steps import arrive, newton_step
from sklearn_unlearn._influence.linear.sums import (
    directional,
    expansion_of_rows,
    loss_gradient,
    squared_gradients,
    weighted_gradient,
)
from sklearn_unlearn._influence.objective import Objective
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import RowStore
from sklearn_unlearn._records.source import RowSource
from sklearn_unlearn._records.source_rows import SourceRows

# A dense Hessian of up to 4,000 parameters is kept; beyond, only its products are used.
MAX_HESSIAN_VALUES = 4000**2


class LinearObjective(Objective):
    """Weighted empirical risk of a linear model at a parameter vector.

    See :class:`Objective` for what its methods mean.

    Parameters
    ----------
    model : estimator
        The fitted linear model.

    data : WeightedRows
        The rows.

    features : Features
        Maps rows to the model's features.

    settings : Settings, default=None
        How many threads pass over the rows; nothing else, as everything is in closed form.

    seed : int, default=0
        Not used: nothing is drawn.
    """

    has_closed_form = True
    # What was made of the rows, within a request.
    _made = None
    # Products of each pair of rows, where these are fewer than columns; False if of no use.
    row_products, bends_by_rows = None, True
    _row_values = None
    idle_params = ("params", "curvature", "damping", "solver")
    # Outputs of classes without rows.
    off = np.empty(0, dtype=np.intp)

    def __init__(self, model, data, features, settings=None, seed=0):
        super().__init__(data, features)
        self._theta, self.fit_intercept = read_parameters(model), model.fit_intercept
        self.problem = problem = linear_problem(model)
        self.loss = problem.loss
        trained = np.flatnonzero(data.trained)
        self.class_weights = ClassWeights(
            problem,
            model.classes_ if data.y.ndim == 1 else None,
            len(self.theta),
            data.codes(trained),
            data.weights[trained],
        )
        self.expansion = None
        self.is_reweighted = False
        self.n_jobs = None if settings is None else settings.n_jobs
        self._solvers = self.hessian_products = self._layout_of = None

    @staticmethod
    def make_rows(X, features):
        """Return rows as the objective reads them."""
        if isinstance(X, RowSource) and features.numeric:
            return SourceRows(X)
        return RowStore(X, numeric=features.numeric)

    def bound(self, model, settings):
        """Return the objective, whose passes take as many threads as the settings say."""
        return self if settings.n_jobs == self.n_jobs else altered(self, n_jobs=settings.n_jobs)

    @property
    def theta(self):
        """Parameters, ndarray of shape (n_outputs, n_features + 1), the intercept last."""
        return self._theta

    @property
    def shape(self):
        """Shape of a parameter vector, (n_outputs, n_features + 1)."""
        return self.theta.shape

    @property
    def n_predictions(self):
        """Number of outputs that are raw predictions: all but a scale of the residuals."""
        return len(self.theta) - self.problem.has_scale

    @property
    def row_values(self):
        """Number of values that a row takes while it is used."""
        if self._row_values is None:
            self._row_values = row_values(self)
        return self._row_values

    @property
    def n_rows(self):
        """Number of rows that the model is trained on."""
        return self.class_weights.n_rows

    @property
    def is_grouped(self):
        """True if the expansion is kept per class, as balanced class weights need."""
        return self.class_weights.balanced and self.keeps_hessian

    def factors(self):
        """Return what each group of the expansion is multiplied by."""
        return self.class_weights.factors() if self.is_grouped else np.ones((1, 1))

    @property
    def hessian_shape(self):
        """Return the shape of the Hessian: blocks, parameters, parameters."""
        n_outputs, q = self.theta.shape
        if self.loss.coupling:
            return 1, n_outputs * q, n_outputs * q
        shared = self.loss.quadratic and not self.class_weights.per_output
        return 1 if shared else n_outputs, q, q

    @property
    def keeps_hessian(self):
        """True if the Hessian is small enough to be kept."""
        groups = self.class_weights.n_classes if self.class_weights.balanced else 1
        small = groups * math.prod(self.hessian_shape) <= MAX_HESSIAN_VALUES
        return small and not pays_by_products(self)

    @property
    def is_quadratic(self):
        """True if the optimum of the rows that remain has a closed form."""
        return self.loss.quadratic

    @property
    def is_by_rows(self):
        """True if there are fewer rows than columns, and systems are solved by the rows."""
        return self.bends_by_rows and pays_by_rows(self)

    @property
    def is_closed(self):
        """True if systems are solved in closed form."""
        return self.keeps_hessian or self.is_by_rows

    @property
    def keeps_products(self):
        """True if curvatures of rows hold for later requests, where no Hessian is kept."""
        plain = self.features.numeric and not self.class_weights.balanced
        return plain and not self.is_closed

    @property
    def layout(self):
        """Which parameters may move and what their penalties are, Layout; kept while it holds."""
        found = self._layout_of
        of = self.theta.shape, len(self.off), self.features.n_marks
        if found is None or found[0] != of or found[1] is not self.problem:
            made = make_layout(self.problem, of[0], self.fit_intercept, self.off, of[2])
            found = self._layout_of = (of, self.problem, made)
        return found[2]

    def penalty(self):
        """Return the penalty of every parameter, of theta's shape."""
        tally, penalty = self.class_weights, self.layout.penalty
        if self.problem.scale == "one":
            return penalty
        return penalty * (tally.n_rows if self.problem.scale == "rows" else tally.sample_weight)

    def encoded_targets(self, y):
        """Return class numbers or values as the loss takes them, shape (n, n_outputs)."""
        n_outputs = len(self.theta)
        if y.ndim > 1:
            return y
        if n_outputs == 1:
            return 2.0 * y[:, None] - 1
        hot = y[:, None] == np.arange(n_outputs)
        return hot.astype(float) if self.loss.coupling else 2.0 * hot - 1

    def raw(self, Z):
        """Return the raw predictions for features, shape (n, n_outputs)."""
        return push_forward(Z, self.theta[: self.n_predictions])

    def push_forward(self, Z):
        """Return all outputs for features: the raw predictions, and the scale if there is one."""
        return push_forward(Z, self.theta)

    def slopes(self, Z, y):
        """Return the derivatives of the losses of rows by their outputs."""
        return self.loss.gradient(self.push_forward(Z), y)

    def raw_along(self, Z, v):
        """Return the derivatives of all outputs for features along a direction."""
        return push_forward(Z, v)

    def pull_back(self, Z, slopes):
        """Return the gradient for given derivatives by the outputs, or by the first of them."""
        gradient = np.zeros(self.shape)
        gradient[: slopes.shape[1]] = pull_back(Z, slopes)
        return self._freed(gradient)

    def free(self):
        """Return which parameters may move, ndarray of bool of the shape of theta."""
        return self.layout.free

    def _freed(self, gradient):
        """Return a gradient in which parameters that stay have no part."""
        if self.layout.stays is not None:
            gradient[self.layout.stays] = 0
        return gradient

    def output_weights(self, rows, weights):
        """Return the weights of rows in each output; a group's factor is added later."""
        weights = weights[:, None]
        if self.y.ndim > 1 or self.is_grouped:
            return weights
        return weights * self.class_weights.factors()[self.y[rows]]

    def groups(self, rows):
        """Return the groups of rows where the expansion is kept per class, else None."""
        return self.y[rows] if self.is_grouped else None

    def weighted_slopes(self, rows, raw):
        """Return the derivatives of the weighted losses of rows by their outputs."""
        u = self.output_weights(rows, self.weights[rows])
        slopes = weighted(u, self.loss.gradient, raw, self.targets(rows))
        return slopes * self.class_weights.factors()[self.y[rows]] if self.is_grouped else slopes

    def row_curvatures(self, rows, weights, raw):
        """Return the weights of rows in each output, and their curvatures at raw predictions."""
        u = self.output_weights(rows, weights)
        h = row_curvatures(self.loss, u, raw, self.targets(rows), self.hessian_shape[0])
        return u, h

    def empty(self, hessian):
        """Return an expansion of no rows."""
        n_groups = self.class_weights.n_classes if self.is_grouped else 1
        return Expansion.zeros(n_groups, self.theta.shape, self.hessian_shape if hessian else None)

    def add(self, expansion, rows, weights, Z, raw):
        """Add rows to an expansion at given raw predictions."""
        u, y = self.output_weights(rows, weights), self.targets(rows)
        add_rows(expansion, self.loss, Z, raw, y, weights, u, self.groups(rows))

    def measured(self, hessian=True):
        """Return the objective with its expansion summed over all rows, in one pass.

        Without ``hessian``, the one at hand is kept, if there is one.
        """
        new, anew = copy(self), hessian or self.expansion is None
        if hessian:
            new._solvers = None
        hessian = self.keeps_hessian and hessian and not self.is_by_rows
        total = expansion_of_rows(self, hessian)
        if hessian:
            new.expansion = self.as_reference(total)
        elif anew:
            new.expansion, new.hessian_products = total, None
        else:
            new.expansion = replace(
                self.expansion, value=total.value, gradient=total.gradient, measured=True
            )
        return new

    def as_reference(self, total):
        """Return an expansion that was just made from the rows."""
        return replace(total, reference=total.diagonal().copy(), is_settled=False)

    def expanded(self):
        """Return the expansion, made at the first call."""
        if self.expansion is None:
            self.expansion = self.measured().expansion
        return self.expansion

    def value(self):
        """Return the objective's value, penalty included."""
        data = (self.factors() * self.expanded().value).sum()
        return float(data + 0.5 * (self.penalty() * self.theta**2).sum())

    def gradient(self):
        """Return the gradient at theta, of theta's shape, penalty included."""
        data = self.expanded().gradient
        data = (self.factors()[:, :, None] * data).sum(axis=0) if self.is_grouped else data[0]
        return self._freed(data + self.penalty_gradient())

    def gradient_norm(self):
        """Return the largest absolute entry of the mean objective's gradient."""
        return float(np.abs(self.gradient()).max() / self.class_weights.weight)

    def measured_gradient_norm(self):
        """Return :meth:`gradient_norm` if it comes from a pass over the rows, else None."""
        return self.gradient_norm() if self.expanded().measured else None

    def directional(self, S, rows=None, weights=None):
        """Return derivatives of weighted row losses, and derivatives by the raw predictions.

        See :meth:`Objective.directional`; the second are its ``pulls``, of shape
        (n, n_outputs).
        """
        return directional(self, S, rows, weights)

    def blocks(self, rows=None, min_rows=1):
        """Yield places, row numbers and rows of some rows or all, chunk by chunk."""
        return blocks(self, rows, min_rows)

    def walk(self, rows=None, min_rows=1):
        """Yield places, row numbers and features of some rows or all, chunk by chunk."""
        if rows is None and self._made is not None and not self.features.numeric:
            yield from self._made.walk(self, min_rows)
            return
        if self._made is not None and are_few(self, rows):
            yield slice(None), rows, self.features_of(rows)
            return
        for at, some, block in self.blocks(rows, min_rows):
            yield at, some, self.features(block)

    def features_of(self, rows):
        """Return the features of a few numbered rows, in a request from what is made already."""
        if self._made is None or self.features.numeric:
            return self.features(self.rows.take(rows))
        return self._made.of(self, rows)

    def along(self, S, rows, weights, Z):
        """Return the directional derivatives and slopes of rows whose features are at hand."""
        u, factors = self.output_weights(rows, weights), None
        if self.is_grouped:
            factors = self.class_weights.factors()[self.y[rows]]
        return along(self.loss, self.theta, S, Z, self.targets(rows), u, factors)

    def weighted_gradient(self, pulls, rows=None):
        """Return :meth:`Objective.weighted_gradient` per group of rows, (n_groups, *shape)."""
        return weighted_gradient(self, pulls, rows)

    def loss_gradient(self, rows):
        """Return the gradient of the weighted losses of rows, those left out included."""
        return loss_gradient(self, rows)

    def penalty_gradient(self):
        """Return the gradient of the penalty at theta, of theta's shape."""
        return self.penalty() * self.theta

    def squared_gradients(self, rows=None):
        """Return the sum of the squared gradients of the weighted losses of rows."""
        return self._freed(squared_gradients(self, rows))

    def self_influence(self):
        """Return how much each row's own loss falls by training on it, to first order."""
        return self_influence(self)

    def without(self, rows, leaving=None):
        """Return the objective on the rows that remain. Costs k d^2 for k rows."""
        return without(self, rows, leaving)

    def without_sums(self, rows):
        """Return the objective on the rows that remain, whose sums are yet to be made."""
        rows, products = rows[self.trained[rows]], self.row_products
        return altered(
            self,
            expansion=None,
            _solvers=None,
            _made=MadeFeatures(),
            data=self.data.without(rows),
            class_weights=self.class_weights.without(self.data.codes(rows), self.weights[rows]),
            row_products=products and products.without(rows),
            hessian_products=None,
        )

    def check_remaining(self, model):
        """Raise a ValueError if no row is left, one class only, or one that can't be left out."""
        check_classes(self, model)

    def reweighted(self, rows, changes, gradient):
        """Return the objective with other weights; the change counts as drift of the Hessian."""
        return reweighted(self, rows, changes, gradient)

    def moved(self, step):
        """Return the objective at theta + step, its expansion carried along, at no cost in rows."""
        return moved(self, step)

    def at(self, theta):
        """Return the objective at other parameters, without an expansion."""
        new = copy(self)
        new._theta, new.expansion, new._solvers, new.hessian_products = theta, None, None, None
        return new

    def with_features(self, features, change=None):
        """Return the objective in changed features, at the same raw predictions.

        The expansion is converted by the change; without one it is made anew.
        """
        new = copy(self)
        new.features, new._made = features, MadeFeatures()
        new.row_products = new.hessian_products = None
        return in_features(new, self, change)

    def solve(self, V, n_rough=0):
        """Return the product of the inverse Hessian and V.

        Costs d^3 / 3 for the first after a change, then d^2; where no Hessian is kept, some
        passes over the rows: fewer for the ``n_rough`` first, of which less is asked.
        """
        solvers = self.solvers()
        if solvers is None:
            return solve_by_products(self, V, False, n_rough)
        return by_block(self, solvers, V, "solve")

    def solvers(self):
        """Return the solvers of the Hessian's blocks, made at the first call; None without one."""
        if self._solvers is None and self.is_by_rows:
            self._solvers = row_solvers(self)
            self.bends_by_rows = self._solvers is not None
        if self._solvers is None and self.keeps_hessian:
            if not self.expanded().has_hessian:
                self.expansion = self.measured().expansion
            self.expansion, self._solvers = as_followed(self, block_solvers(self))
        return self._solvers

    def products(self):
        """Return the Hessian by its products, made at the first call; where none is kept."""
        if self.hessian_products is None:
            self.hessian_products = Products.of(self)
        return self.hessian_products

    def newton_step(self, gradient=None, tight=False):
        """Return the step to the minimum of the expansion.

        Parameters
        ----------
        gradient : ndarray of the shape of theta, default=None
            Used in place of the objective's own.

        tight : bool, default=False
            True for a step that is to end at the minimum to rounding where no Hessian is kept,
            and conjugate gradients stop before by default.

        Returns
        -------
        ndarray of the shape of theta
            Step. Where the remaining rows leave parameters open (collinear features
            without penalty), it leads to those of minimum norm.
        """
        return newton_step(self, self.gradient() if gradient is None else gradient, tight)

    def kept(self):
        """Return the objective with so much of its expansion as may be stored."""
        products = self.hessian_products
        products = products.kept() if products and self.keeps_products else None
        settled = self.expansion and self.expansion.settled()
        return altered(
            self, _made=None, _row_values=None, expansion=settled, hessian_products=products
        )

    def arrive(self, carried, hessian_of, steps, pass_begins):
        """Return the objective after the request's Newton steps, and the outcome."""
        if steps.eta and len(lost_classes(self)):
            return awaiting_fit(carried), Outcome()
        return arrive(self, carried, hessian_of, steps, pass_begins)

    def written(self, model):
        """Return a copy of a fitted model at this objective's parameters."""
        return write_parameters(model, without_marks(self.theta, self.features.n_marks))

    def marked(self, theta):
        """Return parameters of a model with those of marks, which stay zero."""
        return with_marks(theta, self.features.n_marks)

    def ensure_curvature(self):
        """Make the expansion at the parameters as they are, unless it is there."""
        self.expanded()
        if self.keeps_products:
            self.products()

    def rewrite(self):
        """Write corrected values to where the rows stand; repeated calls change nothing."""
        super().rewrite()
        settle(self)

    def erase(self, rows):
        """Remove the values of rows from the shared arrays; repeated calls change nothing."""
        super().erase(rows)
        settle(self)
        if self.hessian_products is not None:
            self.hessian_products = self.hessian_products.kept()
