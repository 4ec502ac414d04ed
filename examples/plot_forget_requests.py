"""
================================
Patients who withdraw consent
================================

A hospital has trained a classifier on the breast-cancer data. Twelve patients withdraw their
consent: the model must become what it would be without them. We forget them, compare the
model before, after and refitted without them, and look at the receipt.
"""

# %%
# The ids are the index of the DataFrame. ``reweight=None`` asks for the plain removal, which
# ends where a refit ends; the scaler in front of the classifier forgets as well.
import json
from time import perf_counter

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner

data = load_breast_cancer()
ids = np.array([f"patient-{number:03d}" for number in range(len(data.target))])
X, X_test, y, y_test, ids, _ = train_test_split(
    data.data, data.target, ids, random_state=0, stratify=data.target
)
pipe = make_pipeline(StandardScaler(), LogisticRegression())
model = PUMAUnlearner(pipe, reweight=None).fit(X, y, X_ids=ids)
before = model.estimator_

# %%
# Two requests arrive. The first one also makes the Hessian; the second one only touches the
# rows of the six patients that it names.
withdrawn = np.random.default_rng(0).choice(len(ids), 12, replace=False)
model.partial_forget(ids[withdrawn[:6]])
model.partial_forget(ids[withdrawn[6:]])
after = model.estimator_

# %%
# For comparison, the model is fitted again without the twelve.
left = np.setdiff1d(np.arange(len(ids)), withdrawn)
start = perf_counter()
refit = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[left], y[left])
refit_seconds = perf_counter() - start


def coefficients(fitted):
    """Return the coefficients in the units of the data, so that scalers don't matter."""
    return fitted[-1].coef_[0] / fitted[0].scale_


def row(name, measure):
    """Print one line of the table."""
    print(f"{name:<42}" + "".join(f"{measure(m):>12.6f}" for m in (before, after, refit)))


goal = coefficients(refit)
print(f"{'':<42}{'before':>12}{'after':>12}{'refit':>12}")
row("accuracy on test rows", lambda m: m.score(X_test, y_test))
row("log loss on test rows", lambda m: log_loss(y_test, m.predict_proba(X_test)))
row("log loss on remaining rows", lambda m: log_loss(y[left], m.predict_proba(X[left])))
row("log loss on forgotten rows", lambda m: log_loss(y[withdrawn], m.predict_proba(X[withdrawn])))
row(
    "distance of coefficients to the refit",
    lambda m: np.linalg.norm(coefficients(m) - goal) / np.linalg.norm(goal),
)
row("largest difference of a test probability", lambda m: np.abs(
    m.predict_proba(X_test) - refit.predict_proba(X_test)
).max())  # fmt: skip
first, second = model.receipts_
print(
    f"\nseconds: first request {first.seconds:.4f}, second request {second.seconds:.4f}, "
    f"refit {refit_seconds:.4f}"
)

# %%
# The receipt says what was done. It holds no id; its salted digest shows to whom it belongs.
print("\nreceipt of the second request:")
print(json.dumps(second.to_dict(), indent=2))
print("belongs to the second request:", second.matches(ids[withdrawn[6:]]))

# %%
# Left: forgetting changes each coefficient as the refit does. Right: the predictions for the
# patients who left come close to those of a model that never saw them.
import matplotlib.pyplot as plt

figure, (left_axis, right_axis) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
scale = before[0].scale_
by_refit = (goal - coefficients(before)) * scale
by_forgetting = (coefficients(after) - coefficients(before)) * scale
limits = np.array([by_refit.min(), by_refit.max()])
left_axis.plot(1.1 * limits, 1.1 * limits, color="0.7", zorder=0, label="equal")
left_axis.scatter(by_refit, by_forgetting, s=25, label="one coefficient")
left_axis.set(
    xlabel="change of the coefficient by the refit\n(per standard deviation of the feature)",
    ylabel="change by partial_forget",
    title="30 coefficients",
)
left_axis.legend()
scores = refit.decision_function(X[withdrawn])
place = np.argsort(scores)
for name, fitted, marker in (("before", before, "o"), ("after", after, "x")):
    gap = (fitted.decision_function(X[withdrawn]) - scores)[place]
    right_axis.scatter(np.arange(1, 13), gap, marker=marker, s=45, label=name)
right_axis.axhline(0, color="0.7", zorder=0, label="refit")
right_axis.set(
    xlabel="forgotten patient, by the refit's score",
    ylabel="log-odds of benign, minus those of the refit",
    title="Predictions for the patients who withdrew",
    xticks=np.arange(1, 13),
)
right_axis.legend()
figure.savefig("forget_requests.png", dpi=100)
plt.show()
