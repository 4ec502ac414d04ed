"""The unlearners that must keep the contract, one row each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import (
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_unlearn import (
    ArcaneEnsemble,
    DistillationUnlearner,
    ForgettingForestClassifier,
    ForgettingForestRegressor,
    PUMAUnlearner,
    SISAEnsemble,
)
from sklearn_unlearn.baselines import (
    AmnesiacUnlearner,
    FineTuneUnlearner,
    FisherUnlearner,
    FunctionUnlearner,
    GradientAscentUnlearner,
    InfluenceUnlearner,
    NegGradPlusUnlearner,
    RandomLabelUnlearner,
    RetrainUnlearner,
    SCRUBUnlearner,
    SSDUnlearner,
)


def classification(seed=0, n_rows=120, n_features=4, n_classes=2):
    """Return noisy seeded rows and class labels."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    scores = X @ rng.standard_normal((n_features, n_classes)) + rng.gumbel(size=(n_rows, n_classes))
    return X, np.array(["ham", "spam", "void", "zen"])[scores.argmax(axis=1)]


def regression(seed=0, n_rows=120, n_features=4):
    """Return noisy seeded rows and positive targets."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    z = 0.4 * X @ rng.standard_normal(n_features) + 0.3 * rng.standard_normal(n_rows)
    return X, np.exp(z)


def fitted_again(model, forgotten, remaining, rng):
    """Forget by a fit on the rows that remain."""
    return model.fit(*remaining)


@dataclass(frozen=True)
class Case:
    """An unlearner and data for it."""

    name: str
    make: Callable
    data: Callable
    fit_params: dict = field(default_factory=dict)

    def fitted(self, X_ids=None, **params):
        """Return the unlearner fitted on its data."""
        X, y = self.data()
        return self.make().set_params(**params).fit(X, y, X_ids=X_ids, **self.fit_params)


CASES = [
    Case(
        "puma-logistic",
        lambda: PUMAUnlearner(LogisticRegression(), random_state=0),
        classification,
    ),
    Case(
        "puma-softmax",
        lambda: PUMAUnlearner(LogisticRegression(class_weight="balanced"), random_state=0),
        lambda: classification(n_classes=3),
    ),
    Case("puma-ridge", lambda: PUMAUnlearner(Ridge(), reweight=None), regression),
    Case("puma-poisson", lambda: PUMAUnlearner(PoissonRegressor(), random_state=0), regression),
    Case("puma-huber", lambda: PUMAUnlearner(HuberRegressor(), random_state=0), regression),
    Case("puma-svc", lambda: PUMAUnlearner(LinearSVC(), random_state=0), classification),
    Case(
        "puma-sgd",
        lambda: PUMAUnlearner(
            SGDClassifier(loss="log_loss"), reweight=None, n_refine=3, random_state=0
        ),
        classification,
    ),
    Case(
        "puma-scaled",
        lambda: PUMAUnlearner(
            make_pipeline(StandardScaler(), LogisticRegression()), random_state=0
        ),
        classification,
    ),
    Case(
        "puma-refitted-transformer",
        lambda: PUMAUnlearner(make_pipeline(MinMaxScaler(), Ridge()), random_state=0),
        regression,
    ),
    Case("arcane-density", lambda: ArcaneEnsemble(block_size=10, random_state=0), classification),
    Case(
        "arcane-selected",
        lambda: ArcaneEnsemble(
            selection="entropy", selection_size=15, block_size=10, random_state=0
        ),
        classification,
    ),
    Case(
        "arcane-background",
        lambda: ArcaneEnsemble(BernoulliNB(), background=0.7, block_size=20, random_state=0),
        classification,
    ),
    Case(
        "arcane-pipeline",
        lambda: ArcaneEnsemble(
            make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
            background=1.0,
            random_state=0,
        ),
        classification,
    ),
    Case(
        "sisa-naive-bayes",
        lambda: SISAEnsemble(GaussianNB(), n_shards=3, block_size=10, random_state=0),
        classification,
    ),
    Case(
        "sisa-forest",
        lambda: SISAEnsemble(RandomForestClassifier(3), n_shards=3, random_state=0),
        classification,
    ),
    Case(
        "sisa-regression",
        lambda: SISAEnsemble(
            SGDRegressor(), n_shards=3, block_size=10, cumulative=True, random_state=0
        ),
        regression,
    ),
    Case(
        "function",
        lambda: FunctionUnlearner(LogisticRegression(), forget=fitted_again, random_state=0),
        classification,
    ),
    Case("retrain", lambda: RetrainUnlearner(LogisticRegression(), random_state=0), classification),
    Case(
        "retrain-closed-form",
        lambda: RetrainUnlearner(GaussianNB(), random_state=0),
        lambda: classification(n_classes=3),
    ),
    Case(
        "retrain-neighbours",
        lambda: RetrainUnlearner(
            make_pipeline(StandardScaler(with_mean=False), KNeighborsRegressor()), random_state=0
        ),
        regression,
    ),
    Case(
        "influence",
        lambda: InfluenceUnlearner(LogisticRegression(), random_state=0),
        classification,
    ),
    Case(
        "amnesiac",
        lambda: AmnesiacUnlearner(
            SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05),
            n_epochs=2,
            batch_size=5,
            random_state=0,
        ),
        classification,
    ),
    Case(
        "amnesiac-mlp",
        lambda: AmnesiacUnlearner(
            make_pipeline(
                StandardScaler(with_mean=False),
                MLPRegressor(hidden_layer_sizes=(8,), learning_rate_init=0.02),
            ),
            n_epochs=2,
            batch_size=5,
            random_state=0,
        ),
        regression,
    ),
    Case("fisher", lambda: FisherUnlearner(LogisticRegression(), random_state=0), classification),
    Case("fisher-ridge", lambda: FisherUnlearner(Ridge(), random_state=0), regression),
    Case(
        "ascent",
        lambda: GradientAscentUnlearner(
            make_pipeline(StandardScaler(), LogisticRegression()), random_state=0
        ),
        classification,
    ),
    Case(
        "fine-tuning",
        lambda: FineTuneUnlearner(LogisticRegression(), n_epochs=1, random_state=0),
        classification,
    ),
    Case(
        "random-labels",
        lambda: RandomLabelUnlearner(
            LogisticRegression(class_weight="balanced"), n_epochs=1, random_state=0
        ),
        classification,
    ),
    Case(
        "neg-grad-plus",
        lambda: NegGradPlusUnlearner(
            make_pipeline(StandardScaler(), Ridge()), n_epochs=1, random_state=0
        ),
        regression,
    ),
    Case(
        "scrub",
        lambda: SCRUBUnlearner(PoissonRegressor(), n_epochs=2, n_forget_epochs=1, random_state=0),
        regression,
    ),
    Case(
        "dampening",
        lambda: SSDUnlearner(LogisticRegression(), alpha=0.1, dampening=0.1, random_state=0),
        classification,
    ),
]

if find_spec("numba"):
    CASES += [
        Case(
            "forest",
            lambda: ForgettingForestClassifier(n_estimators=5, random_state=0),
            classification,
        ),
        Case(
            "forest-regression",
            lambda: ForgettingForestRegressor(n_estimators=5, random_state=0),
            regression,
        ),
    ]

try:
    import torch

    from tests import nets
except ImportError:
    pass
else:
    TRAINED = {"max_epochs": 5, "lr": 0.1, "batch_size": 16, "verbose": 0, "train_split": None}
    CASES += [
        Case(
            "puma-mlp",
            lambda: PUMAUnlearner(
                MLPClassifier(
                    hidden_layer_sizes=(8,), learning_rate_init=0.02, tol=0.01, max_iter=1000
                ),
                random_state=0,
            ),
            classification,
        ),
        Case(
            "puma-mlp-regression",
            lambda: PUMAUnlearner(
                make_pipeline(
                    StandardScaler(with_mean=False),
                    MLPRegressor(
                        hidden_layer_sizes=(8,), learning_rate_init=0.02, tol=0.01, max_iter=1000
                    ),
                ),
                reweight=None,
                random_state=0,
            ),
            regression,
        ),
        Case(
            "puma-net",
            lambda: PUMAUnlearner(
                nets.skorch.NeuralNetClassifier(
                    nets.Dropped, criterion=torch.nn.CrossEntropyLoss, **TRAINED
                ),
                random_state=0,
            ),
            classification,
        ),
        Case(
            "puma-net-factorised",
            lambda: PUMAUnlearner(
                nets.skorch.NeuralNetRegressor(nets.OneOutput, **{**TRAINED, "lr": 0.01}),
                solver="ekfac",
                random_state=0,
            ),
            regression,
        ),
        Case(
            "puma-net-binary",
            lambda: PUMAUnlearner(
                make_pipeline(
                    MinMaxScaler(),
                    nets.skorch.NeuralNetBinaryClassifier(nets.OneOutput, **TRAINED),
                ),
                random_state=0,
            ),
            classification,
        ),
        Case(
            "distillation-mlp",
            lambda: DistillationUnlearner(
                make_pipeline(
                    StandardScaler(with_mean=False),
                    MLPClassifier(
                        hidden_layer_sizes=(8,), learning_rate_init=0.02, tol=0.01, max_iter=1000
                    ),
                ),
                random_state=0,
            ),
            classification,
        ),
        Case(
            "distillation-net",
            lambda: DistillationUnlearner(
                nets.skorch.NeuralNetRegressor(nets.OneOutput, **{**TRAINED, "lr": 0.01}),
                random_state=0,
            ),
            regression,
        ),
        Case(
            "amnesiac-net",
            lambda: AmnesiacUnlearner(
                nets.skorch.NeuralNetClassifier(
                    nets.Dropped, criterion=torch.nn.CrossEntropyLoss, **TRAINED
                ),
                n_epochs=2,
                batch_size=5,
                random_state=0,
            ),
            classification,
        ),
        Case(
            "fisher-net",
            lambda: FisherUnlearner(
                nets.skorch.NeuralNetRegressor(nets.OneOutput, **{**TRAINED, "lr": 0.01}),
                random_state=0,
            ),
            regression,
        ),
        Case(
            "ascent-mlp",
            lambda: GradientAscentUnlearner(
                MLPClassifier(
                    hidden_layer_sizes=(8,), learning_rate_init=0.02, tol=0.01, max_iter=1000
                ),
                random_state=0,
            ),
            classification,
        ),
    ]
