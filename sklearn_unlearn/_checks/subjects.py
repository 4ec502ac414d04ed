"""Checks of ids: whose rows are they, and which ids are refused."""

from unittest import SkipTest

import numpy as np
from sklearn.base import is_classifier

from sklearn_unlearn._checks.demands import assert_refused, assert_same, demand, digest
from sklearn_unlearn._records.traces import holds_row


def check_the_index_names_the_subjects(trial):
    """Ids come from the index of X, else from that of y, else from the positions."""
    try:
        import pandas as pd
    except ImportError:
        raise SkipTest("pandas is not installed") from None
    index = pd.Index(trial.ids)
    names = [f"x{column}" for column in range(trial.X.shape[1])]
    frame = pd.DataFrame(trial.X, index=index, columns=names)
    series = pd.Series(trial.y, index=index)
    for X, y, key, source in (
        (frame, trial.y, trial.ids[5], "X.index"),
        (trial.X, series, trial.ids[5], "y.index"),
        (trial.X, trial.y, 5, "row positions"),
    ):
        model = trial.fitted(X, y).partial_forget([key])
        demand(
            source in str(assert_refused(model, [key], KeyError)),
            f"Without X_ids the ids come from {source} here, and the error for an unknown id "
            "says so. Pass X and y to SubjectIndex before they are converted.",
        )


def check_ids_do_not_change_the_result(trial):
    """What ids are called does not change what is forgotten, unless subjects are dealt by them."""
    named, numbered = trial.named(), trial.fitted()
    if named.deals_by_ids:
        raise SkipTest("subjects are dealt to parts by their ids")
    demand(
        digest(named) == digest(numbered),
        "What ids are called does not change the fitted model. Where subjects are dealt to parts "
        "by their ids, set deals_by_ids = True.",
    )
    named.partial_forget([trial.ids[4], trial.ids[50]])
    numbered.partial_forget([4, 50])
    assert_same(named, numbered, trial.X, "The names of ids do not change what is forgotten.")


def check_a_subject_owns_many_rows(trial):
    """An id names a subject, all of whose rows are forgotten."""
    subjects = np.arange(len(trial.X)) // 2
    model, single = trial.fitted(X_ids=subjects), trial.fitted()
    same = not model.deals_by_ids and digest(model) == digest(single)
    model.partial_forget([3, 10])
    receipt = model.receipts_[-1]
    demand(
        (receipt.n_subjects, receipt.n_rows) == (2, 4) and len(model.rows_of()) == len(trial.X) - 4,
        "All rows of a subject are forgotten. Work on all the rows that _forget is given.",
    )
    for row in (6, 7, 20, 21):
        demand(not holds_row(vars(model), trial.marks(row)), "All rows of a subject are erased.")
    if same:
        single.partial_forget([6, 7, 20, 21])
        assert_same(model, single, trial.X, "A subject's rows are forgotten as single rows are.")


def check_bad_ids_at_fit(trial):
    """Ids that are too few, missing or unhashable are refused by ``fit``."""
    n_rows = len(trial.X)
    for X_ids, error in (
        ([1, 2, 3], ValueError),
        ([None, *range(1, n_rows)], ValueError),
        (np.array([np.nan, *range(1, n_rows)]), ValueError),
        ([[row] for row in range(n_rows)], TypeError),
    ):
        try:
            trial.fitted(X_ids=X_ids)
        except error:
            continue
        raise AssertionError(
            f"fit raises {error.__name__} for ids that can't be asked for. Make a SubjectIndex "
            "in fit, and pass it X_ids as given."
        )


def check_excluded_subjects_are_left_out(trial):
    """``fit`` leaves out the rows of excluded ids, as if they had not been given."""
    subjects = [key[:-1] for key in trial.ids]
    gone = {subjects[10], subjects[40]}
    keep = np.array([key not in gone for key in subjects])
    given = {name: value for name, value in trial.fit_params.items() if np.ndim(value) == 0}
    clause = (
        "Rows of exclude_ids are left out. It is done before fit gets the rows, so let fit look at "
        "no others."
    )
    left = trial.make().fit(
        trial.X[keep], trial.y[keep], X_ids=[key for key in subjects if key not in gone], **given
    )
    answers = [key in gone for key in subjects]
    for exclude_ids in (gone, lambda keys: answers if keys == subjects else None):
        model = trial.make().fit(
            trial.X.copy(), trial.y.copy(), X_ids=subjects, exclude_ids=exclude_ids, **given
        )
        demand(model.n_rows_excluded_ == 20 and model.n_rows_ == keep.sum(), clause)
        assert_same(model, left, trial.X, clause)
        demand(not model.knows(sorted(gone)).any(), clause)
    demand(left.n_rows_excluded_ == 0, "n_rows_excluded_ is 0 where no id is excluded.")


def check_bad_requests_change_nothing(trial):
    """Requests for unknown ids raise KeyError, malformed ones ValueError, and change nothing."""
    model = trial.named().partial_forget(trial.ids[:1])
    for X_ids, error in (
        (["nobody"], KeyError),
        ([17], KeyError),
        ([trial.ids[8], "nobody"], KeyError),
        (trial.ids[:1], KeyError),
        ([], ValueError),
        (trial.ids[7], ValueError),
        (5, ValueError),
        (np.array([[trial.ids[7]]]), ValueError),
    ):
        assert_refused(model, X_ids, error)
    model.partial_forget(trial.ids[7:9])


def check_a_request_that_leaves_too_little_is_refused(trial):
    """Requests that leave no row, or classifiers with one class, raise ValueError."""
    model = trial.named()
    assert_refused(model, trial.ids, ValueError)
    if is_classifier(model):
        gone = trial.y != trial.y[0]
        request = [key for key, is_gone in zip(trial.ids, gone) if is_gone]
        assert_refused(model, request, ValueError)
