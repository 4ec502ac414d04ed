"""Pointwise losses of scikit-learn's linear models, with gradient and curvature.

Every function takes raw predictions z and targets y, both of shape (n, n_outputs), and
returns values per row and output. Targets of margin losses are -1 or 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit, softmax, xlogy

from sklearn_unlearn._influence.linear.coupling import (
    Coupling,
    scale_coupling,
    softmax_coupling,
)

# How fast Huber's loss bends with its scale as long as that changes by a quarter at most; proved in
# :mod:`sklearn_unlearn._influence.linear.sizes`.
SCALE_BENDING = 4.0


@dataclass(frozen=True)
class Loss:
    """A loss per row as a function of the raw predictions.

    Parameters
    ----------
    value : callable
        ``value(z, y)`` of shape (n, n_outputs).

    gradient : callable
        First derivative with respect to z, of shape (n, n_outputs).

    curvature : callable
        Second derivative with respect to z, of shape (n, n_outputs); for a coupled loss
        the vectors that its coupling makes a matrix of.

    coupling : Coupling, default=None
        How outputs bend a loss that they share; None if every output has a loss of its own.

    quadratic : bool, default=False
        True if the curvature is one everywhere.

    together : callable, default=None
        Makes all three at a lower cost than one by one.

    bending : float, default=None
        The constant M of a curvature that changes by no more than a factor of exp(M t) where a raw
        prediction, or the difference of two that are coupled, changes by t; 0 where it is the
        same everywhere between kinks. None if there is no such constant.

    kinks : callable, default=None
        ``kinks(z, y)``: how far raw predictions are from the next value at which the curvature
        jumps, of shape (n, n_outputs). None if it does not.

    kink_by_scale : float, default=None
        Where the last output is a scale of the residuals: how far kinks move with it. Kinks are
        then of shape (n, 1), and the bending is for the scale's changes as shares of it.
    """

    value: Callable
    gradient: Callable
    curvature: Callable
    coupling: Coupling | None = None
    quadratic: bool = False
    together: Callable | None = None
    bending: float | None = None
    kinks: Callable | None = None
    kink_by_scale: float | None = None

    def terms(self, z, y, curvature=True):
        """Return value, gradient and curvature; None for the last if it isn't asked for."""
        if self.together is not None:
            return self.together(z, y)
        return self.value(z, y), self.gradient(z, y), self.curvature(z, y) if curvature else None


def _log_value(z, y):
    return np.logaddexp(0, -y * z)


def _log_gradient(z, y):
    return -y * expit(-y * z)


def _log_curvature(z, y):
    p = expit(z)
    return p * (1 - p)


def _softmax_value(z, y):
    top = z.max(axis=1, keepdims=True)
    total = np.log(np.exp(z - top).sum(axis=1, keepdims=True)) + top
    return y * (total - z)


def _softmax_gradient(z, y):
    return softmax(z, axis=1) - y


def _softmax_curvature(z, y):
    return softmax(z, axis=1)


def _softmax_terms(z, y):
    down = z - z.max(axis=1, keepdims=True)
    p = np.exp(down)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    return y * (np.log(total) - down), p - y, p


def _squared_value(z, y):
    return 0.5 * (z - y) ** 2


def _squared_gradient(z, y):
    return z - y


def _squared_curvature(z, y):
    return np.ones_like(z)


def _hinge_value(z, y):
    return np.maximum(0, 1 - y * z) ** 2


def _hinge_gradient(z, y):
    return -2 * y * np.maximum(0, 1 - y * z)


def _hinge_curvature(z, y):
    return 2.0 * (y * z < 1)


def _hinge_kinks(z, y):
    return np.abs(1 - y * z)


def _modified_huber_value(z, y):
    return np.where(y * z >= -1, np.maximum(0, 1 - y * z) ** 2, -4 * y * z)


def _modified_huber_gradient(z, y):
    return np.where(y * z >= -1, -2 * y * np.maximum(0, 1 - y * z), -4 * y)


def _modified_huber_curvature(z, y):
    return 2.0 * ((y * z >= -1) & (y * z < 1))


def _modified_huber_kinks(z, y):
    return np.minimum(np.abs(1 - y * z), np.abs(1 + y * z))


def _huber_value(z, y, epsilon):
    gap = np.abs(z - y)
    return np.where(gap <= epsilon, 0.5 * gap**2, epsilon * gap - 0.5 * epsilon**2)


def _huber_gradient(z, y, epsilon):
    return np.clip(z - y, -epsilon, epsilon)


def _huber_curvature(z, y, epsilon):
    return 1.0 * (np.abs(z - y) <= epsilon)


def _tube_kinks(z, y, epsilon):
    return np.abs(np.abs(z - y) - epsilon)


def _scaled_residual(z, y):
    """Return the residual in units of the scale, and the scale, of shape (n, 1) each."""
    scale = z[:, 1:]
    return (z[:, :1] - y) / scale, scale


def _scaled_value(z, y, epsilon):
    t, scale = _scaled_residual(z, y)
    value = np.where(scale > 0, scale * (0.5 + _huber_value(t, 0.0, epsilon)), np.inf)
    # The row has one loss: the second output adds nothing.
    return np.hstack([value, np.zeros_like(value)])


def _scaled_gradient(z, y, epsilon):
    slope = np.clip(_scaled_residual(z, y)[0], -epsilon, epsilon)
    return np.hstack([slope, 0.5 - 0.5 * slope**2])


def _scaled_kinks(z, y, epsilon):
    return np.abs(np.abs(z[:, :1] - y) - epsilon * z[:, 1:])


def _scaled_curvature(z, y, epsilon):
    # Second derivatives are the outer product of (1, -t) / sqrt(s), zero for outliers.
    t, scale = _scaled_residual(z, y)
    return np.hstack([np.ones_like(t), -t]) * (np.abs(t) <= epsilon) / np.sqrt(scale)


def _insensitive_value(z, y, epsilon):
    return np.maximum(0, np.abs(z - y) - epsilon) ** 2


def _insensitive_gradient(z, y, epsilon):
    return 2 * np.sign(z - y) * np.maximum(0, np.abs(z - y) - epsilon)


def _insensitive_curvature(z, y, epsilon):
    return 2.0 * (np.abs(z - y) > epsilon)


def _tweedie_constant(y, power):
    """Return the terms of half the deviance in y alone, which make the loss of y = mu zero."""
    if power == 1:
        return xlogy(y, y) - y
    if power == 2:
        return -np.log(y) - 1
    base = y if power == 0 else np.maximum(y, 0)
    return base ** (2 - power) / ((1 - power) * (2 - power))


def _tweedie_log_value(z, y, power):
    if power == 1:
        value = np.exp(z) - y * z
    elif power == 2:
        value = z + y * np.exp(-z)
    else:
        value = np.exp((2 - power) * z) / (2 - power) - y * np.exp((1 - power) * z) / (1 - power)
    return value + _tweedie_constant(y, power)


def _tweedie_log_gradient(z, y, power):
    return np.exp((2 - power) * z) - y * np.exp((1 - power) * z)


def _tweedie_log_curvature(z, y, power):
    return (2 - power) * np.exp((2 - power) * z) - (1 - power) * y * np.exp((1 - power) * z)


def _tweedie_identity_value(z, y, power):
    with np.errstate(divide="ignore", invalid="ignore"):
        if power == 1:
            value = z - xlogy(y, z)
        elif power == 2:
            value = np.log(z) + y / z
        else:
            value = z ** (2 - power) / (2 - power) - y * z ** (1 - power) / (1 - power)
    return np.where(z > 0, value + _tweedie_constant(y, power), np.inf)


def _tweedie_identity_gradient(z, y, power):
    return z ** (1 - power) - y * z**-power


def _tweedie_identity_curvature(z, y, power):
    return (1 - power) * z**-power + power * y * z ** (-power - 1)


log_loss = Loss(_log_value, _log_gradient, _log_curvature, bending=1.0)
softmax_loss = Loss(
    _softmax_value,
    _softmax_gradient,
    _softmax_curvature,
    coupling=softmax_coupling,
    together=_softmax_terms,
    bending=1.0,
)
squared_error = Loss(
    _squared_value, _squared_gradient, _squared_curvature, quadratic=True, bending=0.0
)
squared_hinge = Loss(
    _hinge_value, _hinge_gradient, _hinge_curvature, bending=0.0, kinks=_hinge_kinks
)
modified_huber = Loss(
    _modified_huber_value,
    _modified_huber_gradient,
    _modified_huber_curvature,
    bending=0.0,
    kinks=_modified_huber_kinks,
)


def _with_tube(epsilon, *parts):
    """Return a loss whose curvature jumps where a prediction is epsilon off its target."""
    parts = (*parts, _tube_kinks)
    value, gradient, curvature, kinks = (partial(part, epsilon=epsilon) for part in parts)
    return Loss(value, gradient, curvature, bending=0.0, kinks=kinks)


def huber(epsilon):
    """Return the Huber loss, quadratic within epsilon of the target."""
    return _with_tube(epsilon, _huber_value, _huber_gradient, _huber_curvature)


def scaled_huber(epsilon):
    """Return half of HuberRegressor's loss; its two outputs are a prediction z and a scale s.

    ``s/2 + r^2 / (2 s)`` for residuals ``r = z - y`` up to epsilon s, beyond them
    ``s/2 + epsilon |r| - epsilon^2 s / 2``: convex in both outputs, and infinite for s <= 0.
    """
    parts = (_scaled_value, _scaled_gradient, _scaled_curvature, _scaled_kinks)
    value, gradient, curvature, kinks = (partial(part, epsilon=epsilon) for part in parts)
    return Loss(
        value,
        gradient,
        curvature,
        coupling=scale_coupling,
        bending=SCALE_BENDING,
        kinks=kinks,
        kink_by_scale=epsilon,
    )


def squared_epsilon_insensitive(epsilon):
    """Return the squared distance by which a prediction misses the target's epsilon tube."""
    return _with_tube(epsilon, _insensitive_value, _insensitive_gradient, _insensitive_curvature)


def tweedie(power, log_link):
    """Return half the Tweedie deviance (1 Poisson, 2 gamma) for a log or identity link."""
    if power == 0 and not log_link:
        return squared_error
    if log_link:
        parts = (_tweedie_log_value, _tweedie_log_gradient, _tweedie_log_curvature)
    else:
        parts = (
            _tweedie_identity_value,
            _tweedie_identity_gradient,
            _tweedie_identity_curvature,
        )
    # From 1 to 2, curvatures are sums of exp((2 - power) z) and exp((1 - power) z), none below
    # zero: no loss bends faster than the larger exponent says. Outside it is not convex.
    bending = max(2.0 - power, power - 1.0) if log_link and 1 <= power <= 2 else None
    return Loss(*(partial(part, power=power) for part in parts), bending=bending)
