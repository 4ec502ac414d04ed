"""What a net is given: its device, its module, weights and a split that is remembered."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length


def check_device(device):
    """Raise for a device that is not there."""
    import torch

    try:
        torch.empty(1, device=device)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(
            f"device={device!r} of the net cannot be used: {str(error).splitlines()[0]} "
            'Use device="cpu".'
        ) from error


def check_built(module):
    """Raise for a module, not a class of modules, that does not know its sizes yet."""
    import torch

    is_lazy = torch.nn.parameter.is_lazy
    if isinstance(module, torch.nn.Module) and any(map(is_lazy, module.parameters())):
        raise ValueError(
            f"The module, a {type(module).__name__}, has lazy layers that are not built. Give "
            "them their sizes, or pass a module that has seen a row."
        )


def scaled_weights(sample_weight, X):
    """Return sample weights with a mean of one, so that steps keep their size."""
    weights = check_array(
        sample_weight, dtype=np.float32, ensure_2d=False, ensure_non_negative=True
    )
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be a 1D array; got shape {weights.shape}. Pass one per row."
        )
    check_consistent_length(X, weights)
    # A batch without weight is one without a step.
    return weights / (weights.mean() or 1)


class RememberedSplit:
    """A ``train_split`` that notes which rows the one inside holds out."""

    def __init__(self, split):
        self.split = split
        self._train = None

    def __bool__(self):
        return bool(self.split)

    def __call__(self, dataset, y=None, **params):
        train, valid = self.split(dataset, y, **params)
        self._train = getattr(train, "indices", None)
        return train, valid

    def held_out(self, n_rows):
        """Return the rows that were held out."""
        if self._train is None:
            return np.empty(0, dtype=np.intp)
        return np.setdiff1d(np.arange(n_rows), np.asarray(self._train))
