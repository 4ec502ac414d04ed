"""FunctionUnlearner: a way to forget that is a function."""

from copy import deepcopy

import numpy as np

from sklearn_unlearn._inner.declared import check_option
from sklearn_unlearn._inner.pipelines import out_of_reach
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn.baselines._stored import StoredRowsUnlearner

# What a function may promise: a certificate is more than a word.
GUARANTEES = ("exact", "optimum", "approximate")


class FunctionUnlearner(StoredRowsUnlearner):
    """Forget by a function of one's own.

    The shortest way from an idea to a method that reports, comparisons and searches take: ids,
    atomic requests and receipts are those of every unlearner.

    Parameters
    ----------
    estimator : estimator
        Any classifier, regressor or skorch net, also a Pipeline; it is cloned.

    forget : callable
        ``forget(model, forgotten, remaining, rng)`` returns the model without some rows.
        ``model`` is a copy of the fitted model, which may be changed and returned; ``forgotten``
        and ``remaining`` are tuples of rows and targets; ``rng`` is a
        :class:`numpy.random.RandomState`. Of a net, ``model.net_.module_`` is the torch module,
        and ``model.loader(X, y, rng)`` a DataLoader of rows.

    guarantee : {"exact", "optimum", "approximate"}, default="approximate"
        What the receipts shall promise. The function's author answers for it.

    random_state : int, RandomState instance or None, default=None
        Seeds those parts of the estimator whose own ``random_state`` is None, and ``rng``, anew for
        each request.

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
    RetrainUnlearner : A fit on the rows that remain.

    Notes
    -----
    A request costs a copy of the model and what the function does. What it keeps by itself, in a
    global variable or a file, is out of the unlearner's reach.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sklearn_unlearn.baselines import FunctionUnlearner
    >>> def fine_tune(model, forgotten, remaining, rng):
    ...     return model.partial_fit(*remaining)
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = FunctionUnlearner(SGDClassifier(), forget=fine_tune, random_state=0).fit(X, y)
    >>> model.partial_forget([3, 14]).receipts_[-1].method
    'FunctionUnlearner'
    """

    fitting_params = ("estimator", "random_state", "guarantee")

    def __init__(self, estimator, *, forget, guarantee="approximate", random_state=None):
        self.estimator = estimator
        self.forget = forget
        self.guarantee = guarantee
        self.random_state = random_state

    def _check_params(self):
        check_option(self, "guarantee", GUARANTEES)
        if not callable(self.forget):
            raise TypeError(
                f"forget={self.forget!r} is invalid: it must be a function "
                "(model, forgotten, remaining, rng) that returns a model."
            )

    def _train(self, inner, X, y, fit_params, rng):
        return inner.fit(X, y, **self._route(fit_params, "fit")), {}

    def _forget(self, rows, context):
        self._check_params()
        left = self._remaining(rows)
        task = context.subcontext("forget")
        task.call_on_fit_task_begin(estimator=self)
        rng = np.random.RandomState((self._seed + len(self.receipts_)) % 2**32)
        gone, remaining = (self.training_data(some)[:2] for some in (rows, left))
        model = self.forget(deepcopy(self.estimator_), gone, remaining, rng)
        if not hasattr(model, "predict"):
            raise TypeError(
                f"forget returned {type(model).__name__}; it must return the fitted model."
            )
        task.call_on_fit_task_end(estimator=self)
        return {"estimator_": model}, Outcome(
            guarantee=self.guarantee,
            stopped_because=f"what {getattr(self.forget, '__name__', 'forget')} does was done",
            not_forgotten=tuple(out_of_reach(self._rows, self.estimator_)),
        )
