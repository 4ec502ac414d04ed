"""Which model judges the labels?"""

from scipy import sparse
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._mislabel.epochs import trains_by_epochs
from sklearn_unlearn._mislabel.labels import are_targets
from sklearn_unlearn._mislabel.members import checked_members, judge_of
from sklearn_unlearn._mislabel.pool import PooledClassifier, PooledRegressor
from sklearn_unlearn._mislabel.tables import check_no_texts, check_numbers
from sklearn_unlearn.puma import PUMAUnlearner

# Methods that no linear model serves, and what they need.
NEEDED = {
    "oob": "a forest or bagging estimator with oob_score=True",
    "aum": 'a classifier that is trained by epochs: a network, or SGDClassifier(loss="log_loss")',
}


def judging_model(estimator, method, X, y, **settings):
    """Return the unfitted model: the user's, a pool of models, or a linear model.

    Parameters
    ----------
    estimator : estimator, list of (str, estimator) or None
        What the user gave.

    method : str or callable
        How labels are scored.

    X : {array-like, sparse matrix}
        Rows.

    y : ndarray of shape (n_samples,)
        Labels or targets.

    **settings : dict
        Parameters of a pool.

    Returns
    -------
    estimator
        Unfitted; nets are adapted.

    Raises
    ------
    ValueError
        If the method takes one estimator, and there is a list; or X suits no model that is
        taken by default.

    TypeError
        If there is no estimator, and the method needs one; or it is none.
    """
    if isinstance(estimator, PUMAUnlearner):
        estimator = estimator.estimator
    many = isinstance(estimator, (list, tuple))
    given = None if many or estimator is None else judge_of(estimator)
    suits = given is None or trains_by_epochs(given)
    pools = method == "pool" or (method == "auto" and suits)
    if many and not pools:
        raise ValueError(
            f"method={method!r} takes one estimator, and estimator is a list of "
            f'{len(estimator)}: use method="pool".'
        )
    if estimator is None:
        if method in NEEDED:
            raise TypeError(f"method={method!r} needs {NEEDED[method]} as estimator.")
        check_no_texts(X)
        if not pools:
            check_numbers(X, method)
        classify = not are_targets(y)
    elif pools:
        estimator = checked_members(estimator if many else [("estimator", estimator)])
        classify = is_classifier(estimator[0][1])
    else:
        return given
    if pools:
        return (PooledClassifier if classify else PooledRegressor)(estimator, **settings)
    # Sparse rows would be dense, were they centred.
    scaler = StandardScaler(with_mean=not sparse.issparse(X))
    return make_pipeline(scaler, LogisticRegression(max_iter=1000) if classify else Ridge())


def input_tags(estimator, method, usual):
    """Return the tags of what X may be.

    Parameters
    ----------
    estimator : estimator, list of (str, estimator) or None
        What the user gave.

    method : str or callable
        How labels are scored.

    usual : sklearn.utils.InputTags
        Those of any estimator; changed in place where there is no estimator, or a list.

    Returns
    -------
    sklearn.utils.InputTags
        The tags.
    """
    if isinstance(estimator, (list, tuple)):
        parts = [get_tags(adapted(model)).input_tags for _, model in estimator]
        usual.sparse = all(part.sparse for part in parts)
        usual.allow_nan = all(part.allow_nan for part in parts)
    elif estimator is not None:
        return get_tags(adapted(estimator)).input_tags
    else:
        usual.sparse = True
        usual.allow_nan = usual.string = usual.categorical = method in ("auto", "pool")
    return usual
