"""What a model will say to rows, before it is given them."""

from sklearn.utils import check_array, get_tags

from sklearn_unlearn._inner.pipelines import active_steps


def check_values(X, model):
    """Raise for rows of numbers that a model could not be trained on.

    Parameters
    ----------
    X : array-like
        The rows.

    model : estimator
        The model, fitted or not. What its tags do not tell, such as which columns of a table
        may hold NaN, is left to its training.

    Raises
    ------
    ValueError
        If a row holds NaN or infinity, and the model does not take them.
    """
    first = _first_that_checks(model)
    if first is None or not _takes_numbers(first):
        return
    if get_tags(first).input_tags.allow_nan:
        # Transformers pass NaN on, not infinity; trees take both.
        finite = "allow-nan" if hasattr(first, "transform") else False
    else:
        finite = True
    check_array(
        X,
        accept_sparse=True,
        ensure_all_finite=finite,
        allow_nd=True,
        estimator=first,
        input_name="X",
    )


def _first_that_checks(model):
    """Return the first step of a model that looks at its input, None if none does."""
    steps = active_steps(model) if hasattr(model, "steps") else [model]
    return next((step for step in steps if not get_tags(step).no_validation), None)


def _takes_numbers(step):
    """Tell whether every column that a step is given has to be numbers."""
    kinds = get_tags(step).input_tags
    if hasattr(step, "transformers") or hasattr(step, "transformer_list"):
        return False
    return kinds.two_d_array and not (kinds.string or kinds.categorical or kinds.dict)


def learns_from_numbers(estimator):
    """Tell whether a model that learns block by block makes the same of a frame and its numbers.

    That is known of scikit-learn's models and our own, which turn a frame into an array
    before anything else. A model that others wrote, or one that holds others, may look at columns.
    """
    known = type(estimator).__module__.partition(".")[0] in ("sklearn", "sklearn_unlearn")
    holds = any(hasattr(value, "get_params") for value in estimator.get_params().values())
    return known and not holds and hasattr(estimator, "partial_fit")
