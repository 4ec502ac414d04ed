"""
How often a report tells a model apart from refits
==================================================

Methods that forget exactly must be told apart from refits as seldom as refits are: in about 5 % of
the reports. Methods that do not forget must be told apart wherever there is something to see.
The share of the reports with each verdict, by method and data set; the loss attack on five refits
stands beside: "attack" is the share of reports in which the attack's AUC of the model lies beyond
the refits' mean by more than a t-test at the 5 % level allows.
"""

import argparse
import json
import warnings
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import GradientAscentUnlearner, RetrainUnlearner
from sklearn_unlearn.metrics import forgetting_report, make_refits

warnings.simplefilter("ignore", ConvergenceWarning)


def generated():
    """Return rows of three classes, one label in ten wrong."""
    return make_classification(1200, 20, n_informative=8, n_classes=3, flip_y=0.1, random_state=0)


def few_digits():
    """Return the digits 0 to 3."""
    return load_digits(n_class=4, return_X_y=True)


DATA = {
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits 0 to 3": few_digits,
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "generated": generated,
}
N_TRAIN, SHARE, LEVEL, N_REFITS = 0.6, 0.05, 0.05, 5
# Names of methods that forget: what the attack says of them is the attack's own error.
EXACT = ("retraining", "SISA", "ARCANE", "naive removal")


def scaled(model):
    """Return a model behind a scaler."""
    return make_pipeline(StandardScaler(), model)


def inner_models(regression):
    """Return the models that unlearners are wrapped around, by name."""
    if regression:
        return {
            "linear": scaled(Ridge()),
            "converged": scaled(Ridge(solver="cholesky")),
            "forest": RandomForestRegressor(n_estimators=20),
            "net": scaled(MLPRegressor(hidden_layer_sizes=(32,), solver="lbfgs", max_iter=60)),
        }
    return {
        "linear": scaled(LogisticRegression()),
        "converged": scaled(LogisticRegression(tol=1e-10, max_iter=10_000)),
        "forest": RandomForestClassifier(n_estimators=20),
        "net": scaled(MLPClassifier((32,), solver="lbfgs", max_iter=60)),
    }


def methods(regression):
    """Return name, unlearner and the name of the model inside; None where refits are its own."""
    inner = inner_models(regression)
    linear, tight, net = inner["linear"], inner["converged"], inner["net"]
    found = [
        ("retraining, linear", RetrainUnlearner(linear), "linear"),
        ("retraining, forest", RetrainUnlearner(inner["forest"]), "forest"),
        ("retraining, net", RetrainUnlearner(net), "net"),
        ("SISA", SISAEnsemble(linear, n_shards=5), None),
        ("naive removal", PUMAUnlearner(linear, reweight=None), "linear"),
        ("naive removal, converged", PUMAUnlearner(tight, reweight=None), "converged"),
        ("nothing, linear", PUMAUnlearner(linear, reweight=None, eta=0.0), "linear"),
        ("ascent", GradientAscentUnlearner(linear), "linear"),
        ("nothing, net", PUMAUnlearner(net, reweight=None, eta=0.0), "net"),
        ("one step, net", PUMAUnlearner(net, reweight=None), "net"),
    ]
    if not regression:
        found.insert(4, ("ARCANE", ArcaneEnsemble(), None))
    return found


def attack_tells(report):
    """Tell whether the loss attack tells a model from five refits."""
    line, refits = report.performance["attack, AUC"], report.per_refit["attack, AUC"]
    spread = np.std(refits, ddof=1) * np.sqrt(1 + 1 / len(refits))
    apart = abs(line["after"] - line["refit"])
    return bool(2 * stats.t.sf(apart / max(spread, 1e-9), len(refits) - 1) < LEVEL)


def reports_of(data, seed, names):
    """Return the verdicts on one request by all methods, and what the attack says."""
    X, y = DATA[data]()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    n = int(N_TRAIN * len(y))
    train, test = order[:n], order[n:]
    gone = rng.choice(n, int(SHARE * n), replace=False)
    regression = data == "diabetes"
    inner, refits, found = inner_models(regression), {}, []
    for name, unlearner, model in methods(regression):
        if names and name not in names:
            continue
        if model is not None and model not in refits:
            refits[model] = make_refits(
                inner[model], X[train], y[train], forget=gone, n=N_REFITS, random_state=1000 + seed
            )
        unlearner.set_params(random_state=seed).fit(X[train], y[train])
        report = forgetting_report(
            unlearner, gone, X[test], y[test], n_refits=N_REFITS, refits=refits.get(model),
            random_state=1000 + seed,
        )  # fmt: skip
        found.append({
            "method": name,
            "data": data,
            "seed": seed,
            "verdict": report.verdict,
            "p_value": report.p_value,
            "effect_left": report.effect_left,
            "attack": attack_tells(report),
        })  # fmt: skip
    return found


def printed(reports):
    """Print the shares of verdicts by method."""
    print(f"{'':28}{'reports':>8}{'told apart':>12}{'no effect':>12}{'attack':>9}{'missed':>9}")
    for name in dict.fromkeys(report["method"] for report in reports):
        some = [report for report in reports if report["method"] == name]
        told = np.array([report["verdict"] == "told apart from refits" for report in some])
        none = np.mean([report["verdict"] == "no effect to measure" for report in some])
        attack = np.array([report["attack"] for report in some])
        missed = "" if name.startswith(EXACT) else (attack & ~told).sum()
        print(
            f"{name:28}{len(some):8}{told.mean():12.1%}{none:12.1%}{attack.mean():9.1%}{missed:>9}"
        )


def main():
    """Print the shares, or all reports as JSON; keep the reports in a file."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print all reports as JSON")
    parser.add_argument("--csv", help="file to write reports to as they come")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--data", nargs="*", default=list(DATA))
    parser.add_argument("--methods", nargs="*", help="names of methods; all by default")
    args = parser.parse_args()
    reports = []
    for data, seed in product(args.data, range(args.seeds)):
        reports += reports_of(data, seed, args.methods)
        if args.csv:
            pd.DataFrame(reports).to_csv(args.csv, index=False, float_format="%.6g")
    if args.json:
        print(json.dumps(reports, indent=1))
    else:
        printed(reports)


if __name__ == "__main__":
    main()
