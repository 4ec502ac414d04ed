"""Reports and scorers of unlearners that were fitted on data frames."""

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import InfluenceUnlearner, RetrainUnlearner
from sklearn_unlearn.metrics import forgetting_report, make_forget_scorer
from tests.unlearners import classification

X, Y = classification(n_rows=300, n_classes=3)
FRAME = pd.DataFrame(X, columns=list("abcd"), index=[f"row-{i}" for i in range(300)])
TARGETS = pd.Series(Y, index=FRAME.index)
PIPE = make_pipeline(StandardScaler(), LogisticRegression())
UNLEARNERS = [
    PUMAUnlearner(PIPE, random_state=0),
    PUMAUnlearner(LogisticRegression(), reweight=None),
    InfluenceUnlearner(PIPE),
    RetrainUnlearner(PIPE),
    SISAEnsemble(GaussianNB(), n_shards=2, random_state=0),
    ArcaneEnsemble(random_state=0),
]


@pytest.mark.parametrize("unlearner", UNLEARNERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("asked_before", [False, True])
def test_names_of_features_are_kept(unlearner, asked_before):
    model = unlearner.fit(FRAME[:200], TARGETS[:200])
    if asked_before:
        model.partial_forget(["row-3", "row-5"])
    for attack in ("loss", "likelihood_ratio"):
        report = forgetting_report(
            model, ["row-7", "row-9"], FRAME[200:], TARGETS[200:], n_refits=2, attack=attack
        )
        assert report.n_forgotten == 2
    for metric in ("kl", "resistance"):
        scorer = make_forget_scorer(metric, forget=60)
        assert isinstance(scorer(model, FRAME[200:], TARGETS[200:]), float)


def test_inside_pipelines_and_with_frames_as_output():
    pipe = make_pipeline(StandardScaler(), PUMAUnlearner(LogisticRegression(), random_state=0))
    scorer = make_forget_scorer("kl", forget=20)
    assert (cross_val_score(pipe, FRAME, TARGETS, scoring=scorer, cv=3) <= 0).all()
    named = pipe.set_output(transform="pandas")
    assert (cross_val_score(named, FRAME, TARGETS, scoring=scorer, cv=3) <= 0).all()
