"""The objective of a network at a parameter vector, differentiated by ``torch.func``.

A parameter vector is an array of shape (d,): the parameters that may move, one after the
other. All sums are over rows, not means.
"""

from copy import copy

import numpy as np
import torch
from scipy import sparse
from torch.func import grad, vjp

from sklearn_unlearn._influence.network.curvature import (
    MAX_LOSS,
    make_curvature,
    sample_size,
)
from sklearn_unlearn._influence.network.derivatives import along, row_gradients
from sklearn_unlearn._influence.network.outputs import check_output
from sklearn_unlearn._influence.network.problem import network_problem
from sklearn_unlearn._influence.network.steps import arrive
from sklearn_unlearn._influence.objective import Objective
from sklearn_unlearn._inner.parameters import write_network
from sklearn_unlearn._inner.torch_state import alias
from sklearn_unlearn._records.rows import CHUNK_VALUES, RowStore, is_array

# Rows that pass the network at once.
BATCH_ROWS = 1024
# Rows whose gradients are held against the penalty.
BALANCE_ROWS = 2000


class NetworkObjective(Objective):
    """Weighted empirical risk of a network at a parameter vector.

    See :class:`Objective` for what its methods mean. The network is taken to be at an optimum
    before each request, wherever its training stopped: a step takes back only what requests
    have changed since. This is the response function that influences of networks estimate
    [1]_. An objective needs to be :meth:`bound` to its model before it is used.

    Parameters
    ----------
    model : estimator
        The fitted network.

    data : WeightedRows
        The rows.

    features : Features
        Maps rows to the network's features.

    settings : Settings
        How steps are computed.

    seed : int
        Draws the rows that curvature and losses are measured on.

    References
    ----------
    .. [1] J. Bae, N. Ng, A. Lo, M. Ghassemi, R. Grosse, "If Influence Functions are the
       Answer, Then What is the Question?", NeurIPS 2022, :arxiv:`2209.05364`.
    """

    # Drawn for each request unless the user says how many; all of them would cost a pass.
    n_compensators = 2000
    row_values = CHUNK_VALUES // BATCH_ROWS

    converts = False
    idle_params = ("tol", "tol_distance", "release_noise", "n_jobs", "n_refine")

    def __init__(self, model, data, features, settings, seed):
        super().__init__(data, features)
        self.seed = seed
        trained = np.flatnonzero(data.trained)
        self.counts = np.bincount(data.codes(np.flatnonzero(data.live_weights())))
        self.weight = float(data.weights[trained].sum())
        self._sample, self._curvature = None, None
        self._bind(model, settings)
        _, x, y = self.tensors(self.remaining_rows()[:2])
        losses = self.problem.losses(self.problem.raw(self.parameters, x), y)
        if not torch.isfinite(losses).all():
            raise ValueError(
                f"The loss of {self.problem.name} is not finite on its training rows: the "
                "training diverged, or the criterion does not fit the targets."
            )
        self._try_derivatives(self.remaining_rows()[:1])

    def _try_derivatives(self, row):
        """Raise a TypeError if the network has a layer that lacks derivatives."""
        try:
            self.gradient_of(row, np.ones(1))
            self.directional(np.zeros((1, *self.shape)), row, np.ones(1))
        except RuntimeError as error:
            raise TypeError(
                f"{self.problem.name} has a layer without the derivatives that influence needs: "
                f"{str(error).splitlines()[0]} Replace the layer, or use SISAEnsemble or "
                "RetrainUnlearner."
            ) from error

    @staticmethod
    def make_rows(X, features):
        """Return rows as the network reads them, in the dtype that they have."""
        if features.numeric and not hasattr(X, "iloc") and not sparse.issparse(X):
            X = np.asanyarray(X)
        return RowStore(X, numeric=features.numeric and is_array(X), convert=False)

    def _bind(self, model, settings):
        self.problem = network_problem(model, settings.params)
        self.settings = settings
        named = dict(self.problem.module.named_parameters())
        self.parameters = {name: named[name].detach() for name in self.problem.movable}
        self._change = np.zeros(self.shape)

    def bound(self, model, settings):
        """Return the objective at a model's parameters; other settings make curvature anew."""
        same = getattr(self, "settings", None) == settings
        new = copy(self) if same else self.without_curvature()
        new._bind(model, settings)
        return new

    def __copy__(self):
        # Not by the state for pickles, which lacks what belongs to the model.
        return alias(self)

    def __getstate__(self):
        state = vars(self).copy()
        for name in ("problem", "parameters", "_change"):
            state.pop(name, None)
        return state

    @property
    def shape(self):
        """Shape of a parameter vector."""
        return (sum(p.numel() for p in self.parameters.values()),)

    @property
    def n_rows(self):
        """Number of rows with weight that the model is trained on."""
        return int(self.counts.sum())

    @property
    def n_outputs(self):
        """Number of raw predictions of a row."""
        x = self.tensors(self.remaining_rows()[:1])[1]
        return self.problem.raw(self.parameters, x)[0].numel()

    def packed(self, tensors):
        """Return tensors by parameter name as a vector."""
        flat = torch.cat([tensors[name].detach().flatten() for name in self.parameters])
        return flat.double().cpu().numpy()

    def unpacked(self, vector):
        """Return a vector as tensors by parameter name."""
        parts, start = {}, 0
        for name, p in self.parameters.items():
            part = np.ascontiguousarray(vector[start : start + p.numel()])
            parts[name] = torch.from_numpy(part).to(p).reshape(p.shape)
            start += p.numel()
        return parts

    def generator(self):
        """Return a generator of random numbers, the same at every call."""
        return torch.Generator().manual_seed(self.seed)

    def encoded_targets(self, y):
        """Return encoded targets as they are."""
        return y

    def tensors(self, numbers):
        """Return weights, rows and targets of numbered rows on the network's device."""
        Z = self.features(self.rows.take(numbers))
        x, y = self.problem.as_rows(Z), self.problem.as_targets(self.y[numbers])
        first = next(iter(self.parameters.values()))
        return torch.as_tensor(self.weights[numbers]).to(first), x, y

    def batches(self, numbers, size=BATCH_ROWS):
        """Yield rows, targets and weights in batches."""
        for start in range(0, len(numbers), size):
            weights, x, y = self.tensors(numbers[start : start + size])
            yield x, y, weights

    def raw(self, Z):
        """Return the raw predictions for features, shape (n, n_outputs)."""
        with torch.no_grad():
            raw = self.problem.raw(self.parameters, self.problem.as_rows(Z))
        return raw.reshape(len(raw), -1).double().cpu().numpy()

    def slopes(self, Z, y):
        """Return the derivatives of the losses of rows by their raw predictions."""
        y = self.problem.as_targets(y)
        raw = self.problem.raw(self.parameters, self.problem.as_rows(Z)).detach()
        slopes = grad(lambda r: self.problem.losses(r, y).sum())(raw)
        return slopes.reshape(len(raw), -1).double().cpu().numpy()

    def raw_along(self, Z, v):
        """Return the derivatives of the raw predictions for features along a direction."""
        x = self.problem.as_rows(Z)
        change = along(
            lambda values: self.problem.raw(values, x), self.parameters, self.unpacked(v)
        )
        return change.detach().reshape(len(change), -1).double().cpu().numpy()

    def pull_back(self, Z, slopes):
        """Return the gradient for given derivatives by the raw predictions."""
        x = self.problem.as_rows(Z)
        raw, back = vjp(lambda values: self.problem.raw(values, x), self.parameters)
        cotangent = torch.as_tensor(slopes).to(raw).reshape(raw.shape)
        return self.packed(back(cotangent)[0])

    def losses(self, numbers):
        """Return the loss of numbered rows, of shape (n,)."""
        found = [np.empty(0)]
        with torch.no_grad():
            for x, y, _ in self.batches(numbers):
                losses = self.problem.losses(self.problem.raw(self.parameters, x), y)
                found.append(losses.double().cpu().numpy())
        return np.concatenate(found)

    def raw_of(self, numbers):
        """Return the raw predictions for numbered rows, shape (n, n_outputs)."""
        return self.raw(self.features(self.rows.take(numbers)))

    def losses_of(self, Z, targets):
        """Return the loss of rows of which the features are given, of shape (n,)."""
        y = self.problem.as_targets(targets)
        with torch.no_grad():
            raw = self.problem.raw(self.parameters, self.problem.as_rows(Z))
            return self.problem.losses(raw, y).double().cpu().numpy()

    def _loss_at(self, x, y):
        """Return the function from parameters to the losses of rows."""
        return lambda values: self.problem.losses(self.problem.raw(values, x), y)

    def gradient_of(self, numbers, weights):
        """Return the gradient of a weighted sum of the losses of numbered rows."""
        total = np.zeros(self.shape)
        for start in range(0, len(numbers), BATCH_ROWS):
            of = slice(start, start + BATCH_ROWS)
            _, x, y = self.tensors(numbers[of])
            losses, back = vjp(self._loss_at(x, y), self.parameters)
            total += self.packed(back(torch.as_tensor(weights[of]).to(losses))[0])
        return total

    def penalties(self):
        """Return the penalty of the parameters by name."""
        scale = self.weight if self.problem.scale == "weight" else 1.0
        return {name: scale * self.problem.decay[name] for name in self.parameters}

    def spread(self, values):
        """Return a vector with one value for all entries of a parameter, given by name."""
        sizes = [p.numel() for p in self.parameters.values()]
        return np.repeat([values[name] for name in self.parameters], sizes)

    def change(self):
        """Return the gradient of what requests have changed since the training, shape (d,)."""
        return self._change

    def directional(self, S, rows=None, weights=None):
        """Return derivatives of weighted row losses, and the rows' weights.

        One forward-mode pass over the rows per direction; no row's gradient is made. See
        :meth:`Objective.directional`; the weights are its ``pulls``, of shape (n, 1).
        """
        if weights is None:
            weights = self.live_weights()
            weights = weights if rows is None else weights[rows]
        numbers = np.arange(len(self.rows)) if rows is None else rows
        derivatives = np.zeros((len(numbers), len(S)))
        tangents = [self.unpacked(s) for s in S]
        at = np.flatnonzero(weights)
        for start in range(0, len(at), BATCH_ROWS):
            some = at[start : start + BATCH_ROWS]
            _, x, y = self.tensors(numbers[some])
            loss = self._loss_at(x, y)
            for column, tangent in enumerate(tangents):
                slope = along(loss, self.parameters, tangent)
                derivatives[some, column] = slope.detach().double().cpu().numpy()
        return derivatives * weights[:, None], weights[:, None]

    def self_influence(self):
        """Return how much each row's own loss falls by training on it, to first order.

        Costs one gradient and one solution per row; see :meth:`Objective.self_influence`.
        """
        found = np.zeros(len(self.rows))
        for some, G in self._row_gradients():
            found[some] = np.einsum("nd,nd->n", G, self.solve(G))
        return found

    def _row_gradients(self, rows=None):
        """Yield numbers of rows, by default all that remain, and each weighted loss's gradient."""
        weights = self.live_weights() if rows is None else self.weights
        at = np.flatnonzero(weights) if rows is None else rows
        size = max(1, min(BATCH_ROWS, 4 * CHUNK_VALUES // self.shape[0]))

        def losses(values, x, y):
            return self.problem.losses(self.problem.raw(values, x), y)

        for start in range(0, len(at), size):
            some = at[start : start + size]
            _, x, y = self.tensors(some)
            each = row_gradients(losses, self.parameters, x, y)
            G = np.hstack([each[name].flatten(1).double().cpu() for name in self.parameters])
            yield some, G * weights[some][:, None]

    def squared_gradients(self, rows=None):
        """Return the sum of the squared gradients of the weighted losses of rows."""
        return sum((G**2).sum(axis=0) for _, G in self._row_gradients(rows))

    def penalty_gradient(self):
        """Return the gradient of the penalty at theta, of shape (d,)."""
        return self.spread(self.penalties()) * self.theta

    def balanced_penalty(self):
        """Return as much of the penalty's gradient as the rows' gradients hold in balance.

        At an optimum that is all of it. A network that knows its rows by heart has hardly any
        gradient: its weights are not pulled at by fewer rows once some have left.
        """
        penalty, rows = self.penalty_gradient(), self.remaining_rows()
        if not penalty.any():
            return penalty
        if len(rows) > BALANCE_ROWS:
            rng = np.random.RandomState(self.seed)
            rows = rng.choice(rows, BALANCE_ROWS, replace=False)
        weights = self.weights[rows]
        pull = self.gradient_of(rows, weights) * (self.weight / weights.sum())
        return penalty * np.clip(-(pull @ penalty) / (penalty @ penalty), 0, 1)

    def loss_gradient(self, rows):
        """Return the gradient of the weighted losses of rows, those left out included."""
        return self.gradient_of(rows, self.weights[rows])

    @property
    def theta(self):
        """The parameters, ndarray of shape (d,)."""
        return self.packed(self.parameters)

    def weighted_gradient(self, pulls, rows=None):
        """Return the gradient of a sum of losses for given weights, of shape (d,)."""
        at = np.flatnonzero(pulls[:, 0])
        numbers = at if rows is None else rows[at]
        return self.gradient_of(numbers, pulls[at, 0])

    def without(self, rows, leaving=None):
        """Return the objective on the rows that remain. Costs two passes over the k rows."""
        rows = rows[self.trained[rows]]
        if not len(rows):
            return self
        new = copy(self)
        new.data = self.data.without(rows)
        weights = self.weights[rows]
        new.weight = self.weight - float(weights.sum())
        # Rows without weight don't keep a class alive.
        left = np.flatnonzero(new.live_weights())
        new.counts = np.bincount(self.data.codes(left), minlength=len(self.counts))
        leaving = new.leaving(rows)
        weights = self.weights[leaving]
        if len(leaving):
            new._change = self._change - self.gradient_of(leaving, weights)
        if self.problem.scale == "weight":
            new._change = new._change - weights.sum() / self.weight * self.balanced_penalty()
        new._forget_curvature(rows)
        return new

    def leaving(self, rows):
        """Return those of the rows left out whose gradients leave with them.

        The output of a class without rows is switched off; no step can lead there.
        """
        return rows if self.y.ndim > 1 else rows[self.counts[self.y[rows]] > 0]

    def _forget_curvature(self, rows):
        """Take rows off the curvature, or drop it if its sample has lost too many."""
        if self._curvature is None:
            return
        lost = np.intersect1d(self._sample, rows)
        if len(lost) > MAX_LOSS * len(self._sample):
            self._sample, self._curvature = None, None
        elif len(lost):
            self._curvature = self._curvature.without(self, lost)
            self._sample = np.setdiff1d(self._sample, lost)

    def vanished(self):
        """Return the class numbers that have lost all rows by the request at hand."""
        if self.y.ndim > 1:
            return np.empty(0, dtype=np.intp)
        return np.setdiff1d(self.y[self.data.excluded], np.flatnonzero(self.counts))

    def check_remaining(self, model):
        """Raise if no row or one class is left, or an output can't be switched off."""
        if self.n_rows == 0:
            raise ValueError(
                "The request would leave no row to train on; discard the model instead."
            )
        for code in self.vanished():
            label = model.classes_.tolist()[code]
            start = f"The request would leave no training row of class {label!r}"
            if (self.counts > 0).sum() < 2:
                raise ValueError(f"{start} and one class only. Fit a new model.")
            check_output(self, code, start)

    def reweighted(self, rows, changes, gradient):
        """Return the objective with other weights, and the curvature before."""
        new = copy(self)
        new.data, change = self.data.reweighted(rows, changes)
        new.is_reweighted = True
        new.weight = self.weight + float(change.sum())
        new._change = self._change + gradient
        return new

    def at(self, theta):
        """Return the objective at other parameters, taken to be an optimum."""
        new = copy(self)
        new.parameters, new._change = self.unpacked(theta), np.zeros(self.shape)
        return new

    def without_curvature(self):
        """Return the objective with its curvature yet to be made."""
        new = copy(self)
        new._sample, new._curvature = None, None
        return new

    def with_features(self, features, change=None):
        """Return the objective in changed features; parameters stay as they are.

        Raises
        ------
        ValueError
            If there are more or fewer features.
        """
        new = copy(self)
        new.features = features
        some = self.rows.take(self.remaining_rows()[:1])
        before, after = np.shape(self.features(some)), np.shape(features(some))
        if before != after:
            raise ValueError(
                f"Without the rows the transformers give rows of shape {after[1:]}; the network "
                f"takes {before[1:]}. Fix their categories or features."
            )
        return new

    def ensure_curvature(self):
        """Make the curvature of a sample of the remaining rows, unless it is there."""
        if self._curvature is None:
            dense = self.settings.solver == "dense"
            remaining = self.remaining_rows()
            size = sample_size(self.shape[0], self.n_outputs, dense)
            if size < len(remaining):
                rng = np.random.RandomState(self.seed)
                remaining = np.sort(rng.choice(remaining, size, replace=False))
            self._sample = remaining
            self._curvature = make_curvature(self, remaining, dense)

    def solve(self, V):
        """Return the product of the inverse damped curvature and V.

        The first costs the curvature of up to 2,000 rows (a dense one: of as many as 10^11
        multiplications take), later ones nothing that grows with n.
        """
        return self.solve_and_report(V)[0]

    def solve_and_report(self, V):
        """Return :meth:`solve` of V, and how it was done in words."""
        return self.solver()(V)

    def solver(self, damped=1.0):
        """Return the function :meth:`solve_and_report`, with a multiple of the damping."""
        self.ensure_curvature()
        curvature = self._curvature
        weight = float(self.weights[self._sample].sum())
        damping = self.settings.damping
        if damping == "auto":
            damping = curvature.trace() / weight / self.shape[0]
        added = self.weight * damped * damping
        ridge = {name: penalty + added for name, penalty in self.penalties().items()}
        return curvature.solver(self, self.weight / weight, ridge)

    def measured_gradient_norm(self):
        """Return None: no pass over all rows is made."""
        return

    def written(self, model):
        """Return a copy of a fitted model at this objective's parameters."""
        return write_network(model, {**self.problem.module.state_dict(), **self.parameters})

    @property
    def leftovers(self):
        """Parts of the model that depend on the rows and that no step changes."""
        names = ", ".join(self.problem.statistics)
        buffers = (f"buffers of the module: {names}",) if names else ()
        return (*buffers, *self.problem.leftovers)

    def arrive(self, carried, hessian_of, steps, pass_begins):
        """Return the objective after the request's steps, and the outcome."""
        return arrive(self, carried, hessian_of, steps, pass_begins)
