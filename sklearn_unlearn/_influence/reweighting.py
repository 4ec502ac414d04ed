"""How much should the weights of remaining rows change, so that no performance is lost?

The predicted loss of performance is ``b`` for m criteria, and a change ``lambda_j`` of row
j's weight takes ``lambda_j psi_j`` off it. The weights minimise::

    1/2 || max(0, b - Psi^T lambda) ||^2 + Omega(lambda),    lower_j <= lambda_j <= upper_j

with ``Omega = alpha/2 ||lambda||_2^2`` or ``alpha ||lambda||_1``. The problem in n variables
is solved by its dual, which has m: ``rho = max(0, b - Psi^T lambda)`` is the loss that
remains.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import lsq_linear


def solve_weights(psi, loss, *, penalty, alpha, lower, upper):
    """Return the weight changes that make up for a loss of performance.

    Parameters
    ----------
    psi : ndarray of shape (n, m)
        What the criteria lose if a row leaves.

    loss : ndarray of shape (m,)
        Predicted loss; criteria that gain (negative loss) are left as they are.

    penalty : {"l1", "l2"}
        Regulariser of the changes. "l1" changes few rows, "l2" many rows a little.

    alpha : float
        Its strength, relative to psi scaled to a largest absolute value of one.

    lower, upper : ndarray of shape (n,)
        Smallest change, not above zero, and largest change, not below it.

    Returns
    -------
    ndarray of shape (n,)
        Relative weight changes.
    """
    scale = np.abs(psi).max(initial=0.0)
    if scale == 0 or not (loss > 0).any():
        return np.zeros(len(psi))
    psi, loss, box = psi / scale, loss / scale, (lower, upper)
    if penalty == "l2":
        return _solve_dual(psi, loss, 0.0, alpha, box)[0]
    if psi.shape[1] == 1:
        return _fill(psi[:, 0], loss[0], alpha, box)
    # An L2 term makes the dual smooth. It vanishes step by step, since each solution is a
    # good start for the next; at its last size it no longer shows in the optimum.
    changes = rho = None
    for smoothing in np.geomspace(1.0, 1e-8, 17):
        if rho is not None:
            rho = _predicted(psi, loss, alpha, smoothing, box, changes, rho)
        changes, rho = _solve_dual(psi, loss, alpha, smoothing, box, rho)
    return changes


def _fill(psi, loss, alpha, box):
    """Solve the L1 problem of one criterion: the most effective rows first."""
    size = np.abs(psi)
    order = np.argsort(-size, kind="stable")
    size, room = size[order], np.where(psi > 0, box[1], -box[0])[order]
    before = loss - np.concatenate([[0.0], np.cumsum(room * size)[:-1]])
    # A row is worth its cost while what remains of the loss exceeds alpha / |psi|.
    with np.errstate(divide="ignore"):
        gain = np.where(size > 0, (before - alpha / size) / size, 0.0)
    change = np.empty_like(psi)
    change[order] = np.clip(gain, 0.0, room)
    return change * np.sign(psi)


def _solve_dual(psi, loss, l1, l2, box, rho=None):
    """Minimise the dual by projected Newton steps; it is piecewise quadratic in rho."""

    def changes(rho):
        pull = psi @ rho
        if l1:
            pull = np.sign(pull) * np.maximum(np.abs(pull) - l1, 0.0)
        return np.clip(pull / l2, *box)

    def dual(rho, change):
        free = (psi @ rho) @ change - 0.5 * l2 * change @ change - l1 * np.abs(change).sum()
        return 0.5 * rho @ rho - loss @ rho + free

    identity = np.eye(len(loss))
    if rho is None:
        # The optimum where no bound and no L1 term acts.
        rho = np.zeros_like(loss)
        rho += _bounded_newton(identity + psi.T @ psi / (l2 + l1), -loss, rho)
    change = changes(rho)
    for _ in range(200):
        slope = rho - loss + psi.T @ change
        # Sums over a million rows are not exact to more digits than this.
        if np.abs(rho - np.maximum(rho - slope, 0.0)).max() <= 1e-10 * np.abs(loss).max():
            break
        moving = _inside(change, box)
        if l1:
            moving &= change != 0
        step = _bounded_newton(identity + psi[moving].T @ psi[moving] / l2, slope, rho)
        now, t = dual(rho, change), 1.0
        while t > 1e-6:
            ahead = np.maximum(rho + t * step, 0.0)
            new = changes(ahead)
            if dual(ahead, new) <= now + 1e-4 * t * (slope @ step):
                break
            t /= 2
        else:
            break
        rho, change = ahead, new
    return change, rho


def _predicted(psi, loss, l1, l2, box, change, rho):
    """Return the dual optimum for a smaller L2 term if the same rows stay at their bounds."""
    moving = (change != 0) & _inside(change, box)
    free = psi[moving]
    unclipped = (free @ rho - l1 * np.sign(change[moving])) / l2
    slope = rho - loss + psi[~moving].T @ change[~moving] + free.T @ unclipped
    return rho + _bounded_newton(np.eye(len(rho)) + free.T @ free / l2, slope, rho)


def _inside(change, box):
    """Return which changes are at neither of their bounds."""
    return (box[0] < change) & (change < box[1])


def _bounded_newton(curvature, slope, rho):
    """Return the minimiser of the quadratic model that keeps rho from turning negative."""
    factor = cho_factor(curvature, lower=True)
    step = -cho_solve(factor, slope)
    if (rho + step >= 0).all():
        return step
    root = np.tril(factor[0])
    target = -np.linalg.solve(root, slope)
    return lsq_linear(root.T, target, bounds=(-rho - 1e-300, np.inf), method="bvls").x
