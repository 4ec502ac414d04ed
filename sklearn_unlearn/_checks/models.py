"""Checks of the model: what it predicts, what is promised of it, what makes it anew."""

from unittest import SkipTest

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError

from sklearn_unlearn._checks.demands import assert_same, demand, digest, distance, outputs
from sklearn_unlearn._records.digest import model_digest

PREDICTING = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def check_an_unfitted_unlearner_says_so(trial):
    """Before ``fit``, requests and predictions raise NotFittedError."""
    model = trial.make()
    for call in (lambda: model.partial_forget([0]), lambda: model.predict(trial.X)):
        try:
            call()
        except NotFittedError:
            continue
        raise AssertionError(
            "An unfitted unlearner raises NotFittedError. Set estimator_ in _start only."
        )
    demand(not hasattr(model, "classes_"), "An unfitted unlearner has no classes_.")


def check_forgets_and_returns_self(trial):
    """A request changes the model, returns the unlearner and adds a receipt."""
    model = trial.named()
    before = digest(model)
    demand(model.partial_forget(trial.ids[3:9]) is model, "partial_forget returns self.")
    demand(
        digest(model) != before,
        "A request changes the model. Return the new model as estimator_ from _forget.",
    )
    receipt = model.receipts_[-1]
    found = receipt.n_subjects, receipt.n_rows, receipt.n_rows_remaining
    demand(
        found == (6, 6, len(trial.ids) - 6),
        f"A receipt counts subjects, rows and remaining rows; it says {found}.",
    )
    demand(
        receipt.model_digest_before == before and receipt.model_digest_after == digest(model),
        "A receipt has the digests of the model before and after. Change the model in "
        "_start and _commit only.",
    )


def check_the_inner_estimator_is_cloned(trial):
    """``fit`` fits a clone: the parameter ``estimator`` stays as it was given."""
    model = trial.make()
    given = model.get_params(deep=False).get("estimator")
    if given is None:
        raise SkipTest("there is no parameter estimator")
    before = model_digest(given)
    model.fit(trial.X.copy(), trial.y.copy(), X_ids=list(trial.ids), **trial.fit_params)
    demand(
        model.estimator is given
        and model.estimator_ is not given
        and model_digest(given) == before,
        "fit leaves the parameter estimator as it was given. Fit clone(self.estimator).",
    )


def check_predictions_are_those_of_estimator_(trial):
    """The unlearner predicts and scores what ``estimator_`` does, with the same methods."""
    model = trial.fitted().partial_forget([1])
    for method in PREDICTING:
        there = hasattr(model.estimator_, method)
        demand(
            hasattr(model, method) == there,
            f"The unlearner has {method} if and only if estimator_ has it.",
        )
        if there:
            # A forest takes the logarithm of zero.
            with np.errstate(divide="ignore"):
                given, wanted = (getattr(one, method)(trial.X) for one in (model, model.estimator_))
            clause = f"{method} returns what estimator_ does: it is the model to deploy."
            np.testing.assert_array_equal(given, wanted, err_msg=clause)
    demand(
        model.score(trial.X, trial.y) == model.estimator_.score(trial.X, trial.y),
        "score returns what estimator_ does.",
    )


def check_the_guarantee_is_kept(trial):
    """What a receipt calls exact is the model of a refit; for an optimum it gives the gradient."""
    order = np.argsort(trial.X[:, 0])
    if is_classifier(trial.make()):
        labels = np.unique(trial.y)
        request = np.concatenate([order[trial.y[order] == label][-3:] for label in labels])
    else:
        request = order[-len(order) // 8 :]
    model = trial.named()
    # In two requests: the second starts where the first ended.
    for part in (request[::2], request[1::2]):
        before = outputs(model, trial.X)
        model.partial_forget([trial.ids[row] for row in part])
        receipt = model.receipts_[-1]
        if receipt.guarantee == "optimum":
            demand(
                receipt.gradient_norm_after is not None,
                'A receipt that says "optimum" gives gradient_norm_after, which shows it.',
            )
        if receipt.guarantee != "exact":
            raise SkipTest("no refit is promised")
        refit = model.refitted(model.rows_of(), model.get_params().get("random_state"))
        wanted = outputs(refit, trial.X)
        before, after = distance(before, wanted), distance(outputs(model, trial.X), wanted)
        demand(
            after <= max(0.2 * before, 1e-9),
            'A model whose receipt says "exact" is that of a refit without the rows. Its '
            f"predictions differ from the refit's by {after:.3g}, before the request by "
            f'{before:.3g}. Say "approximate", or compute the model without the rows.',
        )


def check_equal_seeds_give_equal_models(trial):
    """With the same seed, the same fits and requests give the same model."""
    one, other = (trial.named().partial_forget(trial.request()) for _ in range(2))
    assert_same(one, other, trial.X, "Equal seeds give equal models. Draw from random_state only.")


def check_clone_and_refit(trial):
    """A clone is unfitted, a second ``fit`` forgets the first, and both work as new."""
    request = trial.request()
    model = trial.named().partial_forget(request)
    fresh = clone(model)
    demand(not hasattr(fresh, "estimator_"), "A clone is unfitted. Keep no state in __init__.")
    fresh.fit(trial.X, trial.y, X_ids=trial.ids, **trial.fit_params).partial_forget(request)
    assert_same(fresh, model, trial.X, "A clone works as the original does.")
    model.fit(trial.X, trial.y, X_ids=trial.ids, **trial.fit_params)
    demand(model.receipts_ == [], "fit begins anew. End it with _start.")
    model.partial_forget(request)


def check_hooks_hand_out_what_fit_was_given(trial):
    """The public hooks name and return the rows as ``fit`` got them."""
    model = trial.named()

    def compare(rows):
        X, y, fit_params = model.training_data(rows)
        np.testing.assert_allclose(
            np.asarray(X, dtype=float),
            trial.X[rows],
            rtol=1e-6,
            err_msg="training_data returns the rows of X as they were given, by number.",
        )
        same = np.asarray(y).reshape(len(rows)) == trial.y[rows]
        demand(same.all(), "training_data returns y as it was given, by number.")
        demand(
            isinstance(fit_params, dict) and "X_ids" not in fit_params,
            "training_data returns further parameters of fit as a dict, without X_ids.",
        )

    everything = np.arange(len(trial.X))
    message = "rows_of returns the numbers of the rows that are not forgotten, in order."
    np.testing.assert_array_equal(model.rows_of(), everything, err_msg=message)
    np.testing.assert_array_equal(model.rows_of(trial.ids[5:2:-1]), [5, 4, 3])
    demand(
        model.ids_of(np.array([7, 2])) == [trial.ids[7], trial.ids[2]],
        "ids_of returns one id per row. Make the SubjectIndex of X, y and X_ids as given.",
    )
    compare(np.array([9, 0, 4]))
    request = trial.request()
    left = np.setdiff1d(everything, trial.rows(request))
    model.partial_forget(request)
    np.testing.assert_array_equal(model.rows_of(), left, err_msg=message)
    compare(left)
    demand(
        np.isin(model.trained_on(left), left).all(),
        "trained_on returns those of the rows it is given that the model was trained on.",
    )
    for name in ("fresh", "trainable"):
        made = getattr(model, name)()
        demand(
            hasattr(made, "fit") and not getattr(made, "receipts_", None),
            f"{name}() returns something unfitted that can be fitted.",
        )


def check_refitted_is_a_fit_on_the_rows(trial):
    """``refitted`` returns a fitted unlearner of some rows and leaves this one as it is."""
    model = trial.named().partial_forget(trial.request())
    before, left = digest(model), model.rows_of()
    refit = model.refitted(left[:-5], 1)
    demand(
        type(refit) is type(model) and refit is not model and refit.receipts_ == [],
        "refitted returns another unlearner of this class, without receipts.",
    )
    demand(
        set(refit.ids_of(refit.rows_of())) <= set(model.ids_of(left[:-5])),
        "refitted fits on the rows it is given, with their ids, and on no other.",
    )
    demand(
        digest(model) == before and len(model.receipts_) == 1,
        "refitted does not change the unlearner. Let fresh() return a clone.",
    )
