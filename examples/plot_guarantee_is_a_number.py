"""
=========================
A guarantee is a number
=========================

How far at most is a model from the one that never saw the forgotten rows? For linear models the
receipt has a proved bound. We hold it against the distance itself, and show what noise hides and
costs.
"""

# %%
# Fifty patients ask to be forgotten. Each further step with a pass over the rows brings the model
# nearer to the optimum of the others, and with every step the bound is proved anew.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import scale

from sklearn_unlearn import PUMAUnlearner

X, y = load_breast_cancer(return_X_y=True)
X, gone = scale(X), np.arange(0, 500, 10)
X_left, y_left = np.delete(X, gone, axis=0), np.delete(y, gone)
inner = LogisticRegression(tol=1e-6, max_iter=1000)
best = LogisticRegression(solver="newton-cholesky", tol=1e-14, max_iter=100).fit(X_left, y_left)


def parameters(model):
    """Return coefficients and intercept."""
    return np.append(model.coef_, model.intercept_)


steps, bounds, distances = [1, 2, 3], [], []
for n_refine in steps:
    model = PUMAUnlearner(inner, reweight=None, n_refine=n_refine, tol=0).fit(X, y)
    receipt = model.partial_forget(gone).receipts_[-1]
    bounds.append(receipt.distance_bound)
    distances.append(np.linalg.norm(parameters(model.estimator_) - parameters(best)))
    print(f"{n_refine} steps: at most {bounds[-1]:.1e} from the optimum, found {distances[-1]:.1e}")

# %%
# Noise of a thousandth of the coefficients hides such distances. More noise hides them no better,
# and costs: what the remaining rows lose, over twenty releases of each size.
sizes = np.array([1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3])
losses = []
for sigma in sizes:
    model = PUMAUnlearner(inner, reweight=None, n_refine="auto", release_noise=sigma)
    releases = [model.fit(X, y).partial_forget(gone).estimator_ for _ in range(20)]
    losses.append([log_loss(y_left, each.predict_proba(X_left)) for each in releases])
    receipt = model.receipts_[-1]
    print(
        f"sigma {sigma:g}: {receipt.guarantee}, epsilon {receipt.epsilon(1e-6):.2g}, "
        f"loss {np.mean(losses[-1]):.4f}"
    )

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.semilogy(steps, bounds, "o-", label="proved bound")
left.semilogy(steps, distances, "s--", label="distance")
left.set(xlabel="steps (n_refine)", ylabel="distance from the optimum", xticks=steps)
left.legend()
low, middle, high = np.quantile(losses, (0.1, 0.5, 0.9), axis=1)
right.fill_between(sizes, low, high, alpha=0.3)
right.plot(sizes, middle, "o-", label="loss of the remaining rows")
right.axhline(log_loss(y_left, best.predict_proba(X_left)), color="0.4", label="without noise")
right.set(xscale="log", yscale="log", xlabel="noise (release_noise)")
right.legend()
figure.savefig("guarantee_is_a_number.png", dpi=120)
