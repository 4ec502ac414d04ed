"""A one-class network with holistic regularisation."""

from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch import NeuralNet
from torch import nn

from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn._inner.torch_state import torch_seed


class _Layers(nn.Sequential):
    """A leaky-ReLU network without biases, which can't call everything its class."""

    def __init__(self, n_features, hidden_layer_sizes):
        widths = (n_features, *hidden_layer_sizes)
        layers = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias=False), nn.LeakyReLU()]
        super().__init__(*layers, nn.Linear(widths[-1], 1, bias=False))


class _Net(NeuralNet):
    """A net whose loss looks at the gradient of its output by its input."""

    def infer(self, x, **params):
        x = x.to(self.device).requires_grad_()
        return self.module_(x), x

    def get_loss(self, y_pred, y_true, X=None, training=False):
        logits, x = y_pred
        loss = -nn.functional.logsigmoid(logits).mean()
        if not self.penalty:
            return loss
        (gradients,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return loss + self.penalty * (gradients**2).sum(dim=1).pow(self.power / 2).mean()


class HRNOneClass(OutlierMixin, BaseEstimator):
    """One-class network with the loss of the HRN method (holistic regularisation).

    A small network f without biases is trained to call the rows its own, while the norm of
    its gradient by the input is held down:
    ``-mean log sigmoid(f(x)) + penalty * mean ||grad f(x)||^power``. Each row is divided
    by its own norm and centred by its own mean, so that no statistic of other rows enters, and
    networks that were trained apart score on one scale.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(100, 100)
        Widths of the hidden layers.

    penalty : float, default=0.1
        Weight of the gradient norm.

    power : float, default=12
        Exponent of the gradient norm.

    max_epochs : int, default=100
        Passes over the rows in ``fit``; ``partial_fit`` makes one.

    learning_rate : float, default=0.001
        Step size of the Adam optimiser.

    batch_size : int, default=64
        Rows per step.

    contamination : float, default=0.1
        Share of the rows last fitted that ``predict`` calls outliers, in (0, 0.5].

    device : str, default="cpu"
        Device of the network.

    random_state : int, RandomState instance or None, default=None
        Draws the first parameters and the order of the rows.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted network.

    offset_ : float
        Score at which ``predict`` tells inliers from outliers. It is of no use to
        comparisons between classes, which look at ``score_samples``.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    StudentTDensity : A density that needs no torch.

    Notes
    -----
    Rows need several features: the normalisation leaves nothing of a single one.

    References
    ----------
    .. [1] W. Hu, M. Wang, Q. Qin, J. Ma, B. Liu, "HRN: A Holistic Approach to One Class
       Learning", NeurIPS 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_unlearn.one_class import HRNOneClass
    >>> X, y = load_digits(return_X_y=True)
    >>> zeros = HRNOneClass(max_epochs=20, random_state=0).fit(X[y == 0])
    >>> bool(zeros.score_samples(X[y == 0]).mean() > zeros.score_samples(X[y == 1]).mean())
    True
    """

    def __init__(
        self,
        *,
        hidden_layer_sizes=(100, 100),
        penalty=0.1,
        power=12,
        max_epochs=100,
        learning_rate=0.001,
        batch_size=64,
        contamination=0.1,
        device="cpu",
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.penalty = penalty
        self.power = power
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.contamination = contamination
        self.device = device
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit the network to rows of one class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        vars(self).pop("net_", None)
        return self._train(X, self.max_epochs)

    def partial_fit(self, X, y=None):
        """Make one more pass over rows, the optimiser going on as it was.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._train(X, 1)

    def _train(self, X, n_epochs):
        check_number(self, "penalty", Real, 0)
        check_number(self, "power", Real, 1)
        check_number(self, "learning_rate", Real, 0, closed=False)
        check_number(self, "max_epochs", Integral, 1)
        check_number(self, "batch_size", Integral, 1)
        check_number(self, "contamination", Real, 0, 0.5, closed=False)
        new = not hasattr(self, "net_")
        X = validate_data(self, X, dtype=np.float32, reset=new)
        with torch_seed(check_random_state(self.random_state).randint(2**31 - 1)):
            net = self._new_net(X.shape[1]) if new else self.net_
            # fit_loop, unlike partial_fit, lets an interrupt through.
            net.fit_loop(_normalised(X), epochs=n_epochs)
        self.net_ = net
        self.offset_ = float(np.percentile(self._logits(X), 100 * self.contamination))
        return self

    def _new_net(self, n_features):
        net = _Net(
            _Layers,
            module__n_features=n_features,
            module__hidden_layer_sizes=tuple(self.hidden_layer_sizes),
            criterion=nn.Identity,
            optimizer=torch.optim.Adam,
            lr=self.learning_rate,
            batch_size=self.batch_size,
            iterator_train__shuffle=True,
            train_split=None,
            # No clock times in the state, and nothing printed.
            callbacks="disable",
            device=self.device,
        )
        net.penalty, net.power = self.penalty, self.power
        return net.initialize()

    def score_samples(self, X):
        """Return the network's logits, high for rows of the class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Logits.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self._logits(X)

    def _logits(self, X):
        with torch.no_grad():
            rows = torch.as_tensor(_normalised(X), device=self.net_.device)
            return self.net_.module_.eval()(rows)[:, 0].cpu().numpy().astype(float)

    def decision_function(self, X):
        """Return the score above the threshold, negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell inliers from outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,), dtype int
            1 for inliers, -1 for outliers.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")


def _normalised(X):
    """Return rows divided by their own norm and centred by their own mean."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    scaled = X / np.where(norms > 0, norms, 1)
    return (scaled - scaled.mean(axis=1, keepdims=True)).astype(np.float32)
