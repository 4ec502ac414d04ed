"""The registry: how a model of which class forgets in closed form."""

from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.neighbors import NearestCentroid

from sklearn_unlearn._inner.closed.categories import CATEGORIES
from sklearn_unlearn._inner.closed.centroids import CENTROIDS
from sklearn_unlearn._inner.closed.counts import BERNOULLI, COMPLEMENT, MULTINOMIAL
from sklearn_unlearn._inner.closed.discriminant import LINEAR, QUADRATIC
from sklearn_unlearn._inner.closed.dummies import CLASSIFIER, REGRESSOR
from sklearn_unlearn._inner.closed.gaussian import GAUSSIAN
from sklearn_unlearn._inner.closed.rules import ClosedForm
from sklearn_unlearn._inner.forgetting.rules import Rule
from sklearn_unlearn._inner.forgetting.table import RULES

# By exact class: what a subclass changes is not known here. Nearest neighbours and kernel
# densities have no entry: their fit is a copy of the rows, and a tree of them.
CLOSED_FORMS: dict[type, ClosedForm] = {
    BernoulliNB: BERNOULLI,
    CategoricalNB: CATEGORIES,
    ComplementNB: COMPLEMENT,
    DummyClassifier: CLASSIFIER,
    DummyRegressor: REGRESSOR,
    GaussianNB: GAUSSIAN,
    LinearDiscriminantAnalysis: LINEAR,
    MultinomialNB: MULTINOMIAL,
    NearestCentroid: CENTROIDS,
    QuadraticDiscriminantAnalysis: QUADRATIC,
}


def closed_form(model):
    """Return how a fitted model forgets in closed form, None if it does not.

    Parameters
    ----------
    model : estimator
        Fitted; a transformer forgets as inside a pipeline.

    Returns
    -------
    ClosedForm or None
        The rule for its class.
    """
    form = CLOSED_FORMS.get(type(model))
    if form is not None:
        return form if form.suits is None or form.suits(model) else None
    rule = RULES.get(type(model))
    return None if rule is None or not rule.learns else _of_transformer(rule)


def _of_transformer(rule: Rule) -> ClosedForm:
    """Return the rule of a transformer as that of a model."""

    def forget(model, request, kept):
        if request.part.weights is not None:
            return None
        found = rule.forget(model, request.part.X, kept, lambda: request.remaining().X)
        if found is None:
            return None
        return *found, 0 if rule.lost is None else rule.lost(model, kept, *found)

    return ClosedForm(forget)
