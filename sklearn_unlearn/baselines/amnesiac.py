"""AmnesiacUnlearner: take back the updates of the batches that held the rows."""

from copy import deepcopy
from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import check_X_y, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sklearn_unlearn._inner.declared import (
    check_number,
    check_some_weight,
    random_states,
    refuse_multilabel,
)
from sklearn_unlearn._inner.fit_params import per_row, sample_weight
from sklearn_unlearn._inner.parameters import get_parameters, with_parameters
from sklearn_unlearn._inner.pipelines import (
    fitted_steps,
    joined_pipeline,
    last_step,
    out_of_reach,
    split_pipeline,
)
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn.baselines._stored import StoredRowsUnlearner


class AmnesiacUnlearner(StoredRowsUnlearner):
    """Forget by subtracting what each batch with a forgotten row once added.

    Training goes batch by batch, and the change of the parameters by every batch is kept.
    A request subtracts the changes of all batches in which a forgotten row took part [1]_.
    What later batches learned from these changes stays. Epochs on the remaining rows may then
    repair what the other rows of these batches lost, as in the paper.

    Parameters
    ----------
    estimator : estimator
        Model with ``partial_fit`` and parameters: SGDClassifier, SGDRegressor, Perceptron,
        MLPClassifier, MLPRegressor or a skorch net, alone or as the last step of a Pipeline;
        it is cloned.

    n_epochs : int, default=10
        Passes over the rows.

    batch_size : int, default=32
        Rows per batch.

    n_repair_epochs : int, default=0
        Passes over the remaining rows after a request; their changes are kept as well.

    random_state : int, RandomState instance or None, default=None
        Draws the batches and seeds the estimator.

    Attributes
    ----------
    estimator_ : estimator
        The plain fitted model, the thing to deploy.

    receipts_ : list of ForgetReceipt
        What was done, one entry per request.

    classes_ : ndarray of shape (n_classes,)
        Class labels; only for classifiers.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    sklearn_unlearn.PUMAUnlearner : Forgetting without a record of the training.

    Notes
    -----
    Keeps ``n_epochs * n / batch_size`` copies of the parameters. A request costs one
    subtraction per batch concerned and ``n_repair_epochs`` passes over the remaining rows. It
    takes the other rows of these batches along: with random rows, a request for more than
    ``n / (n_epochs * batch_size)`` rows or so undoes a good part of the training, which is what
    the repair is for. Transformers of a pipeline do not forget.

    References
    ----------
    .. [1] L. Graves, V. Nagisetty, V. Ganesh, "Amnesiac Machine Learning", AAAI 2021,
       :arxiv:`2010.10981`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sklearn_unlearn.baselines import AmnesiacUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> model = AmnesiacUnlearner(SGDClassifier(loss="log_loss"), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].guarantee
    'approximate'
    """

    _REPLACED = StoredRowsUnlearner._REPLACED | {"_members", "_updates"}

    def __init__(
        self, estimator, *, n_epochs=10, batch_size=32, n_repair_epochs=0, random_state=None
    ):
        self.estimator = estimator
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.n_repair_epochs = n_repair_epochs
        self.random_state = random_state

    def _check_params(self):
        check_number(self, "n_epochs", Integral, 1)
        check_number(self, "batch_size", Integral, 1)
        check_number(self, "n_repair_epochs", Integral, 0)
        last = last_step(self._inner())
        if not hasattr(last, "partial_fit"):
            raise TypeError(
                f"{type(last).__name__} has no partial_fit, which AmnesiacUnlearner trains by. Use "
                "SGDClassifier, a network, or RetrainUnlearner."
            )
        if getattr(last, "average", False):
            raise TypeError(
                f"{type(last).__name__}(average={last.average!r}) averages over its updates; use "
                "average=False."
            )

    def _train(self, inner, X, y, fit_params, rng):
        check_some_weight(sample_weight(inner, fit_params))
        transformers, last = split_pipeline(inner)
        X, y = _checked(X, y, last)
        n_rows = count_rows(X)
        Z = X if transformers is None else transformers.fit(X, y).transform(X)
        extra = {"classes": np.unique(y)} if is_classifier(last) else {}
        if extra and len(extra["classes"]) < 2:
            raise ValueError(
                "AmnesiacUnlearner needs at least two classes; y has one class, "
                f"{extra['classes'].tolist()[0]!r}."
            )
        members, updates = self._epochs(
            last, Z, y, fit_params, np.arange(n_rows), self.n_epochs, rng, extra
        )
        return inner, {"_members": members, "_updates": updates}

    def _epochs(self, last, Z, y, fit_params, rows, n_epochs, rng, extra):
        """Train a model batch by batch; return the rows and the change of each batch.

        Parameters
        ----------
        last : estimator
            Unfitted, or to be trained on; it is changed.

        Z : array-like of shape (n, n_features)
            Features.

        y : ndarray of shape (n,) or (n, n_outputs)
            Targets.

        fit_params : dict
            Parameters of ``partial_fit``, per row where they are arrays.

        rows : ndarray of int of shape (n,)
            Numbers of the rows.

        n_epochs : int
            Passes over them.

        rng : RandomState
            Draws the batches.

        extra : dict
            Parameters of ``partial_fit`` that are no rows'.

        Returns
        -------
        members : list of ndarray
            Numbers of the rows of each batch.

        updates : list of list of ndarray
            Its change of the parameters.
        """
        seeds, members, updates, before = list(random_states(last)), [], [], None
        if hasattr(last, "net"):
            last.set_params(net__max_epochs=1)
        for _ in range(n_epochs):
            order = rng.permutation(len(rows))
            for start in range(0, len(rows), self.batch_size):
                some = order[start : start + self.batch_size]
                last.set_params(**{name: rng.randint(2**31 - 1) for name in seeds})
                batch = take_rows(Z, some), y[some]
                params = extra | per_row(fit_params, len(rows), some)
                if before is None:
                    before = get_parameters(last)
                if before is None:
                    before = _initial_parameters(last, batch, params)
                last.partial_fit(*batch, **params)
                after = get_parameters(last)
                members.append(np.sort(rows[some]))
                updates.append([new - old for new, old in zip(after, before)])
                before = after
        return members, updates

    def _forget(self, rows, context):
        left = self._remaining(rows)
        touched = [np.isin(rows, members).any() for members in self._members]
        last = last_step(self.estimator_)
        parameters = get_parameters(last)
        for update, gone in zip(self._updates, touched):
            if gone:
                parameters = [value - part for value, part in zip(parameters, update)]
        kept = [batch for batch, gone in enumerate(touched) if not gone]
        transformers, _ = split_pipeline(self.estimator_)
        steps = [] if transformers is None else transformers.steps
        not_forgotten = out_of_reach(self._rows, self.estimator_) + [
            f"the step {name!r} of the pipeline" for name in fitted_steps(steps)
        ]
        last = with_parameters(last, parameters)
        members, updates, how = [], [], ""
        if self.n_repair_epochs:
            last, members, updates = self._repaired(last, transformers, left)
            how = f"; {self.n_repair_epochs} passes over the remaining rows"
        return {
            "estimator_": joined_pipeline(self.estimator_, transformers, last),
            "_members": [self._members[batch] for batch in kept] + members,
            "_updates": [self._updates[batch] for batch in kept] + updates,
        }, Outcome(
            n_rows_retrained=len(left) if self.n_repair_epochs else 0,
            stopped_because=(
                f"took back the updates of {sum(touched)} of {len(touched)} batches{how}"
            ),
            not_forgotten=tuple(not_forgotten),
        )

    def _repaired(self, last, transformers, left):
        """Return a model after the repair, with the rows and changes of its batches."""
        X, y, fit_params = self.training_data(left)
        X, y = _checked(X, y, last)
        Z = X if transformers is None else transformers.transform(X)
        rng = np.random.RandomState((self._seed + 1 + len(self.receipts_)) % 2**32)
        # Training writes to arrays in place, which the fitted model may share.
        last = deepcopy(last)
        found = self._epochs(last, Z, y, fit_params, left, self.n_repair_epochs, rng, {})
        if not all(np.isfinite(part).all() for part in get_parameters(last)):
            raise ValueError(
                "AmnesiacUnlearner diverged: the parameters are no longer finite after the "
                "repair. Take fewer n_repair_epochs, or a lower learning rate."
            )
        return last, *found

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        refuse_multilabel(tags)
        return tags


def _checked(X, y, last):
    """Return rows and targets from which batches can be drawn; raise for what is neither."""
    array, targets = check_X_y(
        X,
        y,
        accept_sparse="csr",
        dtype=None,
        ensure_all_finite=False,
        allow_nd=True,
        multi_output=True,
        y_numeric=not is_classifier(last),
        estimator=last,
    )
    if is_classifier(last):
        targets = column_or_1d(targets, warn=True)
        check_classification_targets(targets)
    return X if hasattr(X, "iloc") else array, targets


def _initial_parameters(last, batch, params):
    """Return the parameters that the first batch starts from."""
    twin = clone(last)
    # A model tells its initial weights only once it has seen rows.
    if hasattr(last, "net"):
        twin.set_params(net__lr=0.0)
    elif "learning_rate_init" in twin.get_params():
        twin.set_params(learning_rate_init=np.finfo(float).tiny)
    initial = get_parameters(twin.partial_fit(*batch, **params))
    if initial is None:
        raise TypeError(
            f"{type(last).__name__} has no parameters that updates could be taken off. Use "
            "SGDClassifier, a network, or RetrainUnlearner."
        )
    return initial if hasattr(twin, "coefs_") or hasattr(last, "net") else _zeros(initial)


def _zeros(parameters):
    """Return zeros in the shapes of parameters: what linear models start from."""
    return [np.zeros_like(part) for part in parameters]
