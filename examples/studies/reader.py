"""The network of the comparison, in a file that the processes of a pool can import."""

import torch
from skorch import NeuralNetClassifier
from torch import nn


class Reader(nn.Module):
    """A perceptron of 32 units for digits."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, X):
        return self.layers(X)


def reader():
    """Return an unfitted net that learns wrong labels nearly by heart."""
    torch.set_num_threads(1)
    return NeuralNetClassifier(
        Reader,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-2,
        batch_size=100,
        max_epochs=40,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
