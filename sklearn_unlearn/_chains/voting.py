"""Ensembles as scikit-learn's own Voting models, for what knows no others."""

import numpy as np
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch


def as_voting_regressor(ensemble):
    """Return a VotingRegressor of fitted regressors; raise where there are several targets."""
    if ensemble.n_outputs_ > 1:
        raise ValueError(
            f"A VotingRegressor predicts one target, this ensemble {ensemble.n_outputs_}. Use the "
            "ensemble as it is."
        )
    return _filled(VotingRegressor(_named(ensemble)), ensemble)


def as_voting_classifier(ensemble):
    """Return a VotingClassifier of fitted classifiers; raise where it would vote otherwise."""
    classes = ensemble.classes_
    if not all(np.array_equal(each.classes_, classes) for each in ensemble.estimators_):
        raise ValueError(
            "Some shards know fewer classes than others, and a VotingClassifier can't tell which. "
            "Use fewer shards, or the ensemble as it is."
        )
    if ensemble.voting == "hard" and not np.array_equal(classes, np.arange(len(classes))):
        raise ValueError(
            'A VotingClassifier with voting="hard" counts labels as numbers from 0 on. Number the '
            "classes so, or use the ensemble as it is."
        )
    # As converters to ONNX want it; of effect for transform alone.
    voting = VotingClassifier(_named(ensemble), voting=ensemble.voting, flatten_transform=False)
    return _filled(voting, ensemble, classes_=classes, le_=LabelEncoder().fit(classes))


def _named(ensemble):
    return [(f"shard{number}", model) for number, model in enumerate(ensemble.estimators_)]


def _filled(voting, ensemble, **attributes):
    """Put fitted models into a Voting model, as its ``fit`` would."""
    voting.estimators_ = list(ensemble.estimators_)
    voting.named_estimators_ = Bunch(**dict(voting.estimators))
    if hasattr(ensemble, "feature_names_in_"):
        voting.feature_names_in_ = ensemble.feature_names_in_
    for name, value in attributes.items():
        setattr(voting, name, value)
    return voting
