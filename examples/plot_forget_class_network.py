"""
============================
A network forgets a digit
============================

A network reads handwritten digits. All images of the digit 8 have to go: we forget them without
training again, and compare the network before, after, and trained anew without them.

Needs torch and skorch: ``pip install "sklearn-unlearn[examples,torch]"``.
"""

# %%
# The id of an image is its name; the request names all images of the digit.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_unlearn import PUMAUnlearner

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
ids = np.array([f"image-{number}" for number in range(len(y))])
X, X_test, y, y_test, ids, _ = train_test_split(
    X, y, ids, test_size=0.3, random_state=0, stratify=y
)


class Reader(nn.Module):
    """Two convolutional layers and two others."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, X):
        return self.layers(X)


net = NeuralNetClassifier(
    Reader,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    lr=2e-3,
    batch_size=64,
    max_epochs=40,
    iterator_train__shuffle=True,
    train_split=None,
    verbose=0,
)
model = PUMAUnlearner(net, random_state=0).fit(X, y, X_ids=ids)
before = model.predict(X_test)

# %%
# One request forgets all eights. The receipt says what was done.
model.partial_forget(ids[y == 8])
after = model.predict(X_test)
receipt = model.receipts_[-1]
print(f"forgot {receipt.n_rows} images in {receipt.seconds:.2f} s: {receipt.stopped_because}")

# %%
# For comparison, the same network is trained anew on what remains. Its labels are the digits that
# it has seen.
start = perf_counter()
refit = clone(model).set_params(reweight=None).fit(X[y != 8], y[y != 8])
refit_seconds = perf_counter() - start
anew = refit.predict(X_test)
print(f"training anew took {refit_seconds:.2f} s")


def accuracy(predicted, rows):
    """Return the share of test images that are read right."""
    return (predicted[rows] == y_test[rows]).mean()


eights = y_test == 8
for name, predicted in (("before", before), ("after", after), ("trained anew", anew)):
    print(
        f"{name:14} accuracy on eights {accuracy(predicted, eights):.3f}, "
        f"on all other digits {accuracy(predicted, ~eights):.3f}"
    )

# %%
# Above: test images of eights, and what the network takes them for. Below: the accuracy on each
# digit; only the eights are gone.
figure = plt.figure(figsize=(10, 6.4), layout="constrained")
grid = figure.add_gridspec(2, 10, height_ratios=(1, 1.9))
for place, image in enumerate(np.flatnonzero(eights)[:10]):
    axes = figure.add_subplot(grid[0, place])
    axes.imshow(X_test[image].reshape(8, 8), cmap="gray_r")
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"before: {before[image]}\nafter: {after[image]}\nanew: {anew[image]}", size=9)
axes = figure.add_subplot(grid[1, :])
for shift, (name, predicted, hatch) in enumerate(
    (("before", before, ""), ("after partial_forget", after, "//"), ("trained anew", anew, ".."))
):
    heights = [100 * accuracy(predicted, y_test == digit) for digit in range(10)]
    axes.bar(np.arange(10) + 0.27 * (shift - 1), heights, 0.25, label=name, hatch=hatch)
axes.set(
    xlabel="digit",
    ylabel="test images read right (%)",
    xticks=np.arange(10),
    ylim=(0, 125),
    yticks=np.arange(0, 101, 20),
    title="All images of the digit 8 were forgotten",
)
axes.legend(ncols=3, loc="upper center")
figure.savefig("forget_class_network.png", dpi=100)
plt.show()
