"""
The first training
==================

``python train.py STORE`` trains the model of a store, whose key is in ``UNLEARN_KEY``.
"""

import sys

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.store import ModelStore

X, y = load_breast_cancer(return_X_y=True)
ids = [f"patient-{number}" for number in range(len(y))]
pipe = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky", tol=1e-8))

if __name__ == "__main__":
    store = ModelStore(sys.argv[1], key="env:UNLEARN_KEY")
    unlearner = PUMAUnlearner(pipe, reweight=None, n_refine=5, tol=1e-10)
    print(f"version {store.train(unlearner, X, y, X_ids=ids)} of {sys.argv[1]}")
