"""What tells whether a step of a network goes too far: how far outputs on remaining rows move."""

import numpy as np
from scipy.stats import mannwhitneyu

from sklearn_unlearn._influence.network.aims import Outputs, outputs_of, raw_by
from sklearn_unlearn._influence.network.unseen import BEACON_LEVEL, attack

# Rows that are looked at, of those that remain and of those that leave.
PROBE_ROWS = 2000
# Share of their distance from the mean output by which outputs on remaining rows may move.
MAX_DRIFT = 0.003
# Share of the rows that leave from which on they may, in a network that knows rows by heart.
MANY = 0.05
# Standard errors by which unseen rows must lose more than remaining ones do.
CLEARLY = 2.0
# What a step is divided by until it doesn't.
SHORTER = 1.3
# A step that must be shorter than this share of itself is of no use.
MIN_SHARE = 1e-9


def drawn(rows, rng, size=PROBE_ROWS):
    """Return rows, some of them if there are many."""
    return rows if len(rows) <= size else rng.choice(rows, size, replace=False)


class Sight:
    """Judges steps by how far outputs on remaining rows move, and tells of unseen rows.

    The distance is that of :class:`Outputs`.

    Parameters
    ----------
    start : NetworkObjective
        Where steps start.

    forgotten : ndarray of int
        Rows that leave.

    unseen : UnseenRows or None
        Rows that the network was not trained on, for the receipt.

    rng : RandomState
        Draws rows where there are many.
    """

    def __init__(self, start, forgotten, unseen, rng):
        self.start, self.forgotten, self.unseen = start, drawn(forgotten, rng), unseen
        self.before = start.losses(self.forgotten)
        if not np.isfinite(self.before).all():
            raise ValueError(
                f"The loss of {start.problem.name} is not finite on some training rows; no step "
                "can be judged. Look for extreme values in them."
            )
        self.sample = drawn(start.remaining_rows(), rng)
        raw, y = outputs_of(raw_by(start), start, self.sample)
        self._outputs = Outputs(start.problem, raw, y)
        self.allowed = MAX_DRIFT * self._distance(raw.mean(dim=0).expand_as(raw))
        self.held = None if unseen is None else unseen.losses(start)
        if self.knows_by_heart():
            # The step is of little use there: small requests must not add up.
            self.allowed *= min(1.0, len(forgotten) / (MANY * start.n_rows))

    def knows_by_heart(self):
        """Tell whether unseen rows are there and lose more than remaining ones do."""
        # One row alone does not tell how much they differ.
        if self.held is None or len(self.held) < 2 or not len(self.before):
            return False
        gap = self.held.mean() - self.start.losses(self.sample).mean()
        return gap > CLEARLY * self.held.std(ddof=1) / len(self.held) ** 0.5

    def _distance(self, raw):
        """Return the mean distance of outputs of remaining rows from those before."""
        return float(self._outputs.distances(raw).double().mean())

    def drift(self, end):
        """Return how far an objective's outputs of remaining rows are from those before."""
        return self._distance(outputs_of(raw_by(end), end, self.sample)[0])

    def trusted_share(self, step):
        """Return the share of a step that doesn't go too far."""
        share = 1.0
        while share >= MIN_SHARE:
            if self.drift(self.start.at(self.start.theta + share * step)) <= self.allowed:
                return share
            share /= SHORTER
        raise ValueError(
            f"No step along the influence of the rows keeps what {self.start.problem.name} says of "
            "others. Use PUMAUnlearner with a larger damping."
        )

    def told(self, begin, end):
        """Return the losses before a request and after it in words."""
        before, now, parts = begin.losses(self.forgotten), end.losses(self.forgotten), []
        if len(now):
            losses = f"{before.mean():.3g} before, {now.mean():.3g} after"
            parts.append(f"loss of the forgotten rows {losses}")
        if self.unseen is None:
            return "; ".join([*parts, "no row was held out to tell what it should be"])
        held, held_now = (self.unseen.losses(one) for one in (begin, end))
        parts.append(f"of unseen rows {held.mean():.3g} before, {held_now.mean():.3g} after")
        if len(now):
            parts.append(
                f"AUC of an attack by loss {attack(before, held):.2f} before, "
                f"{attack(now, held_now):.2f} after"
            )
            if _are_higher(now, held_now) and not _are_higher(before, held):
                parts.append("the forgotten rows are less well known than unseen ones")
        return "; ".join(parts)


def _are_higher(losses, others):
    """Tell whether losses are higher than others, by a test."""
    return mannwhitneyu(losses, others, alternative="greater").pvalue < BEACON_LEVEL
