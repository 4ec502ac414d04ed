"""
====================================
Correct rows instead of forgetting
====================================

The right to rectification is the twin of the right to be forgotten. A model that was trained on
wrong labels gets the right ones for some of its rows, without being trained again.
"""

# %%
# One label in five was typed wrong.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
rng = np.random.default_rng(0)
wrong = rng.choice(len(y), len(y) // 5, replace=False)
given = y.copy()
given[wrong] = (y[wrong] + rng.integers(1, 10, len(wrong))) % 10
pipe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
params = {"reweight": None, "n_refine": 10}

# %%
# Complaints come in, fifty at a time, and each is answered by a request: the rows keep their ids.
# Beside it, the same rows are forgotten.
corrected = PUMAUnlearner(pipe, **params).fit(X, given)
forgotten = PUMAUnlearner(pipe, **params).fit(X, given)
seen = {"corrected": [corrected.score(X_test, y_test)], "forgotten": []}
seen["forgotten"] += seen["corrected"]
counts = [0]
for some in np.array_split(wrong, 5):
    corrected.partial_correct(some, y=y[some])
    forgotten.partial_forget(some)
    seen["corrected"].append(corrected.score(X_test, y_test))
    seen["forgotten"].append(forgotten.score(X_test, y_test))
    counts.append(counts[-1] + len(some))
receipt = corrected.receipts_[-1]
print(f"last receipt: {receipt.kind}, {receipt.n_rows} rows, {receipt.guarantee}")

# %%
# At the end the model is the one that the right labels give, and the receipts say what was done.
clean = pipe.set_params(logisticregression__tol=1e-8, logisticregression__max_iter=10_000).fit(X, y)
distance = np.abs(corrected.estimator_[-1].coef_ - clean[-1].coef_).max()
print(f"largest difference of coefficients from a fit on the right labels: {distance:.1e}")
print(f"accuracy as given {seen['corrected'][0]:.3f}, corrected {seen['corrected'][-1]:.3f}")

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, values in seen.items():
    ax.plot(counts, values, "o-", label=name)
ax.axhline(clean.score(X_test, y_test), color="0.4", linestyle="--", label="right labels")
ax.set(xlabel="rows with a wrong label that were ...", ylabel="accuracy on test rows")
ax.legend()
figure.savefig("correct_rows.png", dpi=120)
