"""Attacks tell members from others where there is something to tell, and only there."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.metrics import (
    LikelihoodRatioAttack,
    beacon_rate,
    membership_auc,
    resistance,
    row_losses,
)
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


def test_auc_is_the_share_of_pairs_in_order():
    model = RandomForestClassifier(5, random_state=0).fit(X[:60], Y[:60])
    found = membership_auc(model, X[:40], Y[:40], X[OTHER][:50], Y[OTHER][:50])
    losses = [row_losses(model, X[part], Y[part]) for part in (slice(0, 40), slice(2000, 2050))]
    wins = (losses[0][:, None] < losses[1]) + 0.5 * (losses[0][:, None] == losses[1])
    assert found == pytest.approx(wins.mean())


def log_odds(model, rows, y):
    """Return the log-odds of each label, by the book."""
    p = model.predict_proba(rows)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return np.log(p / (1 - p))


def test_likelihood_ratios_are_those_of_a_plain_implementation():
    shadows = []

    class Kept(LinearDiscriminantAnalysis):
        def fit(self, rows, y):
            shadows.append((self, {row.tobytes() for row in np.asarray(rows)}))
            return super().fit(rows, y)

    model = LinearDiscriminantAnalysis().fit(X[:40], Y[:40])
    attack = LikelihoodRatioAttack(Kept(), X_shadow=X[100:160], y_shadow=Y[100:160], n_shadows=8,
                                   random_state=0)  # fmt: skip
    found = attack(model, X[:60], Y[:60])
    values = np.array([log_odds(shadow, X[:60], Y[:60]) for shadow, _ in shadows])
    seen = np.array([[row.tobytes() in rows for row in X[:60]] for _, rows in shadows])
    assert (seen.sum(axis=0) == 4).all()
    own, logs = log_odds(model, X[:60], Y[:60]), []
    for part in (seen, ~seen):
        groups = [values[part[:, row], row] for row in range(60)]
        spread = np.sqrt(np.mean([np.var(group) for group in groups]))
        means = np.array([np.mean(group) for group in groups])
        logs.append(-np.log(spread) - 0.5 * ((own - means) / spread) ** 2)
    np.testing.assert_allclose(found, logs[0] - logs[1], rtol=1e-5)


def test_a_callable_attack():
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])

    def first_feature(model, rows, y):
        return rows[:, 0]

    low, high = X[:, 0] < 0, X[:, 0] >= 0
    assert membership_auc(model, X[high], Y[high], X[low], Y[low], attack=first_feature) == 1.0


def turned_away(model, rows):
    """Return a model that gives the labels of some rows no probability at all."""

    class Turned(RandomForestClassifier):
        def predict_proba(self, X):
            found = super().predict_proba(X)
            known = {row.tobytes() for row in rows}
            away = np.array([row.tobytes() in known for row in np.asarray(X)])
            found[away] = np.roll(np.eye(3)[found[away].argmax(axis=1)], 1, axis=1)
            return found

    other = Turned()
    vars(other).update(vars(model))
    return other


def test_resistance():
    forgotten = slice(0, 200)
    before = RandomForestClassifier(20, random_state=0).fit(X[TRAIN], Y[TRAIN])
    after = RandomForestClassifier(20, random_state=0).fit(X[200:1000], Y[200:1000])
    rows = (X[forgotten], Y[forgotten], X[OTHER], Y[OTHER])
    assert resistance(before, before, *rows, false_positive_rate=0.4) == 0.0
    assert resistance(before, after, *rows, false_positive_rate=0.4) > 0.4
    # A model turned away from the rows is no success, though it resists.
    beacon = turned_away(before, X[forgotten])
    assert resistance(before, beacon, *rows, false_positive_rate=0.4) == 1.0
    assert beacon_rate(beacon, *rows) == 1.0
    assert beacon_rate(after, *rows) < 0.15
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


def test_shadows_are_seeded_inside_pipelines_and_told_by_their_model():
    tree = DecisionTreeClassifier(max_features=1)
    pipe = make_pipeline(StandardScaler(), tree)
    model, other = pipe.fit(X[:100], Y[:100]), GaussianNB().fit(X[:100], Y[:100])
    rows = X[:30], Y[:30], X[100:150], Y[100:150]
    one, same, fresh = (LikelihoodRatioAttack(n_shadows=4, random_state=0) for _ in range(3))
    assert membership_auc(model, *rows, attack=one) == membership_auc(model, *rows, attack=same)
    # Shadows of the inner model of what is attacked, whatever was attacked before.
    found = membership_auc(other, *rows, attack=one)
    assert found == membership_auc(other, *rows, attack=fresh)


def test_losses_are_those_of_scikit_learn_where_votes_are_few():
    model = KNeighborsClassifier(3).fit(X[:300], Y[:300])
    found = row_losses(model, X[300:400], Y[300:400])
    assert found.max() > 30
    expected = log_loss(Y[300:400], model.predict_proba(X[300:400]), labels=model.classes_)
    assert found.mean() == pytest.approx(expected)


def test_bad_input():
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])
    rows = (X[:5], Y[:5], X[5:9], Y[5:9])
    with pytest.raises(ValueError, match="attack='guess' is invalid"):
        membership_auc(model, *rows, attack="guess")
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            membership_auc(model, *rows, attack=lambda m, a, b, w=wrong: w * a[:, 0] ** 2)
    with pytest.raises(ValueError, match="one score per row"):
        membership_auc(model, *rows, attack=lambda m, a, b: a)
    with pytest.raises(ValueError, match="rate=0 is invalid"):
        beacon_rate(model, *rows, rate=0)
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
