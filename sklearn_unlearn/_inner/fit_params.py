"""Which parameters of ``fit`` reach which part of an inner estimator, for which rows."""

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline

from sklearn_unlearn._inner.pipelines import split_pipeline
from sklearn_unlearn._records.rows import count_rows, take_rows, wiped, writable


def per_row(params, n_rows, rows):
    """Restrict those fit parameters that have one value per row to some rows."""
    return {
        name: take_rows(value, rows) if has_rows(value, n_rows) else value
        for name, value in params.items()
    }


def has_rows(value, n_rows):
    """Tell whether a fit parameter has one entry per row."""
    sized = hasattr(value, "shape") or isinstance(value, (list, tuple))
    return sized and np.ndim(value) > 0 and count_rows(value) == n_rows


def copied(params, n_rows):
    """Return fit parameters, those with one value per row as arrays of their own."""
    return {
        name: np.array(value) if has_rows(value, n_rows) else value
        for name, value in params.items()
    }


def erase_rows(params, n_rows, rows):
    """Remove the values of some rows from fit parameters; a repeated call changes nothing."""
    for name, value in params.items():
        if has_rows(value, n_rows):
            params[name] = wiped(value, rows)


def owned(params, n_rows):
    """Return fit parameters, those with one value per row as writable arrays."""
    return {
        name: writable(value) if has_rows(value, n_rows) else value
        for name, value in params.items()
    }


def sample_weight(inner, fit_params):
    """Return the sample weights that reach the last step, None if there are none."""
    if not isinstance(inner, Pipeline):
        return fit_params.get("sample_weight")
    name, last = inner.steps[-1]
    if not get_config()["enable_metadata_routing"]:
        return fit_params.get(f"{name}__sample_weight")
    if last.get_metadata_routing().consumes("fit", ["sample_weight"]):
        return fit_params.get("sample_weight")
    return None


def named_weights(inner, weights):
    """Return sample weights of the last step as parameters of ``fit``."""
    if not isinstance(inner, Pipeline) or get_config()["enable_metadata_routing"]:
        return {"sample_weight": weights}
    return {f"{inner.steps[-1][0]}__sample_weight": weights}


def transformer_params(inner, fit_params, n_rows):
    """Return the fit parameters of a pipeline's transformers, per-row ones copied."""
    transformers, _ = split_pipeline(inner)
    if transformers is None or not fit_params:
        return {}
    if get_config()["enable_metadata_routing"]:
        router = transformers.get_metadata_routing()
        names = router.consumes("fit", fit_params.keys())
    else:
        names = [name for name in fit_params if not name.startswith(f"{inner.steps[-1][0]}__")]
    return copied({name: fit_params[name] for name in names}, n_rows)
