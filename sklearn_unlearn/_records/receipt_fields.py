"""What the fields of a receipt may hold, for those that are read back."""

import math
import re
from datetime import datetime
from numbers import Integral, Real

GUARANTEES = ("exact", "optimum", "certified", "approximate")
KINDS = ("forget", "correct")
_COUNTS = ("n_subjects", "n_rows", "n_rows_remaining", "n_rows_retrained", "n_unknown")
_NORMS = ("gradient_norm_before", "gradient_norm_after")
_DIGESTS = ("request_digest", "model_digest_before", "model_digest_after")
_LISTS = ("not_forgotten", "retrained_parts", "holds_rows")


def check_fields(record):
    """Raise a ValueError that names the first field of a record that can't be what it says.

    Parameters
    ----------
    record : dict
        Values by the name of their field; fields that are absent have their default.
    """
    for name, value in record.items():
        wanted, holds = _RULES.get(name, ("", None))
        if holds is not None and not holds(value):
            raise ValueError(
                f"{name} of a receipt must be {wanted}; got {_shown(value)}. Pass what to_dict() "
                "or to_json() returned."
            )


def _shown(value):
    """Return a number or word as it is, of anything longer only the type."""
    short = isinstance(value, Real) or (isinstance(value, str) and len(value) < 20)
    return repr(value) if short or value is None else f"a {type(value).__name__}"


def _is_text(value):
    return isinstance(value, str)


def _is_count(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 0


def _is_size(value):
    """Tell whether a value is a number of 0 or more, or one that JSON has as text only."""
    if isinstance(value, str):
        return value in ("inf", "-inf", "nan")
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and (value >= 0 or not math.isfinite(value))


def _is_digest(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]+", value) is not None


def _is_time(value):
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_list_of(holds):
    return lambda value: isinstance(value, (list, tuple)) and all(map(holds, value))


def _or_none(holds):
    return lambda value: value is None or holds(value)


def _is_dict(value):
    return isinstance(value, dict) and all(map(_is_text, value))


def _is_figures(value):
    return _is_dict(value) and all(
        isinstance(each, (Real, str)) and not isinstance(each, bool) for each in value.values()
    )


_RULES = {
    "created_at": ("a time in ISO 8601 with its zone", _is_time),
    "method": ("a text", _is_text),
    "stopped_because": ("a text", _is_text),
    "guarantee": (f"one of {GUARANTEES}", lambda value: value in GUARANTEES),
    "kind": (f"one of {KINDS}", lambda value: value in KINDS),
    "seconds": ("a number from 0 on", _is_size),
    "salt": ("a text or None", _or_none(_is_text)),
    "previous_digest": ("a hexadecimal number or None", _or_none(_is_digest)),
    "subject_digests": ("a list of hexadecimal numbers", _is_list_of(_is_digest)),
    "params": ("a dict", _is_dict),
    "versions": ("a dict", _is_dict),
    "measures": ("a dict of numbers", _is_figures),
    **dict.fromkeys(_COUNTS, ("a whole number from 0 on", _is_count)),
    **dict.fromkeys(_NORMS, ("a number from 0 on or None", _or_none(_is_size))),
    **dict.fromkeys(_DIGESTS, ("a hexadecimal number", _is_digest)),
    **dict.fromkeys(_LISTS, ("a list of texts", _is_list_of(_is_text))),
}
