"""What users ran into."""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVR

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble, model_digest, verify_chain
from sklearn_unlearn.baselines import RetrainUnlearner

X = np.random.RandomState(0).randn(200, 4)
NUMBERS, LABELS = X.sum(axis=1), (X.sum(axis=1) > 0).astype(int)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PUMAUnlearner(Ridge(), reweight=None),
        lambda: RetrainUnlearner(Ridge()),
        lambda: SISAEnsemble(Ridge(), n_shards=2, random_state=0),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_requested_metadata_can_be_copied_and_stored(make, fitted):
    with sklearn.config_context(enable_metadata_routing=True):
        model = make().set_fit_request(X_ids=True)
        if fitted:
            model.fit(X, NUMBERS, X_ids=np.arange(200)).partial_forget([3])
        for other in (pickle.loads(pickle.dumps(model)), deepcopy(model)):
            assert other.get_metadata_routing().consumes("fit", ["X_ids"]) == {"X_ids"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: ArcaneEnsemble(block_size=20, random_state=0),
        lambda: SISAEnsemble(GaussianNB(), n_shards=2, block_size=20, random_state=0),
        lambda: RetrainUnlearner(GaussianNB()),
        lambda: PUMAUnlearner(Ridge(), reweight=None),
    ],
)
def test_rows_that_the_user_changed_before_the_first_request_are_noticed(make):
    given = X.copy()
    y = NUMBERS if isinstance(make(), PUMAUnlearner) else LABELS
    model = make().fit(given, y)
    before = model_digest(model.estimator_)
    given[50:] += 1
    with pytest.raises(ValueError, match="X was changed after fit"):
        model.partial_forget([3, 5])
    assert model_digest(model.estimator_) == before
    given[50:] = X[50:]
    model.partial_forget([3, 5])
    # From now on the rows are private.
    given[:] = 7
    model.partial_forget([9])
    assert not np.isin(7.0, model.training_data(model.rows_of())[0])


def test_added_rows_that_the_user_changed_are_noticed():
    model = SISAEnsemble(GaussianNB(), n_shards=2, random_state=0).fit(X[:150], LABELS[:150])
    more = X[150:].copy()
    model.partial_fit(more, LABELS[150:])
    more[7] = 0
    with pytest.raises(ValueError, match="X was changed after fit"):
        model.partial_forget([3])


def test_subjects_that_were_taken_out_of_a_receipt_are_missed():
    model = PUMAUnlearner(Ridge()).fit(X, NUMBERS).partial_forget([3]).partial_forget([5])
    first, second = model.receipts_
    assert verify_chain([first, second])
    assert not verify_chain([replace(first, subject_digests=()), second])
    assert not verify_chain([first, replace(second, subject_digests=first.subject_digests)])


@pytest.mark.parametrize(
    ("inner", "advice"),
    [
        (GridSearchCV(Ridge(), {"alpha": [1.0]}), "Put the unlearner into GridSearchCV, around"),
        (PUMAUnlearner(Ridge()), "It forgets as it is: pass its estimator"),
        (BaggingRegressor(Ridge()), "Use RetrainUnlearner or SISAEnsemble"),
        (SVR(), "or RetrainUnlearner or SISAEnsemble"),
    ],
    ids=["search", "unlearner", "ensemble", "other model"],
)
def test_advice_is_what_can_be_done(inner, advice):
    with pytest.raises(TypeError, match=advice):
        PUMAUnlearner(inner).fit(X, NUMBERS)
