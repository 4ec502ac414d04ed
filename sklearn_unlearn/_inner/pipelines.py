"""The steps of a pipeline: found, parted, put together again."""

from copy import copy

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


def out_of_reach(rows, model):
    """Name what still holds forgotten rows because it is the user's own."""
    parts = []
    if rows.on_disk:
        parts.append("the file of the memory-mapped X")
    if isinstance(model, Pipeline) and model.memory is not None:
        parts.append("the pipeline's cache (memory)")
    return parts


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
