"""
===============================================
Forgetting that is as if it had never been seen
===============================================

A reader of handwritten digits is trained on images that people have donated; some of them take
their donation back. Each digit has a model of its own, so that a withdrawal touches one model.
We forget withdrawals one by one, show that the result is bitwise a fresh fit, and count the
rows that had to be trained on again, with and without knowing who is likely to withdraw.
"""

# %%
# A tenth of the donors gave their images on trial; nine of ten withdrawals come from them.
# ``forget_proba`` tells one of the two ensembles, which trains on their images last.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_unlearn import ArcaneEnsemble, model_digest

X, y = load_digits(return_X_y=True)
ids = np.array([f"image-{number}" for number in range(len(y))])
rng = np.random.default_rng(0)
on_trial = rng.random(len(y)) < 0.1
probability = np.where(on_trial, 0.9 / on_trial.sum(), 0.1 / (~on_trial).sum())
withdrawn = rng.choice(ids, 60, replace=False, p=probability)

ensemble = ArcaneEnsemble(block_size=10, n_checkpoints=20, random_state=0)
plain = clone(ensemble).fit(X, y, X_ids=ids)
told = clone(ensemble).fit(X, y, X_ids=ids, forget_proba=probability)

# %%
# The cost of a request is known before it is made.
for key in withdrawn:
    for model in (plain, told):
        expected = model.expected_cost([key])
        model.partial_forget([key])
        assert model.receipts_[-1].n_rows_retrained == expected

# %%
# A fresh fit on the images that remain has the same parameters, to the last bit.
left = ~np.isin(ids, withdrawn)
fresh = clone(ensemble).fit(X[left], y[left], X_ids=ids[left])
same = model_digest(plain.estimator_) == model_digest(fresh.estimator_)
print("bitwise equal to a fresh fit:", same)

# %%
# A fresh fit trains on all images for each withdrawal. One class has a tenth of them, and on
# average half of a class comes after the image that leaves; sorting saves most of the rest.
counts = {
    "fit anew": np.arange(len(y) - 1, len(y) - 1 - len(withdrawn), -1),
    "one model per digit": [receipt.n_rows_retrained for receipt in plain.receipts_],
    "likely withdrawals last": [receipt.n_rows_retrained for receipt in told.receipts_],
}
for name, rows in counts.items():
    print(f"{name:24} {np.mean(rows):8.1f} rows per withdrawal")

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for (name, rows), style in zip(counts.items(), ("-", "--", ":"), strict=True):
    axes.plot(np.arange(1, len(rows) + 1), np.cumsum(rows), style, label=name, linewidth=2)
axes.set(
    xlabel="withdrawals so far",
    ylabel="images trained on again, in all",
    yscale="log",
    title=f"{len(y)} images of ten digits",
)
axes.legend()
figure.savefig("exact_forgetting.png", dpi=120)
