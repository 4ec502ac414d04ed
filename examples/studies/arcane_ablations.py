"""
What selection, saved states and sorting each contribute to exact forgetting.

ARCANE on generated rows of ten classes: rows trained on again by a request for 20 rows, skewed, and
test accuracy, as one part changes: the share selected, the number of blocks, sorting on or off.
"""

import matplotlib.pyplot as plt
import numpy as np
from common import curves, means, options, save, ten_classes

from sklearn_unlearn import ArcaneEnsemble

N_FORGOTTEN = 20


def measured(data, proba, deleted, is_sorted, seed, **params):
    """Return rows retrained by a request, and the accuracy after it."""
    X, y, X_test, y_test = data
    known = {"forget_proba": 0.1 * proba / proba.max()} if is_sorted else {}
    model = ArcaneEnsemble(random_state=seed, n_checkpoints=1000, **params)
    model.fit(X, y, **known).partial_forget(deleted)
    return {
        "sorted": "sorted" if is_sorted else "unsorted",
        "rows retrained": model.receipts_[-1].n_rows_retrained,
        "accuracy": model.score(X_test, y_test),
    }


def study(n_rows, selected, blocks, n_seeds):
    """Return rows retrained and accuracy of all settings."""
    rows = []
    for seed in range(n_seeds):
        *data, proba = ten_classes(n_rows, seed)
        rng = np.random.default_rng(seed)
        deleted = rng.choice(n_rows, N_FORGOTTEN, False, p=proba)
        per_class = int(np.bincount(data[1]).min())
        for is_sorted in (True, False):
            request = data, proba, deleted, is_sorted, seed
            for share in selected:
                size = max(20, int(share * per_class))
                chosen = {"selection": "entropy", "selection_size": size} if share < 1 else {}
                found = measured(*request, block_size=size // 20, **chosen)
                rows.append({"part": "selected share", "value": share, "seed": seed} | found)
            for n_blocks in blocks:
                found = measured(*request, block_size=-(-per_class // n_blocks))
                rows.append({"part": "blocks per class", "value": n_blocks, "seed": seed} | found)
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    n_rows, n_seeds = (4_000, 1) if given.quick else (40_000, given.seeds)
    selected = (0.1, 1.0) if given.quick else (0.05, 0.1, 0.2, 0.5, 1.0)
    blocks = (1, 20) if given.quick else (1, 2, 5, 10, 20, 50, 100)
    rows = study(n_rows, selected, blocks, n_seeds)
    values = ("rows retrained", "accuracy")
    table = means(rows, ("part", "sorted", "value"), values)
    figure, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    for line, part in zip(axes, ("selected share", "blocks per class")):
        some = [row for row in table if row["part"] == part]
        for ax, value in zip(line, values):
            curves(ax, some, "value", value, name="sorted", log=value != "accuracy")
            ax.set_xscale("log")
            ax.set(xlabel=part[0].upper() + part[1:], ylabel=value[0].upper() + value[1:])
    axes[0, 0].legend()
    save("arcane_ablations", table, figure, given.out, rows)


if __name__ == "__main__":
    main()
