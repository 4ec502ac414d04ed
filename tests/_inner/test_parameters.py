"""Parameters are read, and written into a copy under every name that they have."""

import numpy as np
import pytest

skorch = pytest.importorskip("skorch")
torch = pytest.importorskip("torch")

from sklearn_unlearn import PUMAUnlearner  # noqa: E402
from sklearn_unlearn._inner.parameters import (  # noqa: E402
    get_parameters,
    with_parameters,
    write_network,
)
from sklearn_unlearn._inner.skorch import NetAdapter  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


class Tied(torch.nn.Module):
    """Two layers that share a weight."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(5, 5, bias=False)
        self.second = torch.nn.Linear(5, 5, bias=False)
        self.second.weight = self.first.weight
        self.last = torch.nn.Linear(5, 2)

    def forward(self, rows):
        return self.last(torch.tanh(self.second(torch.tanh(self.first(rows)))))


def net():
    """Return a net with tied weights."""
    return skorch.NeuralNetClassifier(
        Tied,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=5,
        lr=0.3,
        verbose=0,
        train_split=None,
    )


@pytest.mark.parametrize("name", ["first.weight", "second.weight"])
def test_a_tied_weight_is_written_under_all_its_names(name):
    model = NetAdapter(net(), random_state=0).fit(X, Y)
    value = torch.arange(25.0).reshape(5, 5)
    before = model.net_.module_.first.weight.detach().clone()
    module = write_network(model, {name: value}).net_.module_
    assert module.first.weight is module.second.weight
    assert torch.equal(module.first.weight, value)
    assert torch.equal(model.net_.module_.first.weight, before)


def test_parameters_that_are_read_and_written_are_the_same():
    model = NetAdapter(net(), random_state=0).fit(X, Y)
    parts = [part + 1 for part in get_parameters(model)]
    again = get_parameters(with_parameters(model, parts))
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_the_tied_weights_of_a_forgetting_net_move_as_its_step_says():
    model = PUMAUnlearner(net(), reweight=None, random_state=0).fit(X, Y)
    before = model.estimator_.net_.module_.first.weight.detach().clone()
    model.partial_forget(range(10))
    module = model.estimator_.net_.module_
    assert not torch.equal(module.first.weight, before)
    assert torch.equal(module.first.weight, module.second.weight)
    assert torch.allclose(module.first.weight, model._objective.parameters["first.weight"])
