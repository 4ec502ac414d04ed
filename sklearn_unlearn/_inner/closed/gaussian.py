"""How a GaussianNB forgets: the moments of its classes go backward."""

from sklearn_unlearn._inner.closed.moments import from_moments


def _written(model, moments, touched):
    """Return the fitted attributes of a GaussianNB."""
    if model.priors is not None and len(model.priors) != len(moments.weights):
        return None
    if not (moments.weights > 0).all():
        return None
    epsilon = model.var_smoothing * moments.variances().max()
    found = {
        "class_count_": moments.weights,
        "theta_": moments.means,
        "var_": moments.squares / moments.weights[:, None] + epsilon,
        "epsilon_": epsilon,
    }
    if model.priors is None:
        found["class_prior_"] = moments.weights / moments.weights.sum()
    return found


GAUSSIAN = from_moments(_written, full=False)
