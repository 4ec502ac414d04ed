"""The one-class network: its loss, its normalisation, and its training."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from sklearn_unlearn import one_class  # noqa: E402
from sklearn_unlearn.one_class import HRNOneClass  # noqa: E402
from sklearn_unlearn.one_class.hrn import _normalised  # noqa: E402


def test_loss():
    X = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    model = HRNOneClass(hidden_layer_sizes=(5,), penalty=0.3, power=4, random_state=0).fit(X)
    rows = torch.tensor(_normalised(X), dtype=torch.float64, requires_grad=True)
    first, last = (layer.weight.double() for layer in list(model.net_.module_)[::2])
    logits = torch.nn.functional.leaky_relu(rows @ first.T) @ last.T
    (gradient,) = torch.autograd.grad(logits.sum(), rows)
    norms = gradient.norm(dim=1)
    expected = torch.log1p(torch.exp(-logits)).mean() + 0.3 * (norms**4).mean()
    net = model.net_
    loss = net.get_loss(net.infer(torch.tensor(_normalised(X))), None, training=True)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert not any("bias" in name for name, _ in net.module_.named_parameters())


def test_the_penalty_holds_the_gradient_down():
    X = np.random.default_rng(0).standard_normal((200, 6))
    steep, flat = (
        HRNOneClass(hidden_layer_sizes=(20,), penalty=penalty, random_state=0).fit(X)
        for penalty in (0, 10)
    )
    assert steep.score_samples(X).mean() > 2 * flat.score_samples(X).mean()


def test_no_statistics_of_other_rows():
    X = np.random.default_rng(0).standard_normal((9, 5))
    whole = _normalised(X)
    np.testing.assert_allclose(whole.mean(axis=1), 0, atol=1e-7)
    assert (_normalised(X[3:4]) == whole[3]).all()
    np.testing.assert_allclose(_normalised(7 * X), whole, rtol=1e-4, atol=1e-6)
    assert (_normalised(np.zeros((1, 5))) == 0).all()


def test_digits():
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    scores = [
        HRNOneClass(max_epochs=60, random_state=0).fit(train[y_train == digit]).score_samples(test)
        for digit in range(10)
    ]
    assert (np.argmax(scores, axis=0) == y_test).mean() > 0.93


def test_seeds():
    X = np.random.default_rng(0).standard_normal((50, 6))
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    a, b, c = (
        HRNOneClass(max_epochs=2, random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1)
    )
    assert (a == b).all()
    assert (a != c).any()
    # The user's own random numbers are not touched.
    assert (torch.random.get_rng_state() == state).all()


def test_contamination():
    X = np.random.default_rng(0).standard_normal((200, 6))
    model = HRNOneClass(max_epochs=2, contamination=0.2, random_state=0)
    assert (model.fit_predict(X) == -1).sum() == 40
    with pytest.raises(ValueError, match=r"contamination=0\.7"):
        HRNOneClass(contamination=0.7).fit(X)


def test_it_is_found_without_importing_torch_before():
    assert one_class.HRNOneClass is HRNOneClass
    with pytest.raises(AttributeError, match="Nothing"):
        _ = one_class.Nothing
