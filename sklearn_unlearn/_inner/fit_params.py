"""Which parameters of ``fit`` reach which part of an inner estimator, for which rows."""

from numbers import Number

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

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
    sized = isinstance(value, (list, tuple)) or any(
        hasattr(value, name) for name in ("shape", "__array__")
    )
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
    """Return the sample weights that reach the last step, whatever their name, None if none do."""
    if not fit_params:
        return None
    routed = get_config()["enable_metadata_routing"]
    if routed:
        router = MetadataRouter(owner=inner).add(
            inner=inner, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )
        fit_params = router.route_params(params=fit_params, caller="fit").inner.fit
    if not isinstance(inner, Pipeline):
        return fit_params.get("sample_weight")
    name = inner.steps[-1][0]
    if not routed:
        return fit_params.get(f"{name}__sample_weight")
    if not fit_params:
        return None
    return process_routing(inner, "fit", **fit_params)[name].fit.get("sample_weight")


def with_weights(inner, fit_params, weights):
    """Return fit parameters with sample weights, those of a pipeline going to its last step."""
    if weights is None:
        return fit_params
    if not isinstance(weights, Number):
        weights = np.asarray(weights)
    if not isinstance(inner, Pipeline) or get_config()["enable_metadata_routing"]:
        return {**fit_params, "sample_weight": weights}
    return {**fit_params, f"{inner.steps[-1][0]}__sample_weight": weights}


def transformer_params(inner, fit_params):
    """Return those fit parameters that reach a pipeline's transformers."""
    transformers, _ = split_pipeline(inner)
    if transformers is None or not fit_params:
        return {}
    if get_config()["enable_metadata_routing"]:
        router = transformers.get_metadata_routing()
        names = router.consumes("fit", fit_params.keys())
    else:
        names = [name for name in fit_params if not name.startswith(f"{inner.steps[-1][0]}__")]
    return {name: fit_params[name] for name in names}
