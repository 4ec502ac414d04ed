import pickle
from copy import copy, deepcopy

import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge

from sklearn_unlearn import PUMAUnlearner, __version__
from sklearn_unlearn._records import state


@pytest.mark.parametrize("found", [(99, "7.1"), None])
def test_a_state_of_another_version_is_refused_with_both_versions(found):
    model = PUMAUnlearner(Ridge())
    stored = model.__getstate__()
    stored.pop("_state_version")
    if found:
        stored["_state_version"] = found
    number, release = found or (None, "an unknown release")
    text = f"{release} with state version {number}; sklearn_unlearn {__version__} reads version 1"
    with pytest.raises(ValueError, match=text):
        PUMAUnlearner(Ridge()).__setstate__(stored)


def test_an_older_release_names_both_versions(monkeypatch):
    stored = pickle.dumps(PUMAUnlearner(Ridge()))
    monkeypatch.setattr(state, "STATE_VERSION", 2)
    with pytest.raises(ValueError, match=r"state version 1; .* reads version 2"):
        pickle.loads(stored)


@pytest.mark.parametrize("how", [copy, deepcopy, clone, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_hold_no_version_of_their_own(how):
    assert "_state_version" not in vars(how(PUMAUnlearner(Ridge())))
