"""Attacks tell members from others where there is something to tell, and only there."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.metrics import LikelihoodRatioAttack, membership_auc, resistance
from tests.unlearners import classification, regression

X, Y = classification(n_rows=3000, n_classes=3)
TRAIN, SAME, OTHER = slice(0, 1000), slice(1000, 2000), slice(2000, 3000)


def shadowed():
    """Return the calibrated attack with its shadows trained like the model."""
    return LikelihoodRatioAttack(n_shadows=8, random_state=0)


ATTACKS = {"loss": "loss", "entropy": "entropy", "likelihood_ratio": shadowed()}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_half_on_rows_that_were_never_trained_on(attack):
    for model in (
        LogisticRegression().fit(X[TRAIN], Y[TRAIN]),
        DecisionTreeClassifier(min_samples_leaf=5, random_state=0).fit(X[TRAIN], Y[TRAIN]),
    ):
        auc = membership_auc(model, X[SAME], Y[SAME], X[OTHER], Y[OTHER], attack=attack)
        assert auc == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_more_on_an_overfitted_model(attack):
    model = RandomForestClassifier(20, random_state=0).fit(X[TRAIN], Y[TRAIN])
    assert membership_auc(model, X[TRAIN], Y[TRAIN], X[OTHER], Y[OTHER], attack=attack) > 0.7


def test_calibration_finds_what_losses_do_not():
    """Rows of an easy class are no members for their low loss."""
    rng = np.random.default_rng(0)
    easy, hard = rng.normal(6, 1, (300, 5)), rng.normal(0, 1, (300, 5))
    hard_y = rng.integers(0, 2, 300)
    X_in, y_in = hard[:150], hard_y[:150]
    X_out, y_out = np.vstack([easy, hard[150:]]), np.r_[np.full(300, 2), hard_y[150:]]
    train = np.vstack([X_in, rng.normal(6, 1, (100, 5))]), np.r_[y_in, np.full(100, 2)]
    model = DecisionTreeClassifier(min_samples_leaf=2, random_state=0).fit(*train)
    by_loss = membership_auc(model, X_in, y_in, X_out, y_out)
    attack = LikelihoodRatioAttack(n_shadows=32, random_state=0)
    calibrated = membership_auc(model, X_in, y_in, X_out, y_out, attack=attack)
    assert calibrated > by_loss + 0.1


def test_regression():
    rows, y = regression(n_rows=600)
    tree = DecisionTreeRegressor(random_state=0).fit(rows[:300], y[:300])
    assert membership_auc(tree, rows[:300], y[:300], rows[300:], y[300:]) > 0.9
    ridge = Ridge().fit(rows[:100], y[:100])
    auc = membership_auc(ridge, rows[100:350], y[100:350], rows[350:], y[350:])
    assert auc == pytest.approx(0.5, abs=0.06)
    attack = LikelihoodRatioAttack(n_shadows=8, random_state=0)
    assert membership_auc(tree, rows[:300], y[:300], rows[300:], y[300:], attack=attack) > 0.6
    with pytest.raises(TypeError, match="needs class probabilities"):
        membership_auc(tree, rows[:9], y[:9], rows[9:], y[9:], attack="entropy")


def test_models_and_rows_of_all_kinds():
    whole = make_pipeline(StandardScaler(with_mean=False), LogisticRegression())
    plain = whole.fit(X[TRAIN], Y[TRAIN])
    expected = membership_auc(plain, X[TRAIN], Y[TRAIN], X[OTHER], Y[OTHER])
    unlearner = PUMAUnlearner(whole, reweight=None).fit(X[TRAIN], Y[TRAIN])
    assert membership_auc(unlearner, X[TRAIN], Y[TRAIN], X[OTHER], Y[OTHER]) == expected
    frames = [pd.DataFrame(X[part]).add_prefix("x") for part in (TRAIN, OTHER)]
    named = whole.fit(frames[0], pd.Series(Y[TRAIN]))
    found = membership_auc(named, frames[0], pd.Series(Y[TRAIN]), frames[1], pd.Series(Y[OTHER]))
    assert found == pytest.approx(expected)
    rows = [sparse.csr_matrix(X[part]) for part in (TRAIN, OTHER)]
    model = whole.fit(rows[0], Y[TRAIN])
    assert membership_auc(model, rows[0], Y[TRAIN], rows[1], Y[OTHER]) == pytest.approx(expected)
    # Scores instead of probabilities, and labels that the model does not know.
    svc = LinearSVC().fit(X[TRAIN], Y[TRAIN])
    assert 0.4 < membership_auc(svc, X[SAME], Y[SAME], X[OTHER], Y[OTHER]) < 0.6
    strange = np.full(1000, "unheard of")
    assert membership_auc(plain, X[SAME], strange, X[OTHER], Y[OTHER]) == 0.0


def test_a_callable_attack():
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])

    def first_feature(model, rows, y):
        return rows[:, 0]

    low, high = X[:, 0] < 0, X[:, 0] >= 0
    assert membership_auc(model, X[high], Y[high], X[low], Y[low], attack=first_feature) == 1.0


def test_resistance():
    forgotten = slice(0, 200)
    before = RandomForestClassifier(20, random_state=0).fit(X[TRAIN], Y[TRAIN])
    after = RandomForestClassifier(20, random_state=0).fit(X[200:1000], Y[200:1000])
    rows = (X[forgotten], Y[forgotten], X[OTHER], Y[OTHER])
    assert resistance(before, before, *rows, false_positive_rate=0.4) == 0.0
    assert resistance(before, after, *rows, false_positive_rate=0.4) > 0.4
    with pytest.warns(UndefinedMetricWarning, match="even before"):
        assert np.isnan(resistance(before, after, *rows, attack=lambda m, a, b: 0 * a[:, 0]))


def test_shadows_are_trained_once_for_the_same_rows():
    fits = []

    class Counted(DecisionTreeClassifier):
        def fit(self, *args, **kwargs):
            fits.append(1)
            return super().fit(*args, **kwargs)

    model = DecisionTreeClassifier(random_state=0).fit(X[:100], Y[:100])
    attack = LikelihoodRatioAttack(Counted(), n_shadows=4, random_state=0)
    rows = X[:100], Y[:100], X[100:200], Y[100:200]
    after = DecisionTreeClassifier(random_state=0).fit(X[50:100], Y[50:100])
    for stage in (model, after):
        membership_auc(stage, *rows, attack=attack)
    assert len(fits) == 4
    membership_auc(model, *rows[:3], np.roll(Y[100:200], 1), attack=attack)
    assert len(fits) == 8


def test_bad_input():
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])
    rows = (X[:5], Y[:5], X[5:9], Y[5:9])
    with pytest.raises(ValueError, match="attack='guess' is invalid"):
        membership_auc(model, *rows, attack="guess")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        membership_auc(model, X[:5], Y[:4], X[5:9], Y[5:9])
    with pytest.raises(ValueError, match="got 0 and 4"):
        membership_auc(model, X[:0], Y[:0], X[5:9], Y[5:9])
    with pytest.raises(NotFittedError):
        membership_auc(LogisticRegression(), *rows)
    with pytest.raises(ValueError, match="false_positive_rate=1"):
        resistance(model, model, *rows, false_positive_rate=1)
    with pytest.raises(ValueError, match="n_shadows=3"):
        membership_auc(model, *rows, attack=LikelihoodRatioAttack(n_shadows=3))
