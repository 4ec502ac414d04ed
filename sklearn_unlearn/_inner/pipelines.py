"""The steps of a pipeline: found, parted, put together again."""

from copy import copy

from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags


def fitted_steps(steps):
    """Return the names of those steps of a pipeline that learn from its rows."""
    return [
        name
        for name, step in steps
        if step not in (None, "passthrough") and get_tags(step).requires_fit
    ]


def active_steps(pipeline):
    """Return the steps of a pipeline that are not passed through."""
    return [step for _, step in pipeline.steps if step not in (None, "passthrough")]


def last_step(model):
    """Return the last step of a pipeline, or the model itself."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def nested_estimators(model):
    """Return all estimators inside a model, and their parts, but for steps passed through."""
    values = model.get_params(deep=True).values()
    return [value for value in values if hasattr(value, "get_params")]


# Parameters by which scikit-learn's estimators say that they may write to their input.
_COPIES = ("copy", "copy_X")


def may_write(model):
    """Tell whether a model says that its ``fit`` or ``transform`` may write to its input."""
    return any(
        name.rpartition("__")[2] in _COPIES and value is not None and not value
        for name, value in model.get_params(deep=True).items()
    )


def out_of_reach(rows, model):
    """Name what still holds forgotten rows because it is the user's own."""
    parts = list(rows.leftovers)
    if isinstance(model, Pipeline) and model.memory is not None:
        parts.append("the pipeline's cache (memory)")
    return parts + [f"{name}, which is frozen" for name in frozen_parts(model)]


# What most parameters are.
_PLAIN = {type(None), bool, int, float, str}


def frozen_parts(model, name="the model"):
    """Return the names of the parts of a model, parts of parts included, that are frozen."""
    if isinstance(model, FrozenEstimator):
        return [name]
    if isinstance(model, (list, tuple)):
        # Steps of a pipeline, or transformers of columns: what comes first is the name.
        named = [(f"the step {part[0]!r}", part[1]) for part in model if _is_named(part)]
    elif isinstance(model, BaseEstimator):
        named = [
            (key, part)
            for key, part in vars(model).items()
            if type(part) not in _PLAIN and not key.endswith("_")
        ]
    else:
        return []
    return [found for key, part in named for found in frozen_parts(part, key)]


def _is_named(part):
    """Tell whether a part is a tuple of a name and an estimator, and perhaps columns."""
    return isinstance(part, (list, tuple)) and len(part) > 1 and isinstance(part[0], str)


def cloned_like(blank, fitted):
    """Return an unfitted clone of a model that hands out containers as a fitted one does.

    The only private name of scikit-learn here is that under which set_output is remembered.
    """
    new = clone(blank)
    parts = {"": new, **new.get_params()}
    for name, part in {"": fitted, **fitted.get_params()}.items():
        config = getattr(part, "_sklearn_output_config", None)
        if config and hasattr(parts.get(name), "set_output"):
            parts[name].set_output(**config)
    return new


def split_pipeline(model):
    """Return the fitted transformers of a model, None if it has none, and its last step."""
    if not isinstance(model, Pipeline):
        return None, model
    last = model.steps[-1][1]
    if len(model.steps) == 1 or not active_steps(model[:-1]):
        return None, last
    return model[:-1], last


def joined_pipeline(model, transformers, last):
    """Return a copy of a model with other fitted transformers and last step."""
    if not isinstance(model, Pipeline):
        return last
    joined = copy(model)
    steps = model.steps[:-1] if transformers is None else transformers.steps
    joined.steps = [*steps, (model.steps[-1][0], last)]
    return joined
