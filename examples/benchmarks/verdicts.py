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

import numpy as np
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
from sklearn_unlearn.metrics import forgetting_report

warnings.simplefilter("ignore", ConvergenceWarning)


def generated():
    """Return rows of three classes, one label in ten wrong."""
    return make_classification(1200, 20, n_informative=8, n_classes=3, flip_y=0.1, random_state=0)


DATA = {
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "generated": generated,
}
N_TRAIN, SHARE, LEVEL = 0.6, 0.05, 0.05


def scaled(model):
    """Return a model behind a scaler."""
    return make_pipeline(StandardScaler(), model)


def methods(regression):
    """Return the methods by name, those that forget exactly first."""
    if regression:
        linear, tight = scaled(Ridge()), scaled(Ridge())
        forest = RandomForestRegressor(n_estimators=30)
        net = scaled(MLPRegressor((32,), max_iter=150))
    else:
        linear = scaled(LogisticRegression())
        tight = scaled(LogisticRegression(tol=1e-10, max_iter=10_000))
        forest = RandomForestClassifier(n_estimators=30)
        net = scaled(MLPClassifier((64,), max_iter=100))
    found = {
        "retraining, linear": RetrainUnlearner(linear),
        "retraining, forest": RetrainUnlearner(forest),
        "retraining, net": RetrainUnlearner(net),
        "SISA": SISAEnsemble(linear, n_shards=5),
        "naive removal": PUMAUnlearner(linear, reweight=None),
        "naive removal, converged": PUMAUnlearner(tight, reweight=None),
        "nothing, linear": PUMAUnlearner(linear, reweight=None, eta=0.0),
        "ascent": GradientAscentUnlearner(linear),
        "nothing, net": PUMAUnlearner(net, reweight=None, eta=0.0),
        "one step, net": PUMAUnlearner(net, reweight=None),
    }
    if not regression:
        found["ARCANE"] = ArcaneEnsemble()
    return found


def attack_tells(report):
    """Tell whether the loss attack tells a model from five refits."""
    line, refits = report.performance["attack, AUC"], report.per_refit["attack, AUC"]
    spread = np.std(refits, ddof=1) * np.sqrt(1 + 1 / len(refits))
    apart = abs(line["after"] - line["refit"])
    return bool(2 * stats.t.sf(apart / max(spread, 1e-9), len(refits) - 1) < LEVEL)


def one_report(name, method, data, seed):
    """Return the verdict on one request, and what the attack says."""
    X, y = DATA[data]()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    n = int(N_TRAIN * len(y))
    train, test = order[:n], order[n:]
    gone = rng.choice(n, int(SHARE * n), replace=False)
    unlearner = method.set_params(random_state=seed).fit(X[train], y[train])
    report = forgetting_report(unlearner, gone, X[test], y[test], random_state=1000 + seed)
    return {
        "method": name,
        "data": data,
        "seed": seed,
        "verdict": report.verdict,
        "p_value": report.p_value,
        "effect_left": report.effect_left,
        "attack": attack_tells(report),
    }


def main():
    """Print the shares, or all reports as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print all reports as JSON")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--data", nargs="*", default=list(DATA))
    parser.add_argument("--methods", nargs="*", help="names of methods; all by default")
    args = parser.parse_args()
    reports = [
        one_report(name, method, data, seed)
        for data in args.data
        for name, method in methods(data == "diabetes").items()
        if not args.methods or name in args.methods
        for seed in range(args.seeds)
    ]
    if args.json:
        print(json.dumps(reports, indent=1))
        return
    print(f"{'':28}{'reports':>8}{'told apart':>12}{'no effect':>12}{'attack':>9}{'missed':>9}")
    for name in dict.fromkeys(report["method"] for report in reports):
        some = [report for report in reports if report["method"] == name]
        told = np.array([report["verdict"] == "told apart from refits" for report in some])
        none = np.mean([report["verdict"] == "no effect to measure" for report in some])
        attack = np.array([report["attack"] for report in some])
        missed = (attack & ~told).sum()
        print(
            f"{name:28}{len(some):8}{told.mean():12.1%}{none:12.1%}{attack.mean():9.1%}{missed:9}"
        )


if __name__ == "__main__":
    main()
