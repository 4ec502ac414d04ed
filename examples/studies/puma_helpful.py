"""
Performance after the most helpful rows are removed: does reweighting make up for them?

Those rows leave whose influence predicts the largest loss of performance on validation rows, the
criterion. No method trains on these but one, retraining that uses them as well. Test rows are
others again. Logistic regression on breast cancer and on digits.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from common import curves, digits, means, options, save
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import row_losses


def breast_cancer(seed):
    """Return shuffled rows, training rows first."""
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    return X[order[:400]], y[order[:400]], X[order[400:]], y[order[400:]]


DATA = {
    "breast cancer": (
        breast_cancer,
        make_pipeline(StandardScaler(), LogisticRegression()),
    ),
    "digits": (lambda seed: digits(seed, 1300), LogisticRegression(C=10, max_iter=2000)),
}
WITH_VALIDATION = "retraining on the validation rows too"
METHODS = {
    "retraining": RetrainUnlearner,
    WITH_VALIDATION: RetrainUnlearner,
    "naive removal": partial(PUMAUnlearner, reweight=None),
    "PUMA, alpha=1": PUMAUnlearner,
    "PUMA, alpha=0.01": partial(PUMAUnlearner, alpha=0.01),
    "PUMA, l1": partial(PUMAUnlearner, reweight="l1", alpha=0.01),
}


def study(shares, n_seeds):
    """Return test loss and accuracy of every method."""
    rows = []
    for name, (load, inner) in DATA.items():
        for seed in range(n_seeds):
            X, y, X_test, y_test = load(seed)
            n_val = len(y) // 4
            X_val, y_val, X, y = X[:n_val], y[:n_val], X[n_val:], y[n_val:]
            criterion = {"X_val": X_val, "y_val": y_val}
            psi = PUMAUnlearner(inner).fit(X, y, **criterion).influence()
            helpful = np.argsort(-psi, kind="stable")
            for share in shares:
                for method, make in METHODS.items():
                    rows_of, y_of, known = X, y, criterion
                    if method == WITH_VALIDATION:
                        # Behind the others, so that these keep their positions, the ids.
                        rows_of, y_of = np.vstack([X, X_val]), np.append(y, y_val)
                    if make is RetrainUnlearner:
                        known = {}
                    model = make(inner).fit(rows_of, y_of, **known)
                    if share:
                        model.partial_forget(helpful[: int(share * len(y))])
                    rows.append(
                        {
                            "data": name,
                            "method": method,
                            "removed, %": 100 * share,
                            "test loss": row_losses(model, X_test, y_test).mean(),
                            "accuracy": model.score(X_test, y_test),
                        }
                    )
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    shares = (0, 0.1) if given.quick else (0, 0.02, 0.05, 0.1, 0.15, 0.2)
    rows = study(shares, 1 if given.quick else 10)
    table = means(rows, ("data", "method", "removed, %"), ("test loss", "accuracy"))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for ax, name in zip(axes, DATA):
        curves(ax, [line for line in table if line["data"] == name], "removed, %", "test loss")
        ax.set(title=name, xlabel="Removed share, the most helpful rows first, %")
        ax.set(ylabel="Mean log loss of the test rows")
    axes[0].legend(fontsize="small", loc="upper left")
    save("puma_helpful", table, figure, given.out)


if __name__ == "__main__":
    main()
