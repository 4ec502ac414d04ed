"""Torch modules for the tests; at module level, so that they can be pickled."""

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
