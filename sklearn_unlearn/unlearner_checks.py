"""Does an unlearner keep the contract? One small check per clause."""

from contextlib import contextmanager
from unittest import SkipTest

from sklearn_unlearn._checks.atomicity import (
    check_erasing_again_changes_nothing,
    check_interrupted_erasing_is_made_up_for,
    check_requests_are_atomic,
)
from sklearn_unlearn._checks.models import (
    check_an_unfitted_unlearner_says_so,
    check_clone_and_refit,
    check_equal_seeds_give_equal_models,
    check_forgets_and_returns_self,
    check_hooks_hand_out_what_fit_was_given,
    check_predictions_are_those_of_estimator_,
    check_refitted_is_a_fit_on_the_rows,
    check_the_guarantee_is_kept,
    check_the_inner_estimator_is_cloned,
)
from sklearn_unlearn._checks.receipts import (
    check_no_id_is_shown_or_logged,
    check_receipts,
)
from sklearn_unlearn._checks.remains import (
    check_deep_copies_forget_on_their_own,
    check_memory_maps_are_not_written_to,
    check_nothing_remains_in_a_dump,
    check_nothing_remains_in_the_object,
    check_the_users_data_is_not_changed,
)
from sklearn_unlearn._checks.subjects import (
    check_a_request_that_leaves_too_little_is_refused,
    check_a_subject_owns_many_rows,
    check_bad_ids_at_fit,
    check_bad_requests_change_nothing,
    check_excluded_subjects_are_left_out,
    check_ids_do_not_change_the_result,
    check_the_index_names_the_subjects,
)
from sklearn_unlearn._checks.trial import Trial

__all__ = ["CHECKS", "Trial", "check_unlearner"]

# In the order in which they are best read, and run.
CHECKS = [
    check_an_unfitted_unlearner_says_so,
    check_the_inner_estimator_is_cloned,
    check_forgets_and_returns_self,
    check_predictions_are_those_of_estimator_,
    check_the_index_names_the_subjects,
    check_ids_do_not_change_the_result,
    check_a_subject_owns_many_rows,
    check_bad_ids_at_fit,
    check_excluded_subjects_are_left_out,
    check_bad_requests_change_nothing,
    check_a_request_that_leaves_too_little_is_refused,
    check_requests_are_atomic,
    check_interrupted_erasing_is_made_up_for,
    check_erasing_again_changes_nothing,
    check_nothing_remains_in_the_object,
    check_nothing_remains_in_a_dump,
    check_the_users_data_is_not_changed,
    check_memory_maps_are_not_written_to,
    check_deep_copies_forget_on_their_own,
    check_receipts,
    check_the_guarantee_is_kept,
    check_equal_seeds_give_equal_models,
    check_clone_and_refit,
    check_no_id_is_shown_or_logged,
    check_hooks_hand_out_what_fit_was_given,
    check_refitted_is_a_fit_on_the_rows,
]


def check_unlearner(unlearner, X=None, y=None, *, fit_params=None):
    """Check that an unlearner keeps the contract of :class:`~sklearn_unlearn.BaseUnlearner`.

    What scikit-learn asks of any estimator is checked by
    :func:`sklearn.utils.estimator_checks.check_estimator`; this asks what has to hold of one
    that forgets: ids, atomic requests, that nothing remains, and receipts.

    Parameters
    ----------
    unlearner : BaseUnlearner
        What to check, not necessarily fitted; clones of it are. Where its ``random_state`` is
        None they get a seed.

    X : ndarray of shape (n_samples, n_features), default=None
        Rows that it can be fitted on, at least 60. Each needs a value that no other row has,
        by which it is searched for: one column of noise will do. By default normal noise.

    y : ndarray of shape (n_samples,), default=None
        Targets, of classifiers at least 10 per class. By default two classes, or positive
        numbers.

    fit_params : dict, default=None
        Further parameters of ``fit``.

    Raises
    ------
    AssertionError
        If the contract is broken; the message says which clause, and what to do.

    TypeError
        If there is no unlearner.

    ValueError
        If X or y can't tell a good unlearner from a bad one.

    See Also
    --------
    sklearn_unlearn.BaseUnlearner : What to write an unlearner on.

    Notes
    -----
    Fits about 43 clones and sends them about 60 requests. The checks are the functions of the
    list ``CHECKS``; to run each as a test of its own, pass it ``Trial(unlearner, X, y)``.
    Some clauses ask for pandas, and are left out where it is not installed. A check can find a
    broken promise but not prove a kept one: rows are searched for in arrays, by value.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn.baselines import RetrainUnlearner
    >>> from sklearn_unlearn.unlearner_checks import check_unlearner
    >>> check_unlearner(RetrainUnlearner(Ridge()))
    """
    trial = Trial(unlearner, X, y, fit_params or {})
    for check in CHECKS:
        with _named(unlearner, check):
            check(trial)


@contextmanager
def _named(unlearner, check):
    """Say in an error which unlearner breaks which clause."""
    where = f"{type(unlearner).__name__} breaks the contract in {check.__name__}"
    try:
        yield
    except SkipTest:
        pass
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from error
    except Exception as error:
        raise AssertionError(
            f"{where}: {check.__doc__} It raised {type(error).__name__}: {error}"
        ) from error
