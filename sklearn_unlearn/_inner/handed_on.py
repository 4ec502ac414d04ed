"""What an unlearner hands on to its fitted inner estimator."""

from typing import Any

from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.declared import adopt_kind

# Docstrings of the methods that are handed on to the fitted inner estimator.
_HANDED_ON = """{summary}

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as the inner estimator takes them.

        Returns
        -------
        {returns}
        """


def _inner_has(name):
    """Return a check for :func:`available_if`: has the inner estimator this method?"""

    def check(self):
        getattr(self._model, name)
        return True

    return check


def _hand_on(name, summary, returns):
    """Return a method that calls the method of the same name on ``estimator_``."""

    def method(self, X):
        check_is_fitted(self)
        return getattr(self.estimator_, name)(X)

    method.__name__ = name
    method.__qualname__ = f"HandedOnMixin.{name}"
    method.__doc__ = _HANDED_ON.format(summary=summary, returns=returns)
    return available_if(_inner_has(name))(method)


class HandedOnMixin:
    """Predictions, scores, routing and tags of the estimator inside.

    A subclass has ``estimator_`` when it is fitted, ``_model`` at any time, and says which is the
    unfitted estimator inside (``_inner``).
    """

    estimator_: Any

    predict = _hand_on("predict", "Predict targets.", "ndarray of shape (n_samples,)")
    predict_proba = _hand_on(
        "predict_proba",
        "Predict class probabilities.",
        "ndarray of shape (n_samples, n_classes)",
    )
    predict_log_proba = _hand_on(
        "predict_log_proba",
        "Predict logarithms of class probabilities.",
        "ndarray of shape (n_samples, n_classes)",
    )
    decision_function = _hand_on(
        "decision_function",
        "Return confidence scores.",
        "ndarray of shape (n_samples,) or (n_samples, n_classes)",
    )

    @available_if(_inner_has("score"))
    def score(self, X: Any, y: ArrayLike, **params: Any) -> float:
        """Return the score of the fitted inner estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Test rows.

        y : array-like of shape (n_samples,)
            Targets.

        **params : dict
            Further parameters of the inner estimator's ``score``.

        Returns
        -------
        float
            Accuracy of a classifier, R^2 of most regressors.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, **self._route(params, "score"))

    def _route(self, params, method):
        """Return the parameters that go to ``method`` of the inner estimator."""
        if params and get_config()["enable_metadata_routing"]:
            return process_routing(self, method, **params).estimator[method]
        return params

    def get_metadata_routing(self):
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Routing information: the unlearner's own requests and the inner estimator's.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=self._inner(),
                method_mapping=MethodMapping()
                .add(caller="fit", callee="fit")
                .add(caller="score", callee="score"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner())
        adopt_kind(tags, inner)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        return tags
