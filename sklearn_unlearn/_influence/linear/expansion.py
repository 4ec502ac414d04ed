"""Second-order expansions of a sum of losses of linear predictions."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_unlearn._records.rows import batches

# Raw predictions may be off by about this much where a Hessian is made to be kept: curvature
# changes by as many hundredths, and one row of a thousand moves them by less.
BLUR = 2.0**-5

# A parameter's curvature that falls below this share of what it was is measured anew.
MIN_SHARE = 1e-6


@dataclass(frozen=True)
class Expansion:
    """Value, gradient and Hessian of the data term at theta, per group of rows.

    Rows form one group, or with balanced class weights one group per class, since those
    weights change with every request.

    Parameters
    ----------
    value : ndarray of shape (n_groups, n_outputs) or None
        Loss. None, with the gradient, where both are to be measured anew.

    gradient : ndarray of shape (n_groups, n_outputs, n_features + 1) or None
        Its gradient.

    hessian : ndarray of shape (n_groups, n_blocks, d, d) or None
        Its Hessian: one block for all outputs, one per output, or one for the coupled
        outputs of softmax. None where it is too large to keep.

    reference : ndarray of shape (n_groups, n_blocks, d) or None, default=None
        Diagonal of the Hessian when it was last made from the rows; powers of two from the
        end of a request on.

    at : ndarray of shape (n_outputs, n_features + 1) or None, default=None
        Parameters that the Hessian was made at; None for those of the objective then.

    weights : ndarray of shape (n_rows,) or None, default=None
        Weights of the rows that the Hessian was made with.

    drift : float, default=0.0
        Weight that has changed since, as a share: a sum of powers of two, each rounded up.

    measured : bool, default=True
        False if value and gradient were carried along a step, not summed over rows.

    rough : bool, default=False
        True if of the value only the size is known.

    is_settled : bool, default=False
        True if the reference is rounded.
    """

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray | None
    reference: np.ndarray | None = None
    at: np.ndarray | None = None
    weights: np.ndarray | None = None
    drift: float = 0.0
    measured: bool = True
    rough: bool = False
    is_settled: bool = False

    @classmethod
    def zeros(cls, n_groups, theta_shape, hessian_shape=None):
        """Return an expansion to add rows to."""
        return cls(
            np.zeros((n_groups, theta_shape[0])),
            np.zeros((n_groups, *theta_shape)),
            np.zeros((n_groups, *hessian_shape)) if hessian_shape else None,
        )

    def add(self, group, Z, value, slope, curvature, coupled_weight=None):
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
            Their second derivatives; class probabilities if the outputs are coupled. Not
            used where no Hessian is made.

        coupled_weight : ndarray of shape (n,), default=None
            Row weights of coupled outputs.
        """
        self.value[group] += value.sum(axis=0)
        self.gradient[group] += pull_back(Z, slope)
        if self.hessian is None:
            return
        if coupled_weight is not None:
            self.hessian[group, 0] += coupled_gram(Z, curvature, coupled_weight)
            return
        for block, matrix in enumerate(self.hessian[group]):
            matrix += gram(Z, curvature[:, block])

    def bend(self, step):
        """Return the change of the gradient along a step, of the gradient's shape."""
        n_blocks, d = self.hessian.shape[1:3]
        flat = step.reshape(-1, d)
        if n_blocks == len(flat):
            bent = np.einsum("gbij,bj->gbi", self.hessian, flat)
        else:
            bent = np.einsum("gij,bj->gbi", self.hessian[:, 0], flat)
        return bent.reshape(self.gradient.shape)

    def rescaled(self, scale, shift):
        """Return the expansion in features ``old * scale + shift``, at the same predictions."""
        change = np.diag(np.append(scale, 1.0))
        change[:-1, -1] = shift
        n_copies = self.hessian.shape[-1] // len(change)
        whole = np.kron(np.eye(n_copies), change)
        grown = np.append(scale**2, 1.0)
        if self.is_settled:
            grown = rounded_up(grown)
        return replace(
            self,
            gradient=self.gradient @ change.T,
            hessian=whole @ self.hessian @ whole.T,
            reference=self.reference * np.tile(grown, n_copies),
            at=None if self.at is None else converted(self.at, scale, shift),
        )

    def settled(self):
        """Return the expansion as it may be stored: nothing in it tells of rows that left.

        How large sums once were serves to guard against rounding; powers of two are enough for
        that, and their difference from the sums of now is no row's.
        """
        if self.is_settled:
            return self
        return replace(self, reference=power_of_two(self.reference), is_settled=True)

    def diagonal(self):
        """Return the diagonal of the Hessian, of shape (n_groups, n_blocks, d)."""
        return np.diagonal(self.hessian, axis1=-2, axis2=-1)

    def has_lost_digits(self):
        """True if so much of a parameter's curvature has left that the rest is rounding errors."""
        return (self.diagonal().sum(axis=0) < MIN_SHARE * self.reference.sum(axis=0)).any()

    def squares(self):
        """Return the mean square of each feature, weighted by curvature."""
        found = self.diagonal().sum(axis=0).reshape(-1, self.at.shape[1]).sum(axis=0)
        return found[:-1] / found[-1]


def power_of_two(values):
    """Return the smallest powers of two that are not below the values; zero for those below 0."""
    values = np.asarray(values, dtype=float)
    found = np.zeros_like(values)
    positive = values > 0
    found[positive] = np.exp2(np.ceil(np.log2(values[positive])))
    return found


def rounded_up(factors):
    """Return factors rounded up: 1, the 16th root of two, or a power of two.

    So that many factors near one, each a request's, do not make up a large one.
    """
    small = 2.0 ** (1 / 16)
    return np.where(factors <= 1, 1.0, np.where(factors <= small, small, power_of_two(factors)))


def converted(theta, scale, shift):
    """Return parameters of the same predictions for features ``old * scale + shift``."""
    theta = theta.copy()
    theta[:, :-1] /= scale
    theta[:, -1] -= theta[:, :-1] @ shift
    return theta


def blurred(theta, squares):
    """Return parameters that are off by more than a few rows can move them.

    A Hessian that is kept tells the parameters that it was made at, and these, compared with
    those of later, which row has left in between. So it is made nearby instead. The offset is
    drawn from a hash of the parameters: the same at every run, and not to be taken off.

    Parameters
    ----------
    theta : ndarray of shape (n_outputs, n_features + 1)
        Parameters.

    squares : ndarray of shape (n_features,)
        Mean square of each feature.

    Returns
    -------
    ndarray of the shape of theta
        Parameters within :func:`blur` of them.
    """
    seed = hashlib.sha256(np.ascontiguousarray(theta).tobytes()).digest()
    rng = np.random.default_rng(int.from_bytes(seed, "big"))
    return theta + rng.uniform(-1, 1, theta.shape) * blur(squares)


def blur(squares):
    """Return how far parameters may be off, of shape (n_features + 1,).

    Together these offsets change a raw prediction by about BLUR / sqrt(3).
    """
    # What is hardly ever there would else be off by any amount.
    squares = np.maximum(squares, 1e-4 * squares.max(initial=0.0))
    squares = np.append(np.where(squares > 0, squares, 1.0), 1.0)
    return BLUR / np.sqrt(len(squares) * squares)


def sum_of_squares(Z, weights):
    """Return the weighted sum of squares of each feature."""
    if sparse.issparse(Z):
        return Z.power(2).T @ weights
    return np.einsum("np,np,n->p", Z, Z, weights)


def gram(Z, d):
    """Return the Hessian of features Z with a one appended, for curvatures d per row."""
    p = Z.shape[1]
    out = np.empty((p + 1, p + 1))
    if sparse.issparse(Z):
        out[:p, :p] = (Z.T @ Z.multiply(d[:, None])).toarray()
    elif (d >= 0).all():
        root = Z * np.sqrt(d)[:, None]
        out[:p, :p] = root.T @ root
    else:
        out[:p, :p] = Z.T @ (Z * d[:, None])
    out[p, :p] = out[:p, p] = Z.T @ d
    out[p, p] = d.sum()
    return out


def coupled_gram(Z, P, u):
    """Return the Hessian of softmax over features Z with a one appended.

    Its block for classes k and l is ``Z^T diag(u p_k (delta_kl - p_l)) Z``.
    """
    K, q = P.shape[1], Z.shape[1] + 1
    out = np.zeros((K, q, K, q))
    for k in range(K):
        out[k, :, k] = gram(Z, u * P[:, k])
    flat = out.reshape(K * q, K * q)
    if sparse.issparse(Z):
        for k in range(K):
            for other in range(K):
                out[k, :, other] -= gram(Z, u * P[:, k] * P[:, other])
        return flat
    for batch in batches(len(P), K * q):
        ones = np.hstack([Z[batch], np.ones((batch.stop - batch.start, 1))])
        rooted = np.sqrt(u[batch])[:, None] * P[batch]
        outer = (rooted[:, :, None] * ones[:, None, :]).reshape(len(rooted), -1)
        flat -= outer.T @ outer
    return flat


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
    coef = safe_sparse_dot(Z.T, slopes, dense_output=True).T
    return np.hstack([coef, slopes.sum(axis=0)[:, None]])


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
    if len(V) <= 3 and not sparse.issparse(Z):
        # A matrix product with so few columns costs more than one product for each.
        return np.column_stack([Z @ v[:-1] + v[-1] for v in V])
    return safe_sparse_dot(Z, V[:, :-1].T, dense_output=True) + V[:, -1]
