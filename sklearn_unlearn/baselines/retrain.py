"""RetrainUnlearner: fit again without the rows."""

import numpy as np
from sklearn.base import is_classifier

from sklearn_unlearn._inner.closed.whole import Rows, Sums, without
from sklearn_unlearn._inner.declared import random_states
from sklearn_unlearn._inner.fit_params import per_row
from sklearn_unlearn._inner.pipelines import cloned_like, last_step, out_of_reach
from sklearn_unlearn._records.corrections import corrected_rows, replaced
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import count_rows
from sklearn_unlearn.baselines._stored import StoredRowsUnlearner


class RetrainUnlearner(StoredRowsUnlearner):
    """Forget by a fit from the beginning on the rows that remain, or as if by one.

    The plain answer to "make this model forget, whatever it is", and the reference that every
    other method is measured against: nothing of the rows is left. Models of sums (see the notes)
    forget in closed form, at the cost of the rows that leave; any other at the full cost of
    training.

    Parameters
    ----------
    estimator : estimator
        Any classifier, regressor or skorch net, also a Pipeline; it is cloned.

    random_state : int, RandomState instance or None, default=None
        Seeds those parts of the estimator whose own ``random_state`` is None; the same seeds
        serve every fit.

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
    sklearn_unlearn.SISAEnsemble : Retraining of a part.

    Notes
    -----
    A request costs a fit on the remaining rows, unless all that the model learned of rows are
    sums, from which those of the rows are taken: naive Bayes models, LinearDiscriminantAnalysis
    with the solver "lsqr" or "eigen" and without "auto" shrinkage, QuadraticDiscriminantAnalysis
    with the solver "svd", NearestCentroid of the Euclidean metric, dummies; alone or behind
    transformers whose change on the remaining rows is known, such as a StandardScaler. The
    receipt's ``stopped_because`` then says "moved in closed form". Counts are those of a fresh
    fit to the last bit, moments up to rounding: the digits that they lose over all requests are
    counted, and the model is fitted anew before they tell. The first request after a fit reads
    all rows once. Signs of axes (``rotations_``, ``scalings_``) are as arbitrary as in a fit.

    Where it takes a fit, the order of the rows is that of the first ``fit``, so
    with a seed the result is that of a fresh fit without the rows, up to the last bits that a
    BLAS library may round otherwise. Where a part of the estimator that draws at random has no
    seed, "exact" means one of the models that such a fit can give; the receipt says so.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_unlearn.baselines import RetrainUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RetrainUnlearner(DecisionTreeClassifier(), random_state=0).fit(X, y)
    >>> model = model.partial_forget([3, 14])
    >>> model.receipts_[-1].guarantee, model.receipts_[-1].n_rows_retrained
    ('exact', 567)
    """

    _REPLACED = StoredRowsUnlearner._REPLACED | {"_sums"}
    # What is kept beside a model that forgets in closed form; None before the first request.
    _sums = None

    def __init__(self, estimator, *, random_state=None):
        self.estimator = estimator
        self.random_state = random_state

    def _train(self, inner, X, y, fit_params, rng):
        return inner.fit(X, y, **self._route(fit_params, "fit")), {"_sums": None}

    @property
    def _blank_draws(self):
        """True if a part of the inner estimator has no seed."""
        return any(seed is None for seed in random_states(self._blank).values())

    def _forget(self, rows, context):
        self._own_rows()
        return self._in_closed_form(rows) or self._by_a_fit(rows, context)

    def _in_closed_form(self, rows):
        """Return the model without some rows as :meth:`_forget` does, None if a fit is needed."""
        n_left = self._n_rows - len(rows)
        sums = self._sums
        if sums is None:
            y = None if self._y is None else self._y[self.rows_of()]
            sums = Sums.of(self.estimator_, y)
        found = None
        if sums is not None and n_left:
            found = without(self.estimator_, sums, Rows(self.training_data, rows, self.rows_of))
        if found is None:
            return None
        fitted, sums, anew = found
        return {"estimator_": fitted, "_sums": sums}, Outcome(
            guarantee="exact",
            n_rows_retrained=n_left if anew else 0,
            retrained_parts=anew,
            stopped_because=f"{type(last_step(fitted)).__name__} moved in closed form",
            not_forgotten=tuple(out_of_reach(self._rows, self.estimator_)),
        )

    def _by_a_fit(self, rows, context):
        """Return the model without some rows as :meth:`_forget` does, by a fit of the whole."""
        left = self._without(rows)
        X, y, fit_params = self.training_data(left)
        return self._fitted_on(X, y, fit_params, context)

    def _correct(self, rows, given, context):
        self._own_rows()
        if self._y is None and given.y is not None:
            raise ValueError("The model was fitted without targets; there is no y to correct.")
        store, y = corrected_rows(self._rows, rows, given.X), self._y
        if given.y is not None:
            y = replaced(y, rows, given.y)
        numbers = self.rows_of()
        if is_classifier(self) and y is not None and y.ndim == 1 and len(np.unique(y[numbers])) < 2:
            raise ValueError("The request would leave one class only. Discard the model instead.")
        fit_params = per_row(self._fit_params, len(store), numbers)
        found = self._fitted_on(
            store.take_to_fit(numbers), None if y is None else y[numbers], fit_params, context
        )
        return {**found[0], "_rows": store, "_y": y}, found[1]

    def _fitted_on(self, X, y, fit_params, context):
        """Return the attributes and the outcome of a fit on rows."""
        task = context.subcontext("fit on the remaining rows")
        task.call_on_fit_task_begin(estimator=self)
        rng = np.random.RandomState(self._seed)
        fitted, _ = self._train(cloned_like(self._blank, self.estimator_), X, y, fit_params, rng)
        task.call_on_fit_task_end(estimator=self)
        how = "fitted on the remaining rows"
        if self._blank_draws:
            how += (
                "; what has no random_state drew anew, if it draws: one of the models it can give"
            )
        return {"estimator_": fitted, "_sums": None}, Outcome(
            guarantee="exact",
            n_rows_retrained=count_rows(X),
            stopped_because=how,
            not_forgotten=tuple(out_of_reach(self._rows, self.estimator_)),
        )
