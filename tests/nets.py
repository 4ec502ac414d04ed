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


class Sequences(nn.Module):
    """Rows of twelve values as three steps of four, through one layer that takes sequences."""

    def __init__(self, kind="LSTM"):
        super().__init__()
        if kind == "Transformer":
            self.layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, dropout=0.0)
        elif kind == "Attention":
            self.layer = nn.MultiheadAttention(4, 2, batch_first=True)
        else:
            self.layer = getattr(nn, kind)(4, 4, batch_first=True)
        self.last = nn.Linear(12, 2)

    def forward(self, X):
        steps = X.reshape(len(X), 3, 4)
        if isinstance(self.layer, nn.MultiheadAttention):
            out = self.layer(steps, steps, steps)[0]
        else:
            out = self.layer(steps)
        return self.last((out[0] if isinstance(out, tuple) else out).flatten(1))


class Rectified(nn.Module):
    """A network with a slope of its own below zero."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, 4), nn.PReLU(4), nn.Linear(4, 2))

    def forward(self, X):
        return self.layers(X)


class EvenKernels(nn.Module):
    """A convolution whose kernel has more to its right than to its left."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 3, 4)),
            nn.Conv2d(1, 2, (2, 4), padding="same", dilation=(1, 1)),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(24, 2),
        )

    def forward(self, X):
        return self.layers(X)


class Bounded(nn.Module):
    """A network with an embedding that changes when it predicts."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 2, max_norm=1.0)
        self.last = nn.Linear(2, 2)

    def forward(self, X):
        return self.last(self.words(X[:, 0].abs().long().clamp(0, 4)))
