"""
Wrong labels: the share discovered against the share inspected.

Logistic regression on digits with a tenth of the labels wrong, at random or of one digit taken for
another. PUMA's influence against leave-one-out losses and others.
"""

import matplotlib.pyplot as plt
import numpy as np
from common import digits, means, options, save, with_p_values
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import MislabelDetector
from sklearn_unlearn.inspection import MislabelCurveDisplay

INNER = LogisticRegression(max_iter=1000)
METHODS = {
    "influence (PUMA)": {"method": "influence"},
    "self-influence": {"method": "self_influence"},
    "training loss": {"method": "loss"},
    "leave-one-out, one pass": {"method": "loo", "n_rounds": 0},
    "leave-one-out, auto": {},
}
KINDS = {"at random": None, "one digit for the next": 1}


def flipped(y, shift, rng):
    """Return labels of which a tenth is wrong, and which those are."""
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.choice(len(y), len(y) // 10, replace=False)] = True
    steps = rng.integers(1, 10, len(y)) if shift is None else shift
    return np.where(wrong, (y + steps) % 10, y), wrong


def main():
    """Run the study."""
    given = options(__doc__)
    n_seeds, n_rows = (2, 600) if given.quick else (given.seeds, 1797)
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    rows = []
    for ax, (kind, shift) in zip(axes, KINDS.items()):
        for seed in range(n_seeds):
            X, y, _, _ = digits(seed, n_rows)
            labels, wrong = flipped(y, shift, np.random.default_rng(seed))
            detectors = {
                name: MislabelDetector(INNER, random_state=seed, **params).fit(X, labels)
                for name, params in METHODS.items()
            }
            for name, detector in detectors.items():
                found = wrong[np.argsort(-detector.mislabel_scores_, kind="stable")].cumsum()
                line = {"labels wrong": kind, "method": name, "seed": seed}
                for share in (10, 20, 50):
                    n_inspected = share * len(y) // 100
                    line[f"discovered of {share} %"] = found[n_inspected - 1] / wrong.sum()
                rows.append(line)
        # The curves are those of the last seed, the table has all.
        MislabelCurveDisplay.from_detectors(detectors, wrong, ax=ax)
        ax.set_title(f"a tenth of the labels wrong, {kind}")
    values = [name for name in rows[0] if name.startswith("discovered")]
    by = ("labels wrong", "method")
    table = means(rows, by, values)
    with_p_values(table, rows, by, "discovered of 10 %", control="training loss")
    save("puma_mislabel", table, figure, given.out, rows)


if __name__ == "__main__":
    main()
