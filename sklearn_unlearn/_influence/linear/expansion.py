"""Second-order expansions of a sum of losses of linear predictions."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_unlearn._influence.linear.symmetric import Symmetric
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.every import every

# Where a feature's sum of squares falls below this share of what it was, all is measured anew.
MIN_SHARE = 1e-6

SQRT_HALF = 0.5**0.5
# Vectors up to which a product for each costs less than one for all: of a matrix in memory, and
# of a sparse one (measured: two to three times for three, as much for ten).
FEW, FEW_SPARSE = 3, 6


@dataclass(frozen=True)
class Expansion:
    """Value, gradient and Hessian of the data term at theta, per group of rows.

    Rows form one group, or with balanced class weights one group per class, since those
    weights change with every request.

    Parameters
    ----------
    value : ndarray of shape (n_groups, n_outputs)
        Loss.

    gradient : ndarray of shape (n_groups, n_outputs, n_features + 1)
        Its gradient.

    blocks : ndarray of shape (n_groups, n_blocks, d, d) or None
        Its Hessian: one block for all outputs, one per output, or one for the coupled
        outputs of softmax. None where it is too large to keep, or followed.

    reference : ndarray of shape (n_groups, n_blocks, d) or None, default=None
        Diagonal of the Hessian when it was last made from the rows; powers of two from the
        end of a request on.

    mass : ndarray of shape (2, n_features) or None, default=None
        Weighted sum of squares of each feature: of the rows that are left, and of those that the
        Hessian was last made of; the latter powers of two from the end of a request on.

    drift : float, default=0.0
        Weight that has changed since, as a share: a sum of powers of two.

    measured : bool, default=True
        False if value and gradient were carried along a step, not summed over rows.

    is_settled : bool, default=False
        True if the reference, and what it is for the mass, are powers of two.

    followed : Symmetric or None, default=None
        The Hessian's one block, where an inverse is kept that follows as rows leave.
    """

    value: np.ndarray
    gradient: np.ndarray
    blocks: np.ndarray | None
    reference: np.ndarray | None = None
    mass: np.ndarray | None = None
    drift: float = 0.0
    measured: bool = True
    is_settled: bool = False
    followed: Symmetric | None = None

    @property
    def hessian(self):
        """The Hessian, ndarray of shape (n_groups, n_blocks, d, d), or None."""
        return self.blocks if self.followed is None else self.followed.whole()[None, None]

    @property
    def has_hessian(self):
        """True if the Hessian is kept."""
        return self.blocks is not None or self.followed is not None

    @classmethod
    def zeros(cls, n_groups, theta_shape, hessian_shape=None):
        """Return an expansion to add rows to."""
        return cls(
            np.zeros((n_groups, theta_shape[0])),
            np.zeros((n_groups, *theta_shape)),
            np.zeros((n_groups, *hessian_shape)) if hessian_shape else None,
            mass=np.zeros((2, theta_shape[1] - 1)),
        )

    def add(self, group, Z, value, slope, curvature, coupling=None, weight=None):
        """Add the rows of one group, in place.

        Parameters
        ----------
        group : int
            The group.

        Z : {ndarray, CSR matrix} of shape (n, n_features)
            Features.

        value : ndarray of shape (n, n_outputs)
            Weighted losses.

        slope : ndarray of shape (n, n_outputs)
            Their derivatives by the raw predictions.

        curvature : ndarray of shape (n, n_blocks)
            Their second derivatives; what the coupling takes if the outputs are coupled. Not
            used where no Hessian is made.

        coupling : Coupling, default=None
            How outputs that share a loss are coupled.

        weight : ndarray of shape (n,), default=None
            Row weights of coupled outputs.
        """
        self.value[group] += sum_of_rows(value)
        self.gradient[group] += pull_back(Z, slope)
        if self.blocks is None:
            return
        if coupling is not None:
            self.blocks[group, 0] += coupling.gram(Z, curvature, weight)
            return
        for block, matrix in enumerate(self.blocks[group]):
            matrix += gram(Z, curvature[:, block])

    def less(self, left, share, followed=None, mass=None):
        """Return the expansion without some rows.

        Parameters
        ----------
        left : Expansion
            Theirs.

        share : float
            Their share of the weight.

        followed : Symmetric, default=None
            The Hessian of the others, where it has followed already.

        mass : ndarray of shape (n_features,), default=None
            That of the rows; theirs by default.

        Returns
        -------
        Expansion
            Of the others, from the same reference.
        """
        mass, blocks = left.mass[0] if mass is None else mass, None
        if followed is None and self.has_hessian:
            blocks = self.hessian - left.blocks
        return altered(
            self,
            value=self.value - left.value,
            gradient=self.gradient - left.gradient,
            blocks=blocks,
            followed=followed,
            mass=np.array([self.mass[0] - mass, self.mass[1]]),
            drift=self.drift + share,
        )

    def include(self, other):
        """Add the sums of other rows, in place."""
        self.value[:] += other.value
        self.gradient[:] += other.gradient
        if self.blocks is not None:
            self.blocks[:] += other.blocks
            self.mass[:] += other.mass

    def diagonal(self):
        """Return the diagonal of the Hessian, of shape (n_groups, n_blocks, d)."""
        if self.followed is not None:
            return self.followed.diagonal()[None, None]
        return np.diagonal(self.blocks, axis1=-2, axis2=-1)

    def has_lost_digits(self):
        """True if a feature has all but vanished: what is left of it is rounding errors."""
        return np.count_nonzero(self.mass[0] < MIN_SHARE * self.mass[1]) > 0

    def settled(self):
        """Return the expansion as it may be stored: nothing in it is the share of rows that left.

        How large sums once were guards against rounding, for which powers of two will do: their
        difference from the sums of now is no row's.
        """
        if self.reference is None or self.is_settled:
            return self
        mass = np.array([self.mass[0], power_of_two(self.mass[1])])
        return replace(self, reference=power_of_two(self.reference), mass=mass, is_settled=True)

    def bend(self, step):
        """Return the change of the gradient along a step, of the gradient's shape."""
        if self.followed is not None:
            return self.followed.times(step.reshape(-1, step.shape[-1]))[None]
        n_blocks, d = self.blocks.shape[1:3]
        flat = step.reshape(-1, d)
        if n_blocks == len(flat):
            bent = np.matmul(self.blocks, flat[:, :, None])
        else:
            bent = flat @ self.blocks[:, 0].swapaxes(1, 2)
        return bent.reshape(self.gradient.shape)

    def rescaled(self, change):
        """Return the expansion in changed features, at the same predictions.

        Parameters
        ----------
        change : Change
            Without cells to which its scale and shift do not apply.

        Returns
        -------
        Expansion
            The expansion. Costs d^2.
        """
        kept, scale, shift = change.parts(self.gradient.shape[-1] - 1)
        columns, scale, shift = np.append(kept, -1), np.append(scale, 1.0), np.append(shift, 0.0)
        gradient = self.gradient[..., columns]
        hessian, reference = self.hessian, self.reference
        q = self.gradient.shape[-1]
        n_copies = hessian.shape[-1] // q
        # One axis of outputs that are coupled and one of features, for rows and for columns.
        whole = hessian.reshape(*hessian.shape[:2], n_copies, q, n_copies, q)
        whole = whole[..., columns, :, :][..., columns]
        whole = whole * scale[:, None, None] * scale
        lines = whole[..., -1:, :, :] * shift[:, None, None]
        whole = whole + lines
        whole = whole + whole[..., -1:] * shift
        size = n_copies * len(columns)
        reference = reference.reshape(*reference.shape[:2], n_copies, q)[..., columns] * scale**2
        return replace(
            self,
            gradient=gradient * scale + gradient[..., -1:] * shift,
            blocks=whole.reshape(*hessian.shape[:2], size, size),
            followed=None,
            reference=reference.reshape(*reference.shape[:2], size),
            mass=self.mass[:, kept] * scale[:-1] ** 2,
            is_settled=False,
        )


def power_of_two(values):
    """Return the powers of two that are nearest to values; zero for those below 0."""
    values = np.asarray(values, dtype=float)
    mantissa, exponent = np.frexp(values)
    return np.where(values > 0, np.ldexp(1.0, exponent - (mantissa < SQRT_HALF)), 0.0)


def sum_of_rows(values):
    """Return ``values.sum(axis=0)``; of one row, which most requests are for, without a sum."""
    return values[0] if len(values) == 1 else values.sum(axis=0)


def sum_of_squares(Z, weights):
    """Return the weighted sum of squares of each feature."""
    if sparse.issparse(Z):
        return Z.power(2).T @ weights
    return weights @ np.square(Z)


def gram(Z, d):
    """Return the Hessian of features Z with a one appended, for curvatures d per row."""
    p = Z.shape[1]
    sign = 1.0 if every(d >= 0) else -1.0
    if not sparse.issparse(Z) and every(sign * d >= 0):
        root = np.empty((len(d), p + 1))
        root[:, -1] = np.sqrt(sign * d)
        np.multiply(Z, root[:, -1:], out=root[:, :-1])
        # NumPy makes one half of such a product only.
        product = root.T @ root
        return product if sign > 0 else np.negative(product, out=product)
    out = np.empty((p + 1, p + 1))
    if sparse.issparse(Z):
        out[:p, :p] = (Z.T @ Z.multiply(d[:, None])).toarray()
    else:
        out[:p, :p] = Z.T @ (Z * d[:, None])
    out[p, :p] = out[:p, p] = Z.T @ d
    out[p, p] = d.sum()
    return out


def pull_back(Z, slopes):
    """Return the gradient by the parameters for slopes by the raw predictions.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n, n_features)
        Features.

    slopes : ndarray of shape (n, n_outputs)
        Derivatives by the raw predictions.

    Returns
    -------
    ndarray of shape (n_outputs, n_features + 1)
        Sum over rows, the intercept last.
    """
    gradient = np.empty((slopes.shape[1], Z.shape[1] + 1))
    is_sparse = sparse.issparse(Z)
    if is_sparse and slopes.shape[1] <= FEW_SPARSE:
        back = Z.T
        for of, slope in zip(gradient, slopes.T, strict=True):
            of[:-1] = back @ slope
    else:
        product = (
            safe_sparse_dot(Z.T, slopes, dense_output=True) if sparse.issparse(Z) else Z.T @ slopes
        )
        gradient[:, :-1] = product.T
    gradient[:, -1] = sum_of_rows(slopes)
    return gradient


def push_forward(Z, V):
    """Return the change of the raw predictions along parameter vectors.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n, n_features)
        Features.

    V : ndarray of shape (m, n_features + 1)
        Parameter vectors, the intercept last.

    Returns
    -------
    ndarray of shape (n, m)
        Products.
    """
    if len(V) <= (FEW_SPARSE if sparse.issparse(Z) else FEW):
        # A matrix product with so few columns costs more than one product for each.
        columns = [Z @ v[:-1] + v[-1] for v in V]
        return columns[0][:, None] if len(V) == 1 else np.column_stack(columns)
    return safe_sparse_dot(Z, V[:, :-1].T, dense_output=True) + V[:, -1]
