"""What would the model predict for each of its rows if it had not seen that row?

Row i adds ``s_i x_i`` to the gradient and ``x_i c_i x_i^T`` to the Hessian H. A Newton step
without it changes its own raw prediction by ``(h_i s_i + a_i) / (1 - h_i c_i)``, where
``h_i = x_i^T H^-1 x_i``, and a_i is what the rest of the gradient adds: no solver stops at
zero, and some penalties are scaled by the number of rows. Where outputs share a loss, h and c
are matrices of them. The step is exact for squared losses.
"""

import warnings

import numpy as np

from sklearn_unlearn._influence.linear.expansion import push_forward
from sklearn_unlearn._influence.linear.inverse import (
    free_columns,
    free_parameters,
    is_open_to_shifts,
)
from sklearn_unlearn._influence.linear.packed import form
from sklearn_unlearn._influence.linear.pairs import ClassPairs
from sklearn_unlearn._influence.linear.shifts import from_differences

# A row cannot carry more than all of its prediction; rounding may say so.
MAX_LEVERAGE = 1 - 1e-10


def leave_one_out(objective):
    """Return each row's raw predictions by the model without that row.

    Parameters
    ----------
    objective : LinearObjective
        The objective at the fitted model, of at most 4,000 parameters.

    Returns
    -------
    raw : ndarray of shape (n_rows, n_predictions)
        Raw predictions. Rows that the model was not trained on get those that it makes.

    Raises
    ------
    ValueError
        If there are too many parameters for a Hessian.

    Notes
    -----
    With d features and K outputs, costs n d^2 for the Hessian and n d^2 for the leverages;
    for softmax n d^2 K^2, in chunks of a few megabytes.
    """
    objective = _with_hessian(objective)
    theta, coupling = objective.theta, objective.loss.coupling
    pairs = _class_pairs(objective)
    inverses = None if pairs else _inverse_blocks(objective)
    rest = _solve(objective, -objective.gradient())
    shrunk = _unscaled(objective)
    balance = _rebalanced(objective) if objective.class_weights.balanced else []
    raw = np.empty((len(objective.rows), len(theta)))
    weights = objective.live_weights()
    for rows, block in objective.rows.chunks():
        Z, y = objective.features(block), objective.targets(rows)
        z, w = push_forward(Z, theta), weights[rows]
        others = push_forward(Z, rest)
        if shrunk is not None:
            counted = np.sign(w) if objective.problem.scale == "rows" else w
            others += counted[:, None] * push_forward(Z, shrunk)
        for code, (per_weight, change) in enumerate(balance):
            share = w * per_weight if objective.problem.balance_counts_weights else 1.0
            share = share * (objective.y[rows] == code)
            others += share[:, None] * push_forward(Z, change)
        others[w == 0] = 0
        u = _row_weights(objective, rows, w)
        bend = objective.loss.curvature(z, y)
        # What the curvature of softmax is made of are probabilities, and so is its slope.
        slope = u * (bend - y if pairs else objective.loss.gradient(z, y))
        if pairs:
            parts = slope[:, :-1], bend[:, :-1], others[:, :-1] - others[:, -1:]
            change = from_differences(pairs.changes(Z, u[:, 0], *parts))
            change += others.mean(axis=1, keepdims=True)
        elif coupling:
            change = _coupled(Z, inverses, u, slope, coupling.matrices(bend), others)
        else:
            change = _separate(Z, inverses, u, slope, bend, others, objective.loss.quadratic)
        raw[rows] = z + change
    return raw[:, : objective.n_predictions]


def self_influence(objective):
    """Return how much each row's own loss falls by training on it, to first order.

    Parameters
    ----------
    objective : LinearObjective
        The objective at the fitted model, of at most 4,000 parameters.

    Returns
    -------
    ndarray of shape (n_rows,)
        ``g_i^T H^-1 g_i``; zero for rows that the model was not trained on.
    """
    objective = _with_hessian(objective)
    pairs, weights = _class_pairs(objective), objective.live_weights()
    inverses = None if pairs else _inverse_blocks(objective)
    found = np.empty(len(objective.rows))
    for rows, block in objective.rows.chunks():
        Z = objective.features(block)
        z = push_forward(Z, objective.theta)
        u = _row_weights(objective, rows, weights[rows])
        slope = u * objective.loss.gradient(z, objective.targets(rows))
        if pairs:
            found[rows] = pairs.squares(Z, slope[:, :-1])
            continue
        coupled = objective.loss.coupling is not None
        leverage = _leverages(Z, inverses, z.shape[1], coupled)
        if coupled:
            found[rows] = np.einsum("na,nab,nb->n", slope, leverage, slope)
        else:
            found[rows] = (leverage * slope**2).sum(axis=1)
    return found


def _class_pairs(objective):
    """Return softmax's pairs of classes, for all outputs; None where one is switched off."""
    if not is_open_to_shifts(objective) or len(objective.off):
        return None
    inverse, (n_outputs, q) = objective.solvers()[0].inverse(), objective.theta.shape
    columns, pairs = np.arange(q)[free_columns(objective)], range(n_outputs - 1)
    if len(columns) < q:
        whole = np.zeros((n_outputs - 1, q) * 2)
        whole[np.ix_(pairs, columns, pairs, columns)] = inverse
        inverse = whole
    return ClassPairs(inverse, len(objective.rows))


def _with_hessian(objective):
    """Return the objective with its Hessian; raise if that would be too large."""
    if not objective.keeps_hessian:
        raise ValueError(
            f"The model has {objective.theta.size} parameters, too many for a Hessian; use "
            "sklearn.model_selection.cross_val_predict."
        )
    return objective if objective.expanded().has_hessian else objective.measured()


def _unscaled(objective):
    """Return the change of the parameters as a unit of weight leaves the penalty's scale.

    None if the penalty has none.
    """
    tally, scale = objective.class_weights, objective.problem.scale
    if scale == "one":
        return None
    total = tally.n_rows if scale == "rows" else tally.sample_weight
    return _solve(objective, objective.penalty() * objective.theta / total)


def _rebalanced(objective):
    """Return the change of the parameters as a row of each class leaves balanced weights.

    A list of one over the mean weight of the class's rows, and the change for such a row.
    """
    tally, changes = objective.class_weights, []
    means = objective.class_weights.mean_weights
    for code, weight in enumerate(means):
        new = tally.without(np.array([code]), np.array([weight]))
        change = (new.factors() - tally.factors())[:, :, None] * objective.expansion.gradient
        changes.append((1 / weight, -_solve(objective, change.sum(axis=0))))
    return changes


def _row_weights(objective, rows, weights):
    """Return the weights of rows in each output, class weights included."""
    if objective.y.ndim > 1:
        return weights[:, None]
    return weights[:, None] * objective.class_weights.factors()[objective.y[rows]]


def _inverse_blocks(objective):
    """Return the inverse of each block of the Hessian, zero for parameters that stay."""
    free, d = free_parameters(objective), objective.hessian_shape[1]
    if is_open_to_shifts(objective):
        return [objective.solve(np.eye(d).reshape(d, *objective.shape)).reshape(d, d)]
    inverses = []
    for solver in objective.solvers():
        inverse = np.zeros((d, d))
        inverse[np.ix_(free, free)] = solver.inverse()
        inverses.append(inverse)
    return inverses


def _solve(objective, V):
    """Return the product of the inverse Hessian and parameters of theta's shape."""
    return objective.solve(V[None])[0]


def _leverages(Z, inverses, n_outputs, coupled):
    """Return ``x^T H^-1 x`` for each output, or for each pair of outputs."""
    if not coupled:
        columns = [form(Z, inverse) for inverse in inverses]
        return np.column_stack([columns[min(k, len(columns) - 1)] for k in range(n_outputs)])
    q = len(inverses[0]) // n_outputs
    blocks = inverses[0].reshape(n_outputs, q, n_outputs, q)
    leverage = np.empty((Z.shape[0], n_outputs, n_outputs))
    for a in range(n_outputs):
        for b in range(a + 1):
            leverage[:, a, b] = leverage[:, b, a] = form(Z, blocks[a, :, b])
    return leverage


def _separate(Z, inverses, u, slope, bend, others, exact):
    """Return the changes of raw predictions whose outputs have losses of their own.

    Where the step is exact, a row that carries all of its prediction is told; of other losses this
    may be the step's own error.
    """
    leverage = _leverages(Z, inverses, slope.shape[1], coupled=False)
    carried = leverage * u * bend
    n_alone = int((carried >= MAX_LEVERAGE).any(axis=1).sum())
    if exact and n_alone:
        warnings.warn(
            f"{n_alone} rows carry all of their own prediction: without one of them the rest leave "
            "it open. What is given for them is the prediction of the model that was trained on "
            "them; a penalty would settle it.",
            UserWarning,
            stacklevel=4,
        )
    return (leverage * slope + others) / (1 - np.minimum(carried, MAX_LEVERAGE))


def _coupled(Z, inverses, u, slope, bend, others):
    """Return the changes of raw predictions whose outputs share one loss."""
    n_outputs = slope.shape[1]
    leverage = _leverages(Z, inverses, n_outputs, coupled=True)
    system = np.eye(n_outputs) - leverage @ (u[:, :, None] * bend)
    right = np.einsum("nab,nb->na", leverage, slope) + others
    return np.linalg.solve(system, right[:, :, None])[:, :, 0]
