"""Torch modules for the tests; at module level, so that they can be pickled."""

import pickle

import skorch
from torch import nn


class Dropped(nn.Module):
    """A small network with dropout."""

    def __init__(self, n_features=4, n_outputs=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, n_outputs)
        )

    def forward(self, X):
        return self.layers(X)


class OneOutput(nn.Module):
    """A small network with one output."""

    def __init__(self, n_features=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, X):
        return self.layers(X)


class Flexible(nn.Module):
    """A network whose sizes are set when training begins."""

    def __init__(self, n_features=2, n_outputs=2, n_hidden=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_outputs)
        )

    def forward(self, X):
        return self.layers(X)


class SetSizes(skorch.callbacks.Callback):
    """Give a network the sizes of its data; the outputs of batches have to be given."""

    def __init__(self, n_outputs=None):
        self.n_outputs = n_outputs

    def on_train_begin(self, net, X=None, y=None, **params):
        rows = X["X"] if isinstance(X, dict) else X
        n_outputs = 1
        if self.n_outputs is not None:
            if net.module_.layers[0].in_features == rows.shape[1]:
                return
            n_outputs = self.n_outputs
        elif isinstance(net, skorch.NeuralNetRegressor):
            n_outputs = y.shape[1]
        elif not isinstance(net, skorch.NeuralNetBinaryClassifier):
            n_outputs = max(2, int(y.max()) + 1)
        net.set_params(module__n_features=rows.shape[1], module__n_outputs=n_outputs)


class Pictures(nn.Module):
    """A small convolutional network with normalisation, for 6 x 6 pixels."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 6, 6)),
            nn.Conv2d(1, 3, 3, stride=2, padding=1),
            nn.BatchNorm2d(3),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(27, n_outputs),
        )

    def forward(self, X):
        return self.layers(X)


class Probabilities(nn.Module):
    """A small network that returns probabilities, as skorch's default criterion takes them."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3), nn.Softmax(dim=-1))

    def forward(self, X):
        return self.layers(X)


class Saving(skorch.callbacks.Callback):
    """Pickle a network while it trains."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            self.saved = pickle.dumps(net)
