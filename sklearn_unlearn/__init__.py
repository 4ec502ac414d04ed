"""Unlearning for scikit-learn models: estimators with ``partial_forget(X_ids)``."""

from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.receipt import ForgetReceipt
from sklearn_unlearn._records.receipt_chain import verify_chain
from sklearn_unlearn._records.subjects import UnknownIdError
from sklearn_unlearn._version import __version__
from sklearn_unlearn.arcane import ArcaneEnsemble
from sklearn_unlearn.base import BaseUnlearner
from sklearn_unlearn.distillation import DistillationUnlearner
from sklearn_unlearn.forest import ForgettingForestClassifier, ForgettingForestRegressor
from sklearn_unlearn.leave_one_out import loo_predict, loo_predict_proba
from sklearn_unlearn.mislabel import MislabelDetector
from sklearn_unlearn.pipeline import partial_forget
from sklearn_unlearn.puma import PUMAUnlearner
from sklearn_unlearn.sisa import SISAEnsemble

__all__ = [
    "ArcaneEnsemble",
    "BaseUnlearner",
    "DistillationUnlearner",
    "ForgetReceipt",
    "ForgettingForestClassifier",
    "ForgettingForestRegressor",
    "MislabelDetector",
    "PUMAUnlearner",
    "SISAEnsemble",
    "UnknownIdError",
    "__version__",
    "loo_predict",
    "loo_predict_proba",
    "model_digest",
    "partial_forget",
    "verify_chain",
]
