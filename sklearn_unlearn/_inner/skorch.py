"""skorch nets as scikit-learn estimators; the one place that works around their habits."""

import dis
import warnings
from contextlib import contextmanager
from copy import copy

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_unlearn._inner.callbacks import CallbackSupportMixin, with_callbacks
from sklearn_unlearn._inner.declared import adopt_kind, check_some_weight
from sklearn_unlearn._inner.net_parts import (
    RememberedSplit,
    check_built,
    check_device,
    scaled_weights,
)
from sklearn_unlearn._inner.torch_state import alias, is_net, torch_seed


def _is_one_class(self):
    """Tell whether the net is neither a classifier nor a regressor."""
    return not is_classifier(self.net) and not is_regressor(self.net)


def _has_targets(self):
    return not _is_one_class(self)


def _predicts_classes(self):
    return is_classifier(self.net)


_WEIGHT = "sample_weight"


def _dtype(net):
    """Return the name of the dtype of a net's parameters."""
    floats = (p for p in net.module_.parameters() if p.is_floating_point())
    parameter = next(floats, None)
    return "float32" if parameter is None else str(parameter.dtype).removeprefix("torch.")


def trainable(module):
    """Return the names of the parameters of a module that have a gradient."""
    named = module.named_parameters()
    return [name for name, p in named if p.requires_grad and p.is_floating_point()]


def row_losses(net, criterion=None):
    """Return a function that gives the loss of every row of a batch.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised net.

    criterion : torch.nn.Module, default=None
        Criterion in place of the net's own.

    Returns
    -------
    callable
        Maps predictions and targets to losses of shape (n,). It raises a TypeError if the
        criterion gives none.
    """
    probe = alias(net)
    criterion = copy(net.criterion_ if criterion is None else criterion)
    total = getattr(criterion, "reduction", "mean") == "sum"
    criterion.reduction = "none"
    vars(probe)["criterion_"] = criterion

    def losses(predicted, y):
        loss = probe.get_loss(predicted, y)
        if loss.shape[:1] != predicted.shape[:1]:
            raise TypeError(
                f"The criterion {type(criterion).__name__} gives a loss of shape "
                f"{tuple(loss.shape)} for {len(predicted)} rows. It must give one per row when "
                'its attribute reduction is "none".'
            )
        if loss.ndim == 1:
            return loss
        return loss.flatten(1).sum(dim=1) if total else loss.flatten(1).mean(dim=1)

    return losses


@contextmanager
def _weighted_loss(net, weighted):
    """Make a net weight the losses of its rows for a while."""
    if not weighted:
        yield
        return
    infer, losses = net.infer, row_losses(net)

    def infer_rows(x, **params):
        return infer(x["X"] if isinstance(x, dict) and _WEIGHT in x else x, **params)

    def get_loss(predicted, y, X=None, training=False):
        loss = losses(predicted, y.to(predicted.device))
        return (X[_WEIGHT].to(loss.device) * loss).mean()

    vars(net).update(infer=infer_rows, get_loss=get_loss)
    try:
        yield
    finally:
        del vars(net)["infer"], vars(net)["get_loss"]


def _normalises_batches(module):
    """Tell whether a module's output for a row depends on the other rows of its batch."""
    from torch import nn

    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    return any(isinstance(part, kinds) for part in module.modules())


class _NoLoneRow:
    """A batch sampler that joins a last batch of one row to the one before."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches) - 1

    def __iter__(self):
        *whole, before, lone = self.batches
        yield from whole
        yield [*before, *lone]


@contextmanager
def _batches_of_two(net):
    """Make a net that normalises batches train on at least two rows at a time, for a while.

    The batches of all other nets are left alone, and with them their results.
    """
    if not _normalises_batches(net.module_):
        yield
        return
    from torch.utils.data import BatchSampler, DataLoader

    get_iterator = net.get_iterator

    def get_batches(dataset, training=False):
        iterator = get_iterator(dataset, training=training)
        if not training:
            return iterator
        # Asked for once, before the first epoch. A callback that saves the net finds it as it was.
        vars(net).pop("get_iterator", None)
        if type(iterator) is not DataLoader:
            return iterator
        batches = iterator.batch_sampler
        if type(batches) is not BatchSampler or batches.drop_last:
            return iterator
        n_rows, size = len(batches.sampler), batches.batch_size
        if n_rows % size != 1 or not 1 < size < n_rows:
            return iterator
        params = net.get_params_for("iterator_train")
        for name in ("batch_size", "shuffle", "sampler", "batch_sampler", "drop_last"):
            params.pop(name, None)
        return DataLoader(dataset, batch_sampler=_NoLoneRow(batches), **params)

    vars(net)["get_iterator"] = get_batches
    try:
        yield
    finally:
        vars(net).pop("get_iterator", None)


def _raised_by_itself(net, interrupt):
    """Tell whether a net's callback ended the training, as EarlyStopping does, and no user.

    A signal arrives between any two instructions; a callback's own interrupt comes from a
    ``raise`` statement in one of its methods.
    """
    last = interrupt.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    code, place = last.tb_frame.f_code, last.tb_lasti
    if code.co_code[place] != dis.opmap["RAISE_VARARGS"]:
        return False
    listeners = [net, *(callback for _, callback in net.callbacks_)]
    classes = {kind for listener in listeners for kind in type(listener).__mro__}
    methods = (method for kind in classes for method in vars(kind).values())
    return any(getattr(method, "__code__", None) is code for method in methods)


_WITHOUT_SPLIT = {"valid_loss": "train_loss", "valid_loss_best": "train_loss_best"}


def _watch_training(net):
    """Make callbacks of a net that holds no rows out watch the loss of the training rows."""
    on_validation = {_score_name(callback) for _, callback in net.callbacks_} - {None}
    for name, callback in net.callbacks_:
        monitor = getattr(callback, "monitor", None)
        if not isinstance(monitor, str) or monitor.removesuffix("_best") not in on_validation:
            continue
        instead = _WITHOUT_SPLIT.get(monitor)
        if instead is None:
            raise ValueError(
                f"The callback {name} has monitor={monitor!r}, but no rows are held out here on "
                'which that is measured. Use monitor="train_loss", or measure with on_train=True.'
            )
        warnings.warn(
            f"The callback {name} has monitor={monitor!r}, but no rows are held out here; it "
            f"watches {instead!r}. Pass monitor={instead!r} to be rid of this warning.",
            UserWarning,
            stacklevel=2,
        )
        callback.monitor = instead


def _score_name(callback):
    """Return under which name a callback records what it measures on validation rows."""
    on_train = getattr(callback, "on_train", True)
    return None if on_train else getattr(callback, "name_", getattr(callback, "name", None))


@contextmanager
def _shown_epochs(net, adapter, context):
    """Show the epochs of a net as subtasks of a context for a while."""
    from skorch.callbacks import Callback

    class Epochs(Callback):
        epoch = None

        def on_epoch_begin(self, net, **kwargs):
            self.epoch = context.subcontext("epoch")
            self.epoch.call_on_fit_task_begin(estimator=adapter)

        def on_epoch_end(self, net, **kwargs):
            self.end()

        def end(self):
            # Whether one of scikit-learn's callbacks asks to stop is not heard: the net trains
            # for its max_epochs, or as long as its own callbacks want.
            epoch, self.epoch = self.epoch, None
            if epoch is not None:
                epoch.call_on_fit_task_end(estimator=adapter)

        def __reduce__(self):
            # Another callback may save the net, which would keep this one.
            return Callback, ()

    shown = ("sklearn_callbacks", Epochs())
    net.callbacks_.append(shown)
    try:
        yield
        # A callback may have ended the last epoch before its end.
        shown[1].end()
    finally:
        net.callbacks_[:] = [entry for entry in net.callbacks_ if entry is not shown]


def _fit_loop(net, X, y):
    """Train a net for its ``max_epochs``, or until one of its callbacks ends that."""
    try:
        net.fit_loop(X, y)
    except KeyboardInterrupt as interrupt:
        if not _raised_by_itself(net, interrupt):
            raise


class NetAdapter(CallbackSupportMixin, BaseEstimator):
    """A skorch net with scikit-learn's manners.

    It takes rows of any float dtype and data frames, labels of any kind, one-dimensional
    regression targets and sample weights; it draws all random numbers from its seed, keeps no
    clock times, lets a user's interrupt through, ends when a callback of the net ends it, and
    shows its epochs to scikit-learn's callbacks.

    Parameters
    ----------
    net : skorch.NeuralNet
        Unfitted net. One that is neither a classifier nor a regressor is a one-class net,
        whose output is the score of a row; its loss must not need targets.

    random_state : int, RandomState instance or None, default=None
        Seeds initial parameters, the order of rows and dropout.

    holds_out : bool, default=False
        True if the net's own ``train_split`` holds rows out; else it trains on all.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The fitted net.

    held_out_rows_ : ndarray of int
        Rows of the last call that ``train_split`` held out.

    classes_ : ndarray of shape (n_classes,)
        Labels; only for classifiers.
    """

    def __init__(self, net, random_state=None, holds_out=False):
        self.net = net
        self.random_state = random_state
        self.holds_out = holds_out

    def fit(self, X, y=None, sample_weight=None):
        """Fit a new net for its ``max_epochs``."""
        check_some_weight(sample_weight)
        vars(self).pop("net_", None)
        return self.partial_fit(X, y, sample_weight=sample_weight)

    @with_callbacks
    def partial_fit(self, X, y=None, classes=None, sample_weight=None):
        """Train the net for another ``max_epochs``, its optimiser going on as it was."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        new, given = not hasattr(self, "net_"), {"X": X, "y": y}
        with torch_seed(seed):
            X, y = self._checked(X, y, new)
            if new and is_classifier(self.net):
                self.classes_ = np.unique(y if classes is None else classes)
            net = self._new_net() if new else self.net_
            X, y = self.rows(X, net), self._targets(y, net)
            n_rows = X.shape[0]
            if sample_weight is not None:
                X = {"X": X, _WEIGHT: scaled_weights(sample_weight, X)}
            split = RememberedSplit(net.train_split)
            net.train_split = split
            # Not net.partial_fit, which takes any KeyboardInterrupt for a callback's.
            try:
                net.notify("on_train_begin", X=X, y=y)
                # Only now: a callback of the net may have changed its max_epochs.
                context = self._init_callback_context(max_subtasks=net.max_epochs)
                context.call_on_fit_task_begin(estimator=self, **given)
                weighted = _weighted_loss(net, sample_weight is not None)
                with weighted, _batches_of_two(net), _shown_epochs(net, self, context):
                    _fit_loop(net, X, y)
                net.notify("on_train_end", X=X, y=y)
            finally:
                net.train_split = split.split
        self.held_out_rows_ = split.held_out(n_rows)
        self.net_ = net
        context.call_on_fit_task_end(estimator=self, **given)
        return self

    def _new_net(self):
        """Return a new net, initialised."""
        net = clone(self.net)
        if not self.holds_out:
            net.set_params(train_split=None)
        if any(name == "epoch_timer" for name, _ in net.get_default_callbacks()):
            net.set_params(callbacks__epoch_timer=None)
        check_device(net.device)
        check_built(net.module)
        net.initialize()
        if not net.train_split:
            _watch_training(net)
        if not trainable(net.module_):
            raise TypeError(
                f"{type(net.module_).__name__} has no floating-point parameter that requires a "
                "gradient, so nothing in it can be trained."
            )
        return net

    def _checked(self, X, y, reset):
        """Return rows and targets as arrays."""
        if _is_one_class(self):
            return validate_data(self, X, accept_sparse="csr", allow_nd=True, reset=reset), None
        numeric = is_regressor(self.net)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            allow_nd=True,
            multi_output=numeric,
            y_numeric=numeric,
            reset=reset,
        )
        if not numeric:
            check_classification_targets(y)
            kind = type_of_target(y)
            if self._is_binary() and kind != "binary":
                raise ValueError(
                    f"Only binary classification is supported. The type of the target is {kind}."
                )
        return X, y

    def rows(self, X, net=None):
        """Return rows in the dtype of the net's parameters; whole numbers stay for embeddings."""
        net = net or self.net_
        if sparse.issparse(X):
            # skorch knows no sparse arrays.
            X = sparse.csr_matrix(X)
        kinds = {type(module).__name__ for module in net.module_.modules()}
        if X.dtype.kind != "f" and any("Embedding" in kind for kind in kinds):
            return X
        return X.astype(_dtype(net), copy=False)

    def _targets(self, y, net):
        """Return targets as the net's criterion takes them."""
        if y is None:
            return None
        if is_regressor(self.net):
            y = np.asarray(y)
            self._one_target = y.ndim == 1
            return self.criterion_targets(y.reshape(len(y), -1), net)
        codes = np.searchsorted(self.classes_, y)
        unknown = self.classes_[np.minimum(codes, len(self.classes_) - 1)] != y
        if np.any(unknown):
            raise ValueError(
                f"y has the label {np.asarray(y)[unknown].tolist()[0]!r}, which is not among the "
                f"classes of the first call, {self.classes_.tolist()}. Pass all as `classes`."
            )
        return self.criterion_targets(codes, net)

    def criterion_targets(self, y, net=None):
        """Return class numbers or values in the dtype that the criterion takes."""
        whole = is_classifier(self.net) and not self._is_binary()
        return y.astype(np.int64 if whole else _dtype(net or self.net_), copy=False)

    def loader(self, X, y, random_state=None):
        """Return a shuffled DataLoader of rows and targets as the fitted net's loss takes them."""
        import torch
        from torch.utils.data import DataLoader

        X, y = self._checked(X, y, reset=False)
        rows = self.net_.get_dataset(self.rows(X), self._targets(y, self.net_))
        seed = check_random_state(random_state).randint(2**31 - 1)
        size = self.net_.batch_size if self.net_.batch_size > 0 else len(rows)
        order = torch.Generator().manual_seed(seed)
        return DataLoader(rows, batch_size=size, shuffle=True, generator=order)

    def _is_binary(self):
        return any(kind.__name__ == "NeuralNetBinaryClassifier" for kind in type(self.net).__mro__)

    def _output(self, method, X):
        check_is_fitted(self, "net_")
        X = validate_data(self, X, accept_sparse="csr", allow_nd=True, reset=False)
        return getattr(self.net_, method)(self.rows(X))

    def predict(self, X):
        """Predict labels, targets, or 1 for inliers and -1 for outliers."""
        if is_classifier(self.net) and not self._is_binary():
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        predicted = self._output("predict", X)
        if is_classifier(self.net):
            return self.classes_[np.asarray(predicted, dtype=np.intp)]
        if is_regressor(self.net):
            predicted = predicted.astype(np.float64)
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

    @available_if(_has_targets)
    def score(self, X, y, sample_weight=None):
        """Return the accuracy of a classifier, R^2 of a regressor."""
        measure = accuracy_score if is_classifier(self.net) else r2_score
        return measure(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        adopt_kind(tags, get_tags(self.net))
        tags.input_tags.sparse = True
        tags.target_tags.required = not _is_one_class(self)
        tags.target_tags.multi_output = is_regressor(self.net)
        if is_classifier(self.net):
            tags.classifier_tags.multi_class = not self._is_binary()
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")


def needs_two_rows(estimator):
    """Tell whether an adapted estimator is a net that can't be trained on a single row."""
    if not isinstance(estimator, NetAdapter):
        return False
    with torch_seed(0), warnings.catch_warnings():
        # What is said here is said again when it is trained.
        warnings.simplefilter("ignore")
        return _normalises_batches(estimator._new_net().module_)


def adapted(estimator, holds_out=False):
    """Return an estimator as it is, a net, alone or as the last step of a pipeline, adapted."""
    if is_net(estimator):
        return NetAdapter(estimator, holds_out=holds_out)
    if isinstance(estimator, Pipeline) and is_net(estimator.steps[-1][1]):
        name, net = estimator.steps[-1]
        # The transformers before it would see the rows that it holds out.
        return clone(estimator).set_params(**{name: NetAdapter(net)})
    return estimator


def holds_rows_out(estimator):
    """Tell whether an adapted net holds rows out of its training by a split of its own."""
    return (
        isinstance(estimator, NetAdapter)
        and estimator.holds_out
        and bool(estimator.net.train_split)
    )


def fitted_adapted(estimator):
    """Return a fitted estimator as it is, a net, alone or at the end of a pipeline, adapted.

    Raises
    ------
    ValueError
        If a net has other labels than the positions of its outputs.
    """
    if isinstance(estimator, Pipeline):
        other = copy(estimator)
        name, last = estimator.steps[-1]
        other.steps = [*estimator.steps[:-1], (name, fitted_adapted(last))]
        return other
    if not is_net(estimator):
        return estimator
    check_is_fitted(estimator)
    adapter = NetAdapter(estimator)
    adapter.net_, adapter._one_target = estimator, True
    if is_classifier(estimator):
        labels = np.asarray(estimator.classes_)
        if not np.array_equal(labels, np.arange(len(labels))):
            raise ValueError(
                f"A fitted {type(estimator).__name__} has the labels {labels.tolist()}; only "
                f"0 to {len(labels) - 1} tell which output is whose. Pass it unfitted."
            )
        adapter.classes_ = labels
    return adapter
