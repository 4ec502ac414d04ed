"""What is known of how the transformers of a class forget."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """How fitted transformers of one class forget.

    Parameters
    ----------
    forget : callable
        Takes the fitted transformer, the rows that leave as the transformer got them, what was
        kept at the last request, None before the first, and a callable that returns the rows
        that remain. Returns the new transformer, the same object if it learned nothing from
        those rows, and what to keep; or None if it has to be fitted anew. Changes nothing in
        place.

    change : callable or None, default=None
        Takes the old and the new transformer, what is kept, and the :class:`Change` of the
        input. Returns the change of the output, None where it is not known.

    moved : callable or None, default=None
        Takes a fitted transformer, what is kept and the change of its input. Returns the
        transformer for changed rows and what to keep, or None if it has to be fitted anew.
        Without it, it always has.

    lost : callable or None, default=None
        Takes the old transformer, what was kept, the new transformer and what is kept. Returns
        how many units of digits are lost. None for a transformer that loses none.

    output : callable or None, default=None
        Takes a fitted transformer and a few rows. Returns what ``transform`` does, to the last
        digit, but with less ado and never as a frame; None if it can't.

    keeps : bool, default=False
        True if ``moved`` needs what is kept; before the first request that is nothing.

    learns : bool, default=True
        False if transformers learn nothing from rows but how many columns there are.
    """

    forget: Callable
    change: Callable | None = None
    moved: Callable | None = None
    lost: Callable | None = None
    output: Callable | None = None
    keeps: bool = False
    learns: bool = True
