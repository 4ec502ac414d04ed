"""
Running time of one request against the number of training rows.

Logistic regression on generated rows of 50 features; requests for 100 rows. The first request
copies the rows and makes the Hessian; later ones find them made.
"""

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from common import curves, means, options, save
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import FisherUnlearner, RetrainUnlearner

INNER = LogisticRegression()
METHODS = {
    "retraining": lambda: RetrainUnlearner(INNER),
    "PUMA": lambda: PUMAUnlearner(INNER, random_state=0),
    "naive removal": lambda: PUMAUnlearner(INNER, reweight=None),
    "SISA, 10 shards": lambda: SISAEnsemble(INNER, n_shards=10, random_state=0),
    "Fisher": lambda: FisherUnlearner(INNER, random_state=0),
}
N_FORGOTTEN, N_REQUESTS = 100, 6


def study(sizes):
    """Return the seconds of first and later requests."""
    rows = []
    for n_rows in sizes:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_rows, 50))
        y = X @ rng.standard_normal(50) + 3 * rng.logistic(size=n_rows) > 0
        order = rng.permutation(n_rows)
        for name, make in METHODS.items():
            model = make().fit(X, y)
            for request in range(N_REQUESTS):
                some = order[request * N_FORGOTTEN : (request + 1) * N_FORGOTTEN]
                started = process_time()
                model.partial_forget(some)
                rows.append(
                    {
                        "method": name,
                        "request": "later" if request else "first",
                        "number": request,
                        "training rows": n_rows,
                        "seconds": process_time() - started,
                    }
                )
    return rows


def main():
    """Run the study."""
    given = options(__doc__)
    sizes = (2_000, 20_000) if given.quick else (2_000, 10_000, 50_000, 200_000, 1_000_000)
    runs = study(sizes)
    table = means(runs, ("method", "request", "training rows"), ("seconds",))
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained", sharey=True)
    for ax, request in zip(axes, ("first", "later")):
        some = [line for line in table if line["request"] == request]
        curves(ax, some, "training rows", "seconds", log=True)
        ax.set_xscale("log")
        ax.set(
            title=f"{request} request for 100 rows", xlabel="Training rows", ylabel="CPU seconds"
        )
    axes[0].legend(fontsize="small")
    save("puma_time", table, figure, given.out, runs)


if __name__ == "__main__":
    main()
