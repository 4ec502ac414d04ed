"""
Accuracy after removing more and more data: PUMA, its rivals, and retraining.

Digits lose rows at random, up to 40 % of them in one request. Logistic regression; amnesiac
training goes batch by batch, so its model is trained by stochastic gradient descent. Each method is
held against its own retraining: the same method, trained on the rows that remain.
"""

from copy import deepcopy
from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from common import curves, digits, means, options, save, with_p_values
from sklearn.linear_model import LogisticRegression, SGDClassifier

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import (
    AmnesiacUnlearner,
    FisherUnlearner,
    GradientAscentUnlearner,
    InfluenceUnlearner,
    RetrainUnlearner,
)

INNER = LogisticRegression(C=10, max_iter=2000)
SGD = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, alpha=1e-4)
METHODS = {
    "retraining": lambda seed: RetrainUnlearner(INNER, random_state=seed),
    "PUMA": lambda seed: PUMAUnlearner(INNER, random_state=seed),
    "PUMA, 5 refinements": lambda seed: PUMAUnlearner(INNER, n_refine=5, random_state=seed),
    "naive removal": lambda seed: InfluenceUnlearner(INNER, random_state=seed),
    "SISA": lambda seed: SISAEnsemble(INNER, n_shards=5, random_state=seed),
    "amnesiac": lambda seed: AmnesiacUnlearner(SGD, n_epochs=5, random_state=seed),
    "Fisher": lambda seed: FisherUnlearner(INNER, random_state=seed),
    "ascent": lambda seed: GradientAscentUnlearner(INNER, random_state=seed),
}


def study(shares, n_seeds):
    """Return accuracy, disagreement with the own retraining and seconds of every method."""
    rows = []
    for seed in range(n_seeds):
        X, y, X_test, y_test = digits(seed, 1300)
        order = np.random.default_rng(seed).permutation(len(y))
        for name, make in METHODS.items():
            started = process_time()
            fitted = make(seed).fit(X, y)
            first = process_time() - started
            for share in shares:
                gone, model = order[: int(share * len(y))], deepcopy(fitted)
                refit = fitted.refitted(np.setdiff1d(np.arange(len(y)), gone), seed)
                started = process_time()
                if share:
                    model.partial_forget(gone)
                seconds = process_time() - started
                predicted = model.predict(X_test)
                rows.append(
                    {
                        "method": name,
                        "removed, %": 100 * share,
                        "seed": seed,
                        "accuracy": (predicted == y_test).mean(),
                        "disagreement": (predicted != refit.predict(X_test)).mean(),
                        "seconds": seconds,
                        "first training": first,
                    }
                )
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    shares = (0, 0.1, 0.4) if given.quick else (0, 0.01, 0.1, 0.4)
    values = ("accuracy", "disagreement", "seconds", "first training")
    runs, by = study(shares, 2 if given.quick else given.seeds), ("method", "removed, %")
    table = means(runs, by, values)
    with_p_values(table, runs, by, "accuracy")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    curves(left, table, "removed, %", "accuracy")
    left.set(ylabel="Test accuracy", xlabel="Removed share of the training rows, %")
    # What lost everything would hide how the others differ.
    left.set_ylim(0.9, 1)
    curves(right, table, "removed, %", "disagreement")
    right.set(ylabel="Share of test rows predicted unlike the own retraining")
    right.set(xlabel="Removed share of the training rows, %", ylim=(-0.005, 0.15))
    right.legend(loc="upper left", fontsize="small")
    save("puma_removal", table, figure, given.out, runs)


if __name__ == "__main__":
    main()
