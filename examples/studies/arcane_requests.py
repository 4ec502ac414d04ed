"""
Exact forgetting: accuracy, time and rows retrained against the share of deleted rows.

Ten classes of generated rows. ARCANE with the default density of a class, SISA and retraining from
the beginning with five epochs of stochastic gradient descent; uniform requests, and skewed ones
that the sorted ensembles know of.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from common import curves, means, options, save, ten_classes
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble

CHAINS = {"block_size": 200, "n_checkpoints": 20}
N_EPOCHS = 5
SGD = SGDClassifier(loss="log_loss", max_iter=N_EPOCHS, tol=None)


def methods(seed, n_rows):
    """Return the ensembles; those that are sorted know how likely rows are to be deleted."""
    fifth = {"selection": "entropy", "selection_size": n_rows // 50}
    return {
        "SISA": (SISAEnsemble(SGD, n_epochs=N_EPOCHS, random_state=seed, **CHAINS), False),
        "ARCANE": (ArcaneEnsemble(random_state=seed, **CHAINS), False),
        "ARCANE, sorted": (ArcaneEnsemble(random_state=seed, **CHAINS), True),
        "ARCANE, sorted, a fifth selected": (
            ArcaneEnsemble(random_state=seed, **CHAINS, **fifth),
            True,
        ),
    }


def study(n_rows, shares, n_seeds):
    """Return rows, seconds and accuracy of one request of every size."""
    rows = []
    for seed in range(n_seeds):
        X, y, X_test, y_test, skewed = ten_classes(n_rows, seed)
        rng = np.random.default_rng(seed)
        for pattern, proba in (("uniform", np.full(n_rows, 1 / n_rows)), ("skewed", skewed)):
            for share in shares:
                deleted = rng.choice(n_rows, max(1, int(share * n_rows)), False, p=proba)
                left = np.setdiff1d(np.arange(n_rows), deleted)
                started = perf_counter()
                fresh = clone(SGD).set_params(random_state=seed).fit(X[left], y[left])
                figures = {
                    "retraining": (
                        len(left),
                        perf_counter() - started,
                        fresh.score(X_test, y_test),
                    )
                }
                for name, (model, is_sorted) in methods(seed, n_rows).items():
                    known = {"forget_proba": 0.1 * proba / proba.max()} if is_sorted else {}
                    model.fit(X, y, **known).partial_forget(deleted)
                    receipt = model.receipts_[-1]
                    figures[name] = (
                        receipt.n_rows_retrained,
                        receipt.seconds,
                        model.score(X_test, y_test),
                    )
                for name, (retrained, seconds, accuracy) in figures.items():
                    rows.append(
                        {
                            "requests": pattern,
                            "method": name,
                            "deleted, %": 100 * share,
                            "rows retrained": retrained,
                            "seconds": seconds,
                            "accuracy": accuracy,
                        }
                    )
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    n_rows, n_seeds = (4_000, 1) if given.quick else (40_000, 3)
    shares = (0.001, 0.1) if given.quick else (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    values = ("rows retrained", "seconds", "accuracy")
    rows = study(n_rows, shares, n_seeds)
    table = means(rows, ("requests", "method", "deleted, %"), values)
    figure, axes = plt.subplots(2, 3, figsize=(13, 7.5), layout="constrained")
    for line, pattern in zip(axes, ("uniform", "skewed")):
        some = [row for row in table if row["requests"] == pattern]
        for ax, value in zip(line, values):
            curves(ax, some, "deleted, %", value, log=value != "accuracy")
            ax.set_xscale("log")
            ax.set(
                xlabel="Deleted share of the rows, %",
                ylabel=value[0].upper() + value[1:],
                title=f"{pattern} requests",
            )
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    save("arcane_requests", table, figure, given.out)


if __name__ == "__main__":
    main()
