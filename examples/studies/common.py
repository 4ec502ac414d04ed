"""What the studies share: options, tuned baselines, means over seeds, a table and a figure."""

import argparse
import csv
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from scipy.stats import wilcoxon
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import sklearn_unlearn
from sklearn_unlearn.metrics import make_forget_scorer

# Perceptrons that stop at max_iter are what is studied here.
warnings.simplefilter("ignore", ConvergenceWarning)

# Few values each, the defaults among them: a method that needs more is not a cheap one.
GRIDS = {
    "AmnesiacUnlearner": {"n_repair_epochs": [0, 1, 3]},
    "FineTuneUnlearner": {"learning_rate": [1e-3, 5e-3, 2e-2]},
    "FisherUnlearner": {"alpha": [1e-9, 1e-8, 1e-7, 1e-6]},
    "GradientAscentUnlearner": {"n_steps": [1, 3, 10, 20]},
    "InfluenceUnlearner": {"eta": [0.5, 1.0]},
    "NegGradPlusUnlearner": {"alpha": [0.95, 0.99, 0.999], "learning_rate": [1e-3, 5e-3]},
    "RandomLabelUnlearner": {"learning_rate": [1e-3, 5e-3], "n_repair_epochs": [1, 2, 5]},
    "SCRUBUnlearner": {"learning_rate": [1e-3, 5e-3], "n_forget_epochs": [1, 2, 4]},
    "SSDUnlearner": {"alpha": [2.0, 5.0, 10.0, 50.0], "dampening": [0.5, 1.0]},
}


def options(description):
    """Return the options of a study from the command line."""
    parser = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small, in less than a minute")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for table and figure")
    parser.add_argument("--memory", help="folder of what a long study need not repeat")
    parser.add_argument("--seeds", type=int, default=10, help="how often it is repeated")
    parser.add_argument("--linear", action="store_true", help="no networks, where there are some")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time of a long study")
    return parser.parse_args()


def digits(seed, n_train):
    """Return shuffled digits in [0, 1], training rows first."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order] / 16, y[order]
    return X[:n_train], y[:n_train], X[n_train:], y[n_train:]


def ten_classes(n_rows, seed):
    """Return generated training and test rows, and a skewed distribution of requests.

    A tenth of the rows gets nine tenths of the requests.
    """
    X, y = make_classification(
        n_rows + 2000,
        n_features=30,
        n_informative=15,
        n_classes=10,
        n_clusters_per_class=1,
        class_sep=1.5,
        random_state=seed,
    )
    rng = np.random.default_rng(seed)
    likely = np.zeros(n_rows, dtype=bool)
    likely[rng.choice(n_rows, n_rows // 10, replace=False)] = True
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:], np.where(likely, 9.0, 1 / 9) / n_rows


def tuned(unlearner, X, y, *, forget=0.05, metric="kl", cv=3, random_state=0, n_jobs=None):
    """Return an unlearner with the parameters of its grid that lead nearest to refits.

    Parameters
    ----------
    unlearner : BaseUnlearner
        Unfitted; returned as it is if it has no grid.

    X : array-like of shape (n_samples, n_features)
        Training rows. Test rows play no part.

    y : array-like of shape (n_samples,)
        Their targets.

    forget : float, str, callable or array-like, default=0.05
        Probe, as for :func:`sklearn_unlearn.metrics.make_forget_scorer`.

    metric : str, default="kl"
        What is scored.

    cv : int, default=3
        Number of folds.

    random_state : int, default=0
        Draws the probe and seeds the refits.

    n_jobs : int, default=None
        Jobs of the search.

    Returns
    -------
    BaseUnlearner
        Unfitted.
    """
    grid = GRIDS.get(type(unlearner).__name__)
    if grid is None:
        return unlearner
    scorer = make_forget_scorer(metric, forget=forget, n_refits=2, random_state=random_state)
    search = GridSearchCV(unlearner, grid, scoring=scorer, cv=cv, n_jobs=n_jobs, refit=False)
    return unlearner.set_params(**search.fit(X, y).best_params_)


def means(rows, by, values):
    """Return one row for each group: mean and standard deviation of values over the others."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    table = []
    for key, some in groups.items():
        line = dict(zip(by, key))
        for name in values:
            found = np.array([row[name] for row in some], dtype=float)
            line[name] = float(np.mean(found))
            line[f"{name} (sd)"] = float(np.std(found))
        table.append(line)
    return table


def with_p_values(table, rows, by, value, control="retraining"):
    """Add to each line of a table how surely its method differs from the control.

    Wilcoxon's signed-rank test, runs paired by "seed", with Holm's correction over the methods of
    a setting.

    Parameters
    ----------
    table : list of dict
        Lines of :func:`means`; they get one key more.

    rows : list of dict
        The runs.

    by : tuple of str
        Keys of a setting and "method", as for :func:`means`.

    value : str
        What is tested.

    control : str, default="retraining"
        The method that the others are held against.
    """
    found = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        found.setdefault(tuple(row[name] for name in by), []).append(row[value])
    place = by.index("method")
    groups = {}
    for line in table:
        key = tuple(line[name] for name in by)
        groups.setdefault(key[:place] + key[place + 1 :], []).append((key, line))
    for some in groups.values():
        own = next(np.array(found[key]) for key, _ in some if key[place] == control)
        raised, last = 1.0, 0.0
        tested = [(_wilcoxon(own - np.array(found[key])), key, line) for key, line in some]
        tested = sorted((part for part in tested if part[1][place] != control), key=lambda t: t[0])
        for done, (p, _, line) in enumerate(tested):
            raised = min(1.0, max(last, p * (len(tested) - done)))
            line[f"{value} (p)"], last = raised, raised
        for key, line in some:
            if key[place] == control:
                line[f"{value} (p)"] = ""


def _wilcoxon(differences):
    """Return the p-value of Wilcoxon's test; 1 where nothing differs."""
    return float(wilcoxon(differences).pvalue) if differences.any() else 1.0


def save(study, table, figure, out, runs=None):
    """Write a study's table and figure, and print the table.

    Parameters
    ----------
    study : str
        Name of the files.

    table : list of dict
        What the page shows.

    figure : matplotlib Figure
        Closed afterwards.

    out : Path
        Folder. Single runs go to a folder in it.

    runs : list of dict, default=None
        What the table is made of, such as a line for each method and seed; the versions of the
        packages are added.
    """
    (out / "runs").mkdir(parents=True, exist_ok=True)
    for line in _written(out / f"{study}.csv", table):
        print("  ".join(f"{value!s:>14}" for value in line.values()))
    if runs is not None:
        versions = {part.__name__: part.__version__ for part in (sklearn_unlearn, sklearn, np)}
        _written(out / "runs" / f"{study}.csv", [run | versions for run in runs])
    figure.savefig(out / f"{study}.png", dpi=90)
    plt.close(figure)


def _written(path, table):
    """Write a table, and return it as it was written: four digits."""
    shown = [
        {
            name: f"{value:.4g}" if isinstance(value, float) else value
            for name, value in line.items()
        }
        for line in table
    ]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(shown[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(shown)
    return shown


def curves(ax, table, x, y, name="method", log=False):
    """Draw a curve with a band of one standard deviation for each method."""
    zero = any(line[y] == 0 for line in table)
    for method in dict.fromkeys(line[name] for line in table):
        some = [line for line in table if line[name] == method]
        places, heights, spread = (
            np.array([line[key] for line in some]) for key in (x, y, f"{y} (sd)")
        )
        (drawn,) = ax.plot(places, heights, marker="o", markersize=3, label=method)
        band = np.maximum(heights - spread, 0.5 * heights if log else -np.inf), heights + spread
        ax.fill_between(places, *band, alpha=0.15, color=drawn.get_color(), linewidth=0)
    ax.set(xlabel=x, ylabel=y)
    if log:
        # Some requests cost no row at all.
        ax.set_yscale("symlog", linthresh=1) if zero else ax.set_yscale("log")
