"""Checks of what is written down: receipts, logs and reprs."""

import json
import logging
import pickle

from sklearn_unlearn._checks.demands import demand
from sklearn_unlearn._records.receipt_fields import GUARANTEES


def check_receipts(trial):
    """A receipt is plain, says what was done, belongs to its request and holds no id."""
    model = trial.named().partial_forget(trial.ids[:3]).partial_forget([trial.ids[7]])
    first, second = model.receipts_
    text = json.dumps(first.to_dict())
    demand(json.loads(text) == first.to_dict(), "A receipt is JSON: plain strings and numbers.")
    demand(
        not any(key in text or key in repr(first) for key in trial.ids),
        "A receipt holds no id. Keep ids out of the Outcome.",
    )
    for receipt in (first, second):
        demand(
            receipt.guarantee in GUARANTEES,
            f"A guarantee is one of {GUARANTEES}; this receipt says {receipt.guarantee!r}.",
        )
    demand(first.method == type(model).__name__, "A receipt names the class of the unlearner.")
    demand(first.created_at.endswith("+00:00"), "A receipt tells the time in UTC.")
    demand(first.seconds > 0, "A receipt tells how long the request took.")
    demand(
        first.matches(trial.ids[2::-1]) and not first.matches(trial.ids[:2]),
        "A receipt matches the ids of its request, in any order, and no others.",
    )
    demand(
        second.model_digest_before == first.model_digest_after,
        "Between two requests nothing changes the model.",
    )
    _refuses_without_salt(pickle.loads(pickle.dumps(model)).receipts_[0], trial.ids[:3])
    try:
        first.guarantee = "exact"
    except AttributeError:
        return
    raise AssertionError("A receipt can't be changed.")


def _refuses_without_salt(receipt, X_ids):
    """Raise unless a stored receipt says that its salt is gone."""
    try:
        receipt.matches(X_ids)
    except ValueError as error:
        demand("salt" in str(error), "A stored receipt says that it has no salt.")
    else:
        raise AssertionError("A stored receipt can't be matched: its salt is gone.")


class _Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def check_no_id_is_shown_or_logged(trial):
    """Neither a log nor a repr of the unlearner holds an id."""
    handler, root, own = _Records(), logging.getLogger(), logging.getLogger("sklearn_unlearn")
    levels = root.level, own.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    own.setLevel(logging.DEBUG)
    try:
        model = trial.named().partial_forget(trial.ids[:3])
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        own.setLevel(levels[1])
    logged = "\n".join(handler.texts)
    demand("forgot 3 rows" in logged, "A request is logged, with its number of rows.")
    shown = {"logs": logged, "repr": repr(model), "HTML": model._repr_html_()}
    for where, text in shown.items():
        demand("subject-" not in text, f"No id stands in {where}.")
