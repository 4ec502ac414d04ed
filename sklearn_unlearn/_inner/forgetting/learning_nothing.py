"""Transformers that learn nothing from rows but how many columns there are."""

from sklearn_unlearn._inner.forgetting.rules import Rule


def _stays(transformer, removed, kept, remaining):
    """Return the transformer itself."""
    return transformer, None


def _passed_on(old, new, kept, change):
    """Return the change of the input where it is passed through."""
    return change if old.func is None else None


LEARNS_NOTHING = Rule(_stays, learns=False)
FUNCTION = Rule(_stays, _passed_on, learns=False)
