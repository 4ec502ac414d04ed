"""The registry: how a transformer of which class forgets."""

from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import get_tags

from sklearn_unlearn._inner.forgetting.changes import Change
from sklearn_unlearn._inner.forgetting.components import COMPONENTS
from sklearn_unlearn._inner.forgetting.encoding import ONE_HOT, ORDINAL
from sklearn_unlearn._inner.forgetting.extremes import BINS, MAX_ABS, MIN_MAX
from sklearn_unlearn._inner.forgetting.imputing import IMPUTER
from sklearn_unlearn._inner.forgetting.learning_nothing import FUNCTION, LEARNS_NOTHING
from sklearn_unlearn._inner.forgetting.quantiles import RANKS, ROBUST
from sklearn_unlearn._inner.forgetting.rules import Rule
from sklearn_unlearn._inner.forgetting.scaling import SCALER
from sklearn_unlearn._inner.forgetting.texts import COUNTS, TFIDF, TFIDF_TEXT

# By exact class: what a subclass changes is not known here.
RULES: dict[type, Rule] = {
    CountVectorizer: COUNTS,
    FunctionTransformer: FUNCTION,
    KBinsDiscretizer: BINS,
    MaxAbsScaler: MAX_ABS,
    MinMaxScaler: MIN_MAX,
    OneHotEncoder: ONE_HOT,
    OrdinalEncoder: ORDINAL,
    PCA: COMPONENTS,
    PolynomialFeatures: LEARNS_NOTHING,
    QuantileTransformer: RANKS,
    RobustScaler: ROBUST,
    SimpleImputer: IMPUTER,
    StandardScaler: SCALER,
    TfidfTransformer: TFIDF,
    TfidfVectorizer: TFIDF_TEXT,
}

# A PCA that draws at random gives in its fit other scores than in ``transform``.
UNSURE = {PCA}
# What these make of a row depends on their fit and on that row alone, and their fit_transform is
# their fit and their transform. Of classes that are registered later nothing is known.
KNOWN = frozenset({*RULES.keys() - UNSURE, ColumnTransformer, FeatureUnion, Pipeline})


def maps_each_row_alone(estimators):
    """Tell whether transformers are known to map each row by itself, as they do in ``fit``.

    Parameters
    ----------
    estimators : list of estimator
        The transformers, and those inside them.

    Returns
    -------
    bool
        False where it has to be tried, as with functions of the user's own.
    """
    return all(
        type(one) in KNOWN
        and not any(
            callable(value) and not isinstance(value, type)
            for value in one.get_params(deep=False).values()
        )
        for one in estimators
    )


def ignore_targets(estimators):
    """Tell whether transformers are known to learn nothing from targets.

    Parameters
    ----------
    estimators : list of estimator
        The transformers, and those inside them.
    """
    return all(type(one) in KNOWN | UNSURE or not get_tags(one).requires_fit for one in estimators)


def register(cls, forget, change=None):
    """Let fitted transformers of exactly a class forget by a function.

    Parameters
    ----------
    cls : type
        The class.

    forget : callable
        See :class:`Rule`.

    change : callable, default=None
        Takes the old and the new transformer. Returns scale and shift, each of shape
        (n_columns,), by which the new output is ``old * scale + shift``.
    """

    def change_of(old, new, kept, input_change):
        return Change(*change(old, new)) if input_change.is_same else None

    def checked(step, removed, kept, remaining):
        found = forget(step, removed, kept, remaining)
        if found is None or (isinstance(found, tuple) and len(found) == 2):
            return found
        raise TypeError(
            f"The function that is registered for {cls.__name__} returned {type(found).__name__}; "
            "it must return (transformer, kept), or None if the transformer has to be fitted anew."
        )

    RULES[cls] = Rule(checked, None if change is None else change_of)
