"""What tells whether a step of a network goes too far: rows it was not trained on, or outputs."""

import numpy as np

from sklearn_unlearn._influence.network.aims import Outputs, outputs_of, raw_by
from sklearn_unlearn._influence.network.unseen import UnseenRows, attack

# Rows that are looked at, of those that remain and of those that leave.
PROBE_ROWS = 2000
# Share of the unseen rows' mean loss by which a step may raise it.
MAX_RISE = 0.05
# Share of their distance from the mean output by which outputs on remaining rows may move.
MAX_DRIFT = 0.01
# What a step is divided by until it doesn't.
SHORTER = 1.3
# A step that must be shorter than this share of itself is of no use.
MIN_SHARE = 1e-9


def sight_of(start, forgotten, rows, rng):
    """Return what steps are judged by.

    Parameters
    ----------
    start : NetworkObjective
        Where they start.

    forgotten : ndarray of int
        Rows that leave.

    rows : CriterionRows or None
        Rows that were held out.

    rng : RandomState
        Draws rows where there are many.

    Returns
    -------
    UnseenSight or OutputSight
        The judge.
    """
    some = drawn(forgotten, rng)
    if not np.isfinite(start.losses(some)).all():
        raise ValueError(
            f"The loss of {start.problem.name} is not finite on some training rows; no step "
            "can be judged. Look for extreme values in them."
        )
    sample = drawn(start.remaining_rows(), rng)
    if rows is None:
        return OutputSight(start, some, sample)
    return UnseenSight(start, some, sample, UnseenRows(rows))


def drawn(rows, rng, size=PROBE_ROWS):
    """Return rows, some of them if there are many."""
    return rows if len(rows) <= size else rng.choice(rows, size, replace=False)


class Sight:
    """Base of both judges.

    Parameters
    ----------
    start : NetworkObjective
        Where steps start.

    forgotten, sample : ndarray of int
        Rows that leave, and remaining ones; at most 2,000 of each.
    """

    def __init__(self, start, forgotten, sample):
        self.start, self.forgotten, self.sample = start, forgotten, sample
        self.before = start.losses(forgotten)

    def trusted_share(self, step):
        """Return the share of a step that doesn't go too far."""
        share = 1.0
        while share >= MIN_SHARE:
            if self.allows(self.start.at(self.start.theta + share * step)):
                return share
            share /= SHORTER
        raise ValueError(
            f"No step along the influence of the rows keeps what {self.start.problem.name} says of "
            "others. Use a larger damping."
        )


class UnseenSight(Sight):
    """Judges steps by the loss of rows that the network was not trained on.

    Parameters are those of :class:`Sight`, and the rows, UnseenRows.
    """

    limit = f"where the loss of unseen rows rises by {MAX_RISE:.0%}"

    def __init__(self, start, forgotten, sample, unseen):
        super().__init__(start, forgotten, sample)
        self.unseen, self.held = unseen, unseen.losses(start)

    def allows(self, end):
        """Tell whether an objective's loss of unseen rows is not much higher."""
        return self.unseen.losses(end).mean() <= (1 + MAX_RISE) * self.held.mean()

    def told(self, end):
        """Return the losses at the end in words."""
        now, held = end.losses(self.forgotten), self.unseen.losses(end)
        if not len(now):
            return f"loss of unseen rows {self.held.mean():.3g} before, {held.mean():.3g} after"
        return (
            f"loss of the forgotten rows {self.before.mean():.3g} before, {now.mean():.3g} after, "
            f"of unseen rows {held.mean():.3g}; AUC of an attack by loss "
            f"{attack(self.before, self.held):.2f} before, {attack(now, held):.2f} after"
        )


class OutputSight(Sight):
    """Judges steps by how far outputs on remaining rows move.

    The distance is that of :class:`Outputs`. Parameters are those of :class:`Sight`.
    """

    limit = "where outputs on remaining rows move too far"

    def __init__(self, start, forgotten, sample):
        super().__init__(start, forgotten, sample)
        raw, y = outputs_of(raw_by(start), start, sample)
        self._before = Outputs(start.problem, raw, y)
        self.allowed = MAX_DRIFT * self._distance(raw.mean(dim=0).expand_as(raw))

    def _distance(self, raw):
        """Return the mean distance of outputs from those before."""
        return float(self._before.distances(raw).double().mean())

    def allows(self, end):
        """Tell whether an objective's outputs on remaining rows are near those before."""
        return self._distance(outputs_of(raw_by(end), end, self.sample)[0]) <= self.allowed

    def told(self, end):
        """Return the losses at the end in words."""
        if not len(self.forgotten):
            return "no row was held out to tell how far to go"
        now = end.losses(self.forgotten)
        return (
            f"loss of the forgotten rows {self.before.mean():.3g} before, {now.mean():.3g} after; "
            "no row was held out to tell what it should be"
        )
