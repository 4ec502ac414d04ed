"""scikit-learn's own checks, with no expected failure."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.estimator_checks import check_estimator

from sklearn_unlearn import (
    ArcaneEnsemble,
    DistillationUnlearner,
    ForgettingForestClassifier,
    ForgettingForestRegressor,
    MislabelDetector,
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
from sklearn_unlearn.one_class import StudentTDensity
from tests.unlearners import fitted_again

INNER = [
    LogisticRegression(),
    Ridge(),
    PoissonRegressor(),
    LinearSVC(),
    SGDClassifier(loss="log_loss"),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(MinMaxScaler(), Ridge()),
    LinearRegression(),
    RidgeClassifier(),
    LinearSVR(loss="squared_epsilon_insensitive"),
    SGDRegressor(),
    HuberRegressor(),
    make_pipeline(StandardScaler(), HuberRegressor()),
    GammaRegressor(),
    TweedieRegressor(),
]


# A weight of two is not the same as a row that stands twice where rows are held out at random,
# nor in descent by single rows, forests and networks, nor behind transformers, which see no
# weights. Where it is, nothing is exempt.
REASON = "the inner estimator draws rows, stops early or has transformers"
DRAWS = {
    "check_sample_weight_equivalence_on_dense_data": REASON,
    "check_sample_weight_equivalence_on_sparse_data": REASON,
}


def check(estimator):
    check_estimator(estimator, expected_failed_checks=DRAWS)


NO_DRAWS = [
    RetrainUnlearner(LogisticRegression()),
    InfluenceUnlearner(LogisticRegression()),
    FisherUnlearner(Ridge()),
    GradientAscentUnlearner(LogisticRegression()),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("unlearner", NO_DRAWS, ids=str)
def test_weights_count_as_rows(unlearner):
    check_estimator(unlearner)


# The checks themselves fit on rows that don't converge, and warn of what they skip.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", INNER, ids=str)
@pytest.mark.parametrize("reweight", ["l2", None])
def test_check_estimator(inner, reweight):
    draws = isinstance(
        inner, (Pipeline, LinearSVC, LinearSVR, SGDClassifier, SGDRegressor, HuberRegressor)
    )
    # A linear model trains on all rows, with reweighting as without: weights count as rows.
    (check if draws else check_estimator)(PUMAUnlearner(inner, reweight=reweight))


ENSEMBLES = [
    ArcaneEnsemble(),
    ArcaneEnsemble(block_size=7, n_checkpoints=2, selection="entropy", selection_size=1),
    ArcaneEnsemble(IsolationForest(n_estimators=10)),
    ArcaneEnsemble(GaussianNB(), background=1.0, block_size=20),
    ArcaneEnsemble(RandomForestClassifier(n_estimators=10), background=1.0),
    ArcaneEnsemble(SGDClassifier(), background=1.0),
    SISAEnsemble(GaussianNB(), n_shards=2),
    SISAEnsemble(RandomForestClassifier(n_estimators=10), n_shards=2),
    SISAEnsemble(LinearSVC(), n_shards=3),
    SISAEnsemble(SGDClassifier(), n_shards=2, n_epochs=3),
    SISAEnsemble(Ridge()),
    SISAEnsemble(SGDRegressor(), n_shards=2, n_epochs=20, block_size=20, cumulative=True),
    SISAEnsemble(make_pipeline(StandardScaler(), LogisticRegression()), n_shards=2),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=str)
def test_check_estimator_of_ensembles(ensemble):
    check(ensemble)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "density", [StudentTDensity(), StudentTDensity(df=np.inf, power=False)], ids=str
)
def test_check_estimator_of_densities(density):
    check(density)


@pytest.mark.filterwarnings("ignore")
def test_check_estimator_of_hrn():
    pytest.importorskip("skorch")
    from sklearn_unlearn.one_class import HRNOneClass

    check(HRNOneClass(max_epochs=3))


BASELINES = [
    RetrainUnlearner(LogisticRegression()),
    RetrainUnlearner(make_pipeline(StandardScaler(), Ridge())),
    RetrainUnlearner(RandomForestClassifier(n_estimators=5)),
    InfluenceUnlearner(LogisticRegression()),
    InfluenceUnlearner(Ridge()),
    AmnesiacUnlearner(SGDClassifier(loss="log_loss")),
    AmnesiacUnlearner(SGDRegressor()),
    AmnesiacUnlearner(MLPClassifier((20,), learning_rate_init=0.05), n_epochs=10),
    FisherUnlearner(LogisticRegression()),
    FisherUnlearner(Ridge()),
    FineTuneUnlearner(LogisticRegression()),
    pytest.param(FunctionUnlearner(LogisticRegression(), forget=fitted_again), id="function"),
    NegGradPlusUnlearner(LogisticRegression()),
    RandomLabelUnlearner(Ridge()),
    SCRUBUnlearner(LogisticRegression()),
    SSDUnlearner(Ridge()),
    GradientAscentUnlearner(LogisticRegression()),
    GradientAscentUnlearner(make_pipeline(StandardScaler(), Ridge())),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("baseline", BASELINES, ids=str)
def test_check_estimator_of_baselines(baseline):
    check(baseline)


def networks():
    """Return unlearners around networks; modules get their sizes from the data."""
    torch, skorch = pytest.importorskip("torch"), pytest.importorskip("skorch")
    from tests.nets import Flexible, SetSizes

    trained = {
        "module": Flexible,
        "callbacks": [SetSizes],
        "max_epochs": 10,
        "optimizer": torch.optim.Adam,
        "lr": 0.1,
        "batch_size": 16,
        "verbose": 0,
    }
    return {
        "classifier": PUMAUnlearner(
            skorch.NeuralNetClassifier(criterion=torch.nn.CrossEntropyLoss, **trained)
        ),
        "binary": PUMAUnlearner(skorch.NeuralNetBinaryClassifier(**trained)),
        "regressor": PUMAUnlearner(
            skorch.NeuralNetRegressor(**trained | {"lr": 0.05, "batch_size": 32}, train_split=None),
            reweight=None,
        ),
        "pipeline": PUMAUnlearner(
            make_pipeline(
                StandardScaler(),
                skorch.NeuralNetClassifier(criterion=torch.nn.CrossEntropyLoss, **trained),
            )
        ),
        "MLPClassifier": PUMAUnlearner(MLPClassifier(hidden_layer_sizes=(10,))),
        "distillation": DistillationUnlearner(MLPClassifier(hidden_layer_sizes=(10,))),
        "MLPRegressor": PUMAUnlearner(
            MLPRegressor(learning_rate_init=0.01, max_iter=500), reweight=None
        ),
        "amnesiac": AmnesiacUnlearner(
            skorch.NeuralNetClassifier(
                criterion=torch.nn.CrossEntropyLoss,
                **trained | {"module__n_outputs": 5, "callbacks": [SetSizes(5)]},
            ),
            n_epochs=10,
        ),
        "ascent": GradientAscentUnlearner(
            skorch.NeuralNetClassifier(criterion=torch.nn.CrossEntropyLoss, **trained)
        ),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        "classifier",
        "binary",
        "regressor",
        "pipeline",
        "MLPClassifier",
        "MLPRegressor",
        "distillation",
        "amnesiac",
        "ascent",
    ],
)
def test_check_estimator_of_networks(name):
    # Nets predict in single precision, whose last digit depends on a row's place in its batch.
    place = {"check_methods_sample_order_invariance": "the last digit of single precision"}
    check_estimator(networks()[name], expected_failed_checks=DRAWS | place)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "detector",
    [
        MislabelDetector(
            [("linear", LogisticRegression()), ("forest", RandomForestClassifier(n_estimators=5))]
        ),
        MislabelDetector(LogisticRegression(), n_rounds=2),
        MislabelDetector(Ridge()),
        MislabelDetector(RandomForestClassifier(n_estimators=5), cv=2),
    ],
    ids=str,
)
def test_check_estimator_of_detectors(detector):
    check(detector)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [ForgettingForestClassifier, ForgettingForestRegressor])
def test_check_estimator_of_forests(kind):
    pytest.importorskip("numba")
    # Where every tree sees all rows, weights count as rows, and nothing is exempt.
    check_estimator(kind(5, subject_share=1.0))
    check(kind(5))
