"""skorch nets as scikit-learn estimators; the one place that works around their habits."""

import threading
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

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


def _is_one_class(self):
    """Tell whether the net is neither a classifier nor a regressor."""
    return not is_classifier(self.net) and not is_regressor(self.net)


def _predicts_classes(self):
    return is_classifier(self.net)


class NetAdapter(BaseEstimator):
    """A skorch net with scikit-learn's manners.

    It takes rows of any float dtype and data frames, labels of any kind, one-dimensional
    regression targets; it draws all random numbers from its seed, holds no rows out, keeps
    no clock times, and lets an interrupt through.

    Parameters
    ----------
    net : skorch.NeuralNet
        Unfitted net. One that is neither a classifier nor a regressor is a one-class net,
        whose output is the score of a row; its loss must not need targets.

    random_state : int, RandomState instance or None, default=None
        Seeds initial parameters, the order of rows and dropout.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net.

    classes_ : ndarray of shape (n_classes,)
        Labels; only for classifiers.
    """

    def __init__(self, net, random_state=None):
        self.net = net
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit a new net for its ``max_epochs``."""
        vars(self).pop("net_", None)
        return self.partial_fit(X, y)

    def partial_fit(self, X, y=None, classes=None):
        """Train the net for another ``max_epochs``, its optimiser going on as it was."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        new = not hasattr(self, "net_")
        net = clone(self.net).set_params(train_split=None) if new else self.net_
        with torch_seed(seed):
            if new:
                if is_classifier(net):
                    self.classes_ = np.unique(y if classes is None else classes)
                if any(name == "epoch_timer" for name, _ in net.get_default_callbacks()):
                    net.set_params(callbacks__epoch_timer=None)
                net.initialize()
            X, y = self._rows(net, X), self._targets(y)
            # Not net.partial_fit, which swallows KeyboardInterrupt.
            net.notify("on_train_begin", X=X, y=y)
            net.fit_loop(X, y)
            net.notify("on_train_end", X=X, y=y)
        self.net_ = net
        return self

    def _rows(self, net, X):
        """Return rows in the dtype of the net's parameters; whole numbers stay whole."""
        X = check_array(X, accept_sparse="csr", dtype=None, allow_nd=True, ensure_2d=False)
        if X.dtype.kind != "f":
            return X
        parameter = next(net.module_.parameters(), None)
        dtype = "float32" if parameter is None else str(parameter.dtype).removeprefix("torch.")
        return X.astype(dtype, copy=False)

    def _targets(self, y):
        """Return targets as the net's criterion takes them."""
        if y is None:
            return None
        if is_regressor(self.net):
            y = np.asarray(y, dtype=np.float32)
            self._one_target = y.ndim == 1
            return y.reshape(len(y), -1)
        codes = np.searchsorted(self.classes_, y)
        unknown = self.classes_[np.minimum(codes, len(self.classes_) - 1)] != y
        if np.any(unknown):
            raise ValueError(
                f"y has the label {np.asarray(y)[unknown].tolist()[0]!r}, which is not among the "
                f"classes of the first call, {self.classes_.tolist()}. Pass all as `classes`."
            )
        return codes.astype(np.float32 if self._is_binary() else np.int64)

    def _is_binary(self):
        return any(kind.__name__ == "NeuralNetBinaryClassifier" for kind in type(self.net).__mro__)

    def _output(self, method, X):
        check_is_fitted(self, "net_")
        return getattr(self.net_, method)(self._rows(self.net_, X))

    def predict(self, X):
        """Predict labels, targets, or 1 for inliers and -1 for outliers."""
        if is_classifier(self.net) and not self._is_binary():
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        predicted = self._output("predict", X)
        if is_classifier(self.net):
            return self.classes_[np.asarray(predicted, dtype=np.intp)]
        if is_regressor(self.net):
            return predicted[:, 0] if self._one_target else predicted
        return np.where(predicted.reshape(len(predicted)) >= 0, 1, -1)

    @available_if(_predicts_classes)
    def predict_proba(self, X):
        """Predict class probabilities."""
        proba = self._output("predict_proba", X)
        if proba.shape[1] > len(self.classes_):
            # The module has outputs for labels that are gone.
            proba = proba[:, : len(self.classes_)]
            proba = proba / proba.sum(axis=1, keepdims=True)
        return proba

    @available_if(_is_one_class)
    def decision_function(self, X):
        """Return the net's output, high for rows of the class."""
        score = self._output("predict", X)
        return score.reshape(len(score))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.net)
        for name in ("estimator_type", "classifier_tags", "regressor_tags", "target_tags"):
            setattr(tags, name, getattr(inner, name))
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")


def adapted(estimator):
    """Return an estimator as it is, a net, alone or as the last step of a pipeline, adapted."""
    if is_net(estimator):
        return NetAdapter(estimator)
    if isinstance(estimator, Pipeline) and is_net(estimator.steps[-1][1]):
        name, net = estimator.steps[-1]
        return clone(estimator).set_params(**{name: NetAdapter(net)})
    return estimator
