"""
Forgetting chosen rows: how many does a membership attack still call members?

A perceptron of 128 units learns 600 digits, 15 % of them with wrong labels, nearly by heart, and
forgets 60 of the images with wrong labels, which it could only know by heart. Needs torch.
"""

import matplotlib.pyplot as plt
import numpy as np
from common import digits, means, options, save, with_p_values
from sklearn.neural_network import MLPClassifier

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.baselines import (
    AmnesiacUnlearner,
    FisherUnlearner,
    GradientAscentUnlearner,
    RetrainUnlearner,
)
from sklearn_unlearn.metrics import LikelihoodRatioAttack, membership_auc, resistance

NET = MLPClassifier((128,), max_iter=120)
METHODS = {
    "as it was": None,
    "retraining": lambda seed: RetrainUnlearner(NET, random_state=seed),
    "PUMA": lambda seed: PUMAUnlearner(NET, random_state=seed),
    "naive removal": lambda seed: PUMAUnlearner(NET, reweight=None, random_state=seed),
    "amnesiac": lambda seed: AmnesiacUnlearner(NET, n_epochs=60, random_state=seed),
    "Fisher": lambda seed: FisherUnlearner(NET, alpha=1e-9, random_state=seed),
    "ascent": lambda seed: GradientAscentUnlearner(
        NET, learning_rate=0.01, n_steps=10, random_state=seed
    ),
}


def study(n_seeds, n_shadows):
    """Return resistance, the attacks' AUC and the test accuracy of every method."""
    rows = []
    for seed in range(n_seeds):
        X, y, X_test, y_test = digits(seed, 900)
        rng = np.random.default_rng(seed)
        wrong = rng.permutation(900)[:180]
        y = y.copy()
        y[wrong] = (y[wrong] + rng.integers(1, 10, 180)) % 10
        # Rows with wrong labels that no model saw: what the forgotten ones should be like.
        unseen, forgotten = wrong[:90], wrong[90:150]
        seen = np.setdiff1d(np.arange(900), unseen)
        left = np.setdiff1d(seen, forgotten)
        pair = X[forgotten], y[forgotten], X[unseen], y[unseen]
        calibrated = LikelihoodRatioAttack(
            NET, X_shadow=X[left], y_shadow=y[left], n_shadows=n_shadows, random_state=seed
        )
        for name, make in METHODS.items():
            before = (make or METHODS["retraining"])(seed).fit(X[seen], y[seen], X_ids=seen)
            after = (make or METHODS["retraining"])(seed).fit(X[seen], y[seen], X_ids=seen)
            if make is not None:
                after.partial_forget(forgotten)
            line = {"method": name, "seed": seed, "accuracy": after.score(X_test, y_test)}
            line["resistance"] = resistance(before, after, *pair)
            line["AUC, loss"] = membership_auc(after, *pair)
            line["AUC, shadow models"] = membership_auc(after, *pair, attack=calibrated)
            rows.append(line)
    for line in rows:
        refit = next(r for r in rows if r["seed"] == line["seed"] and r["method"] == "retraining")
        for attack in ("loss", "shadow models"):
            line[f"{attack}, from refit"] = abs(line[f"AUC, {attack}"] - refit[f"AUC, {attack}"])
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    values = ("resistance", "AUC, loss", "AUC, shadow models", "accuracy")
    rows = study(2, 4) if given.quick else study(given.seeds, 16)
    distances = ("loss, from refit", "shadow models, from refit")
    table = means(rows, ("method",), values + distances)
    for value in ("AUC, loss", "accuracy"):
        with_p_values(table, rows, ("method",), value)
    figure, ax = plt.subplots(figsize=(10, 4.2), layout="constrained")
    places = np.arange(len(table))
    for i, name in enumerate(values):
        drawn = ax.bar(
            places + (i - 1.5) * 0.2,
            [line[name] for line in table],
            0.19,
            yerr=[line[f"{name} (sd)"] for line in table],
            capsize=2,
            label="test accuracy" if name == "accuracy" else name,
        )
        ax.bar_label(drawn, fmt="%.2f", fontsize=7)
    ax.axhline(0.5, color="0.5", linewidth=1, linestyle=":", zorder=0)
    ax.set_xticks(places, [line["method"] for line in table])
    ax.set(ylabel="Value", ylim=(0, 1.3))
    ax.legend(loc="upper center", ncols=4)
    save("puma_resistance", table, figure, given.out, rows)


if __name__ == "__main__":
    main()
