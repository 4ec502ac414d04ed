"""
Exact forgetting: accuracy, time and rows retrained against the share of deleted rows.

Ten classes of generated rows. ARCANE with the default density of a class, SISA and retraining from
the beginning with five epochs of stochastic gradient descent; uniform requests, and skewed ones
that the sorted ensembles know of. Rows and CPU seconds are compared with what the same ensemble
takes to be trained anew: a density is cheaper than gradient descent, which is no merit of chains.
"""

from copy import deepcopy
from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from common import curves, means, options, save, ten_classes
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble
from sklearn_unlearn.baselines import RetrainUnlearner

CHAINS = {"block_size": 200, "n_checkpoints": 20}
N_EPOCHS = 5
SGD = SGDClassifier(loss="log_loss", max_iter=N_EPOCHS, tol=None)


def methods(seed, n_rows):
    """Return the ensembles; those that are sorted know how likely rows are to be deleted."""
    fifth = {"selection": "entropy", "selection_size": n_rows // 50}
    return {
        "retraining": (RetrainUnlearner(SGD, random_state=seed), False),
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
            deleted = [rng.choice(n_rows, max(1, int(s * n_rows)), False, p=proba) for s in shares]
            for name, (model, is_sorted) in methods(seed, n_rows).items():
                known = 0.1 * proba / proba.max() if is_sorted else None
                first = trained(model, X, y, known)
                for share, gone in zip(shares, deleted):
                    line = {"requests": pattern, "method": name, "deleted, %": 100 * share}
                    found = one_request(model, X, y, known, gone) | {"first training": first}
                    found["accuracy"] = found.pop("model").score(X_test, y_test)
                    rows.append(line | {"seed": seed} | found)
    return rows


def trained(model, X, y, known):
    """Train a model and return the CPU seconds."""
    started = process_time()
    model.fit(X, y, **({} if known is None else {"forget_proba": known}))
    return process_time() - started


def one_request(model, X, y, known, gone):
    """Return what a request costs, next to training the same model without the rows."""
    left = np.setdiff1d(np.arange(len(y)), gone)
    refit = clone(model)
    anew = trained(refit, X[left], y[left], None if known is None else known[left])
    after = deepcopy(model)
    started = process_time()
    after.partial_forget(gone)
    seconds = process_time() - started
    n_rows = after.receipts_[-1].n_rows_retrained
    # A selection is all that its ensemble is ever trained on.
    own = len(left)
    if getattr(model, "selection", None) is not None:
        own = min(own, len(model.classes_) * model.selection_size)
    return {
        "model": after,
        "rows retrained": n_rows,
        "rows over own refit": n_rows / own,
        "seconds": seconds,
        "seconds over own refit": seconds / anew,
    }


def main():
    """Run the study."""
    given = options(__doc__)
    n_rows, n_seeds = (4_000, 1) if given.quick else (10_000, given.seeds)
    shares = (0.001, 0.1) if given.quick else (1e-4, 1e-3, 1e-2, 1e-1)
    values = ("rows over own refit", "seconds over own refit", "accuracy")
    rows = study(n_rows, shares, n_seeds)
    shown = (*values, "rows retrained", "seconds", "first training")
    table = means(rows, ("requests", "method", "deleted, %"), shown)
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
    save("arcane_requests", table, figure, given.out, rows)


if __name__ == "__main__":
    main()
