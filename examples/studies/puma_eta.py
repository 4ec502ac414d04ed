"""
Sensitivity to the step length eta: resistance and accuracy after forgetting.

Logistic regression, hardly regularised, on 400 digits of 64 features, so that it knows rows by
heart. GridSearchCV over eta with forget-aware scorers; a fifth of the rows is forgotten.
"""

import matplotlib.pyplot as plt
import numpy as np
from common import digits, options, save
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.inspection import EtaSensitivityDisplay
from sklearn_unlearn.metrics import make_forget_scorer

PROBE = {"forget": 0.2}


def main():
    """Run the study."""
    given = options(__doc__)
    etas = [0, 1, 4] if given.quick else [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16]
    X, y, _, _ = digits(0, 700)
    rng = np.random.default_rng(0)
    noisy = rng.random(700) < 0.2
    y = np.where(noisy, rng.integers(0, 10, 700), y)
    folds = ShuffleSplit(3 if given.quick else 10, train_size=400, random_state=0)
    scoring = {
        "accuracy": make_forget_scorer("accuracy", **PROBE),
        "resistance": make_forget_scorer("resistance", **PROBE),
        "KL to a refit": make_forget_scorer("kl", **PROBE),
    }
    model = PUMAUnlearner(LogisticRegression(C=10, max_iter=5000), random_state=0)
    search = GridSearchCV(model, {"eta": etas}, scoring=scoring, cv=folds, refit=False)
    found = search.fit(X, y).cv_results_
    table = [
        {"eta": eta}
        | {
            f"{name}{suffix}": found[f"{kind}_test_{name}"][i]
            for name in scoring
            for kind, suffix in (("mean", ""), ("std", " (sd)"))
        }
        for i, eta in enumerate(etas)
    ]
    runs = [
        {"eta": eta, "fold": fold}
        | {name: found[f"split{fold}_test_{name}"][i] for name in scoring}
        for i, eta in enumerate(etas)
        for fold in range(folds.n_splits)
    ]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    parts = ({k: v for k, v in found.items() if "KL" not in k},)
    EtaSensitivityDisplay.from_cv_results(parts[0], ax=left)
    gap = {k: v for k, v in found.items() if k == "param_eta" or k.endswith("KL to a refit")}
    EtaSensitivityDisplay.from_cv_results(gap, ax=right)
    right.set(ylabel="minus the KL divergence of a refit")
    right.set_yscale("symlog", linthresh=1e-4)
    right.set_ylim(top=0)
    save("puma_eta", table, figure, given.out, runs)


if __name__ == "__main__":
    main()
