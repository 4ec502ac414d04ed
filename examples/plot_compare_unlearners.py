"""
===========================
Which way to forget works?
===========================

Eight ways to forget, four kinds of request, three data sets: one call for each data set, one table,
and a picture of how much of the forgotten rows is left in the models.
"""

# %%
# Of each data set, some rows are for the test, and a twentieth of the training rows gets a wrong
# label. Each request has a name, and the ids that it is about, here the numbers of the rows.
from functools import reduce
from operator import or_

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import minmax_scale

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.baselines import (
    FineTuneUnlearner,
    GradientAscentUnlearner,
    NegGradPlusUnlearner,
    RandomLabelUnlearner,
    RetrainUnlearner,
    SCRUBUnlearner,
)
from sklearn_unlearn.metrics import compare_unlearners


def rows_of(load):
    """Return training rows, test rows, and which of the former have a wrong label."""
    X, y = load(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))[:240]
    X, y, n_train = minmax_scale(X[order]), y[order], int(0.75 * len(order))
    wrong = rng.choice(n_train, n_train // 20, replace=False)
    y[wrong] = (y[wrong] + 1) % (y.max() + 1)
    return (X[:n_train], y[:n_train], X[n_train:], y[n_train:]), wrong


def requests(name, X, y, wrong):
    """Return four requests, each with a name that no other data set has."""
    influence = PUMAUnlearner(model, random_state=0).fit(X, y).influence()
    return {
        f"{name}: random rows": range(len(wrong)),
        f"{name}: wrong labels": wrong,
        f"{name}: helpful rows": np.argsort(-influence)[: len(wrong)],
        f"{name}: a class": np.flatnonzero(y == 1),
    }


# %%
# The methods stand around the same model, so that they share the models that are trained without
# the rows. They are as they come; what a search over their parameters makes of them is in
# :doc:`../studies`. A method of one's own would be one line more: :doc:`../guide/own_method`.
model = LogisticRegression(C=10, max_iter=1000)
methods = {
    "retraining": RetrainUnlearner(model),
    "PUMA": PUMAUnlearner(model),
    "PUMA, reweight=None": PUMAUnlearner(model, reweight=None),
    "fine-tuning": FineTuneUnlearner(model),
    "random labels": RandomLabelUnlearner(model),
    "NegGrad+": NegGradPlusUnlearner(model),
    "SCRUB": SCRUBUnlearner(model),
    "ascent": GradientAscentUnlearner(model),
}
parts = []
for name, load in {"iris": load_iris, "wine": load_wine, "digits": load_digits}.items():
    data, wrong = rows_of(load)
    forget = requests(name, *data[:2], wrong)
    parts.append(compare_unlearners(methods, *data, forget=forget, seeds=1, n_refits=3))
found = reduce(or_, parts)
print(found.summary()[["told apart", "effect left", "attack AUC from refits", "failed"]].round(3))

# %%
# Do they differ? Requests are the blocks of the tests.
tested = found.test("kl, after", control="retraining")
print(f"Friedman: p = {tested.attrs['friedman']:.1g}")
print(tested[["other", "p_value (Holm)"]].round(4).to_string(index=False))

# %%
# How much of the effect of the rows is left, from nothing (as after a refit) to all of it (as if
# nothing had been done). A square is empty where nothing tells the model from models that never
# saw the rows.
frame = found.to_frame()
left = frame.pivot(index="method", columns="forget", values="effect_left")
left = left.loc[list(methods), list(dict.fromkeys(frame["forget"]))]
figure, ax = plt.subplots(figsize=(10, 5.4), layout="constrained")
shown = ax.imshow(np.where(left > 0, left, np.nan), vmin=0, vmax=1, cmap="viridis_r", aspect="auto")
for (row, column), value in np.ndenumerate(left.to_numpy()):
    if value > 0:
        colour = "white" if value > 0.5 else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=8)
ax.set_xticks(range(left.shape[1]), left.columns, rotation=35, ha="right", size=8)
ax.set_yticks(range(len(left)), left.index)
ax.set_title("Share of the effect that is left; empty where the model is as refits are")
figure.colorbar(shown, extend="max")
figure.savefig("compare_unlearners.png", dpi=100)
plt.show()
