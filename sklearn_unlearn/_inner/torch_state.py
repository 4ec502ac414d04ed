"""The state of torch's objects: seeded, copied, pickled by value."""

import threading
from contextlib import contextmanager

_generator = threading.RLock()


def is_net(estimator):
    """Tell whether an estimator is a skorch net, without importing skorch."""
    return any(kind.__module__.startswith("skorch.") for kind in type(estimator).__mro__)


@contextmanager
def torch_seed(seed):
    """Seed torch for a while; afterwards its global state is as it was."""
    import torch

    # There is one generator for all threads.
    with _generator, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def reduce_torch(value):
    """Return how a tensor or a net is pickled by its values, NotImplemented for all else.

    torch pickles a tensor together with its address in memory, and skorch hands its modules
    to a pickler of its own: equal nets would have different bytes.
    """
    kind = type(value)
    if kind.__module__.startswith("torch") and hasattr(value, "untyped_storage"):
        array = value.detach().cpu().numpy()
        made_of = (array, str(value.device), value.requires_grad, kind.__name__ == "Parameter")
        return _make_tensor, made_of
    if is_net(value) and hasattr(value, "cuda_dependent_attributes_"):
        return _blank, (kind,), vars(value), None, None, _fill
    return NotImplemented


def _make_tensor(array, device, requires_grad, is_parameter):
    """Return the tensor that was pickled."""
    import torch

    tensor = torch.tensor(array, device=device)
    if is_parameter:
        return torch.nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def _blank(kind):
    """Return an object of a class without its state."""
    return kind.__new__(kind)


def _fill(instance, state):
    """Give an object its state."""
    vars(instance).update(state)


def alias(instance):
    """Return another object with the same attributes, whatever copying or pickling would do."""
    other = _blank(type(instance))
    vars(other).update(vars(instance))
    return other
