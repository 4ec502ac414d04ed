"""What one chunk of rows adds to the sums of a linear objective; pure functions.

Features Z have shape (n, n_features), raw predictions and targets (n, n_outputs), weights u
(n, 1 or n_outputs). ``codes`` are the groups of an expansion kept per class, else None.
"""

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import pull_back, push_forward, sum_of_squares
from sklearn_unlearn._records.every import every


def weighted(u, derivative, raw, y):
    """Return weights times a derivative of the loss, per row and output."""
    # Erased rows have no meaningful target: their zero weight must win over inf.
    with np.errstate(all="ignore"):
        values = u * derivative(raw, y)
    return values if every(u) else np.where(u != 0, values, 0.0)


def row_curvatures(loss, u, raw, y, n_blocks):
    """Return weighted curvatures per row and block; what a coupling takes if there is one."""
    if loss.coupling:
        # Erased rows have no meaningful target: their zero weight must win over inf.
        with np.errstate(all="ignore"):
            return np.where(u != 0, loss.curvature(raw, y), 0.0)
    return weighted(u, loss.curvature, raw, y)[:, :n_blocks]


def times_curvature(loss, h, u, change):
    """Return the change of the slopes for a change of the raw predictions."""
    return loss.coupling.times(h, u, change) if loss.coupling else h * change


def add_rows(expansion, loss, Z, raw, y, weights, u, codes):
    """Add rows to an expansion, in place, at given raw predictions."""
    h, live = None, None if every(u) else u != 0
    # Erased rows have no meaningful target: their zero weight must win over inf.
    with np.errstate(all="ignore"):
        value, slope, bend = loss.terms(raw, y, expansion.blocks is not None)
        value, slope = u * value, u * slope
        if expansion.blocks is not None:
            h = bend if loss.coupling else u * bend
            expansion.mass[:] += sum_of_squares(Z, weights)
    if live is not None:
        value, slope = np.where(live, value, 0.0), np.where(live, slope, 0.0)
        h = None if h is None else np.where(live, h, 0.0)
    if h is not None and not loss.coupling:
        h = h[:, : expansion.blocks.shape[1]]
    coupling, u = loss.coupling, u[:, 0]
    if codes is None:
        expansion.add(0, Z, value, slope, h, coupling, u)
        return
    for group in np.unique(codes):
        of = codes == group
        bend = None if h is None else h[of]
        expansion.add(group, Z[of], value[of], slope[of], bend, coupling, u[of])


def along(loss, theta, S, Z, y, u, factors):
    """Return the directional derivatives and slopes of rows.

    Parameters
    ----------
    loss : Loss
        Pointwise loss.

    theta : ndarray of shape (n_outputs, n_features + 1)
        Parameters.

    S : ndarray of shape (m, n_outputs, n_features + 1)
        Directions.

    Z : {ndarray, CSR matrix} of shape (n, n_features)
        Features.

    y : ndarray of shape (n, n_outputs)
        Targets.

    u : ndarray of shape (n, 1 or n_outputs)
        Weights.

    factors : ndarray of shape (n, 1 or n_outputs) or None
        What the group of each row is multiplied by.

    Returns
    -------
    derivatives : ndarray of shape (n, m)
        Derivatives.

    slope : ndarray of shape (n, n_outputs)
        Derivatives by the raw predictions, without the groups' factors.
    """
    m, n_outputs, q = S.shape
    # One product for predictions and their changes: reading Z is what costs.
    both = push_forward(Z, np.concatenate([theta, S.reshape(-1, q)]))
    raw, change = both[:, :n_outputs], both[:, n_outputs:].reshape(-1, m, n_outputs)
    slope = weighted(u, loss.gradient, raw, y)
    full = slope if factors is None else slope * factors
    return np.einsum("nmk,nk->nm", change, full), slope


def pull_groups(gradient, Z, slopes, codes):
    """Add the gradient of rows to the gradients of their groups, in place."""
    if codes is None:
        gradient[0] += pull_back(Z, slopes)
        return
    for group in range(len(gradient)):
        of = codes == group
        gradient[group] += pull_back(Z[of], slopes[of])


def squared(Z, slopes):
    """Return the sum of the squared gradients of rows."""
    return pull_back(Z.multiply(Z).tocsr() if sparse.issparse(Z) else Z**2, slopes**2)
