"""
What does the strength alpha of the reweighting do?

Rows that help most (by influence on held-out rows) or random rows are forgotten from four
bundled data sets. The table shows the mean loss on test rows, as a change against the model
before: of naive removal, of PUMA with several alphas, and of a refit. It also shows how far
the parameters end from the refit. The default alpha of PUMAUnlearner was chosen from it.
"""

import argparse
import json

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner

ALPHAS = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0)
DATA = {
    "breast cancer": (load_breast_cancer, LogisticRegression(max_iter=1000)),
    "wine": (load_wine, LogisticRegression(max_iter=1000)),
    "digits": (load_digits, LogisticRegression(max_iter=1000)),
    "diabetes": (load_diabetes, Ridge()),
}


def test_loss(model, X, y):
    """Return the mean loss of a model on test rows."""
    if hasattr(model, "predict_proba"):
        return log_loss(y, model.predict_proba(X), labels=model.classes_)
    return mean_squared_error(y, model.predict(X)) / np.var(y)


def parameters(model):
    """Return the last step's coefficients and intercepts as one vector."""
    return np.concatenate([np.ravel(model[-1].coef_), np.ravel(model[-1].intercept_)])


def one_run(name, which, share, seed):
    """Return loss changes and parameter distances for every way to forget."""
    load, model = DATA[name]
    X, y = load(return_X_y=True)
    stratify = y if name != "diabetes" else None
    X, X_test, y, y_test = train_test_split(X, y, random_state=seed, stratify=stratify)
    pipe = make_pipeline(StandardScaler(), model)

    def fitted(**params):
        # With rows held out, as a criterion that is cross-fitted costs none of them.
        unlearner = PUMAUnlearner(pipe, validation_fraction=0.1, random_state=seed, **params)
        return unlearner.fit(X, y)

    probe = fitted()
    psi = probe.influence()
    n_gone = int(share * len(y))
    # Rows that the probe held out have no influence: every way forgets trained rows only.
    trained = np.flatnonzero(psi)
    if which == "helpful":
        gone = trained[np.argsort(-psi[trained])[:n_gone]]
    else:
        gone = np.random.default_rng(seed).choice(trained, n_gone, replace=False)
    before = test_loss(probe.estimator_, X_test, y_test)
    held_out = np.setdiff1d(np.arange(len(y)), trained)
    left = np.setdiff1d(trained, gone)
    refit = make_pipeline(StandardScaler(), model).fit(X[left], y[left])
    goal = parameters(refit)
    models = {"refit": refit}
    ways = {"naive": {"alpha": 1.0, "max_weight_change": 0.0}}
    for penalty in ("l2", "l1"):
        ways |= {f"{penalty} {a:g}": {"alpha": a, "reweight": penalty} for a in ALPHAS}
    for way, params in ways.items():
        unlearner = fitted(**params)
        models[way] = unlearner.partial_forget(gone).estimator_
    assert len(held_out)
    return {
        way: (
            test_loss(m, X_test, y_test) - before,
            float(np.linalg.norm(parameters(m) - goal) / np.linalg.norm(goal)),
        )
        for way, m in models.items()
    }


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the raw figures")
    parser.add_argument("--seeds", type=int, default=10)
    args = parser.parse_args()
    results = {}
    for which in ("helpful", "random"):
        for share in (0.02, 0.1):
            for name in DATA:
                runs = [one_run(name, which, share, seed) for seed in range(args.seeds)]
                results[f"{which} {share:.0%} {name}"] = {
                    way: np.mean([run[way] for run in runs], axis=0).tolist() for way in runs[0]
                }
    if args.json:
        print(json.dumps(results, indent=1))
        return
    for index, title in enumerate(("change of the mean test loss", "distance to the refit")):
        print(f"\n{title}, mean of {args.seeds} seeds")
        ways = list(next(iter(results.values())))
        print(" " * 26 + "".join(f"{way:>9}" for way in ways))
        for case, row in results.items():
            print(f"{case:<26}" + "".join(f"{row[way][index]:9.4f}" for way in ways))


if __name__ == "__main__":
    main()
