"""
Forgetting a whole class: what is left of it, and what happens to the others.

A perceptron of 64 units forgets all images of the digit 8. Retraining never saw one. Needs torch.
"""

from time import process_time

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
from sklearn_unlearn.metrics import row_losses

NET = MLPClassifier((64,), max_iter=60)
METHODS = {
    "as it was": None,
    "retraining": lambda seed: RetrainUnlearner(NET, random_state=seed),
    "PUMA": lambda seed: PUMAUnlearner(NET, random_state=seed),
    "amnesiac": lambda seed: AmnesiacUnlearner(NET, n_epochs=20, random_state=seed),
    "Fisher": lambda seed: FisherUnlearner(NET, alpha=1e-9, random_state=seed),
    "ascent": lambda seed: GradientAscentUnlearner(
        NET, learning_rate=0.01, n_steps=10, random_state=seed
    ),
}


def study(n_seeds):
    """Return accuracies on the class and on the others, after the request."""
    rows = []
    for seed in range(n_seeds):
        X, y, X_test, y_test = digits(seed, 1300)
        eights = y_test == 8
        for name, make in METHODS.items():
            model = (make or METHODS["retraining"])(seed).fit(X, y)
            started = process_time()
            if make is not None:
                model.partial_forget(np.flatnonzero(y == 8))
            seconds = process_time() - started
            right = model.predict(X_test) == y_test
            rows.append(
                {
                    "method": name,
                    "seed": seed,
                    "accuracy on eights": right[eights].mean(),
                    "accuracy on others": right[~eights].mean(),
                    "loss on eights": row_losses(model, X_test[eights], y_test[eights]).mean(),
                    "seconds": seconds,
                }
            )
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    values = ("accuracy on eights", "accuracy on others", "loss on eights", "seconds")
    runs = study(2 if given.quick else given.seeds)
    table = means(runs, ("method",), values)
    with_p_values(table, runs, ("method",), "accuracy on others")
    figure, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
    places = np.arange(len(table))
    for shift, name in ((-0.2, "accuracy on eights"), (0.2, "accuracy on others")):
        drawn = ax.bar(
            places + shift,
            [line[name] for line in table],
            0.38,
            yerr=[line[f"{name} (sd)"] for line in table],
            capsize=3,
            label=name.replace("accuracy on", "test images of"),
        )
        ax.bar_label(drawn, fmt="%.2f", fontsize=8)
    ax.set_xticks(places, [line["method"].replace(", ", ",\n") for line in table])
    ax.set(ylabel="Accuracy", ylim=(0, 1.25))
    ax.legend(loc="upper center", ncols=2)
    save("puma_class", table, figure, given.out, runs)


if __name__ == "__main__":
    main()
