"""What do models say of rows that they were never trained on?"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, norm, wilcoxon
from sklearn.metrics import roc_auc_score

# Level and power of the test whether rows are known otherwise than unseen ones.
LEVEL, POWER = 0.05, 0.8
# A test of few rows, which tells no AUC below this from 0.5, decides by the better guess.
WEAK = 0.7
# Level at which rows are said to stand out by how little a network is sure of them.
BEACON_LEVEL = 0.01


def matched(pool, wanted, rng):
    """Return positions of a pool whose classes have the shares of some others.

    Parameters
    ----------
    pool : ndarray of int of shape (n,)
        Class numbers to choose from.

    wanted : ndarray of int of shape (k,)
        Class numbers whose shares are wanted; classes that the pool lacks don't count.

    rng : RandomState
        Chooses.

    Returns
    -------
    ndarray of int
        As many positions as there can be, in order. Empty if the pool has none of the classes.
    """
    n_codes = 1 + max(pool.max(initial=0), wanted.max(initial=0))
    asked, there = np.bincount(wanted, minlength=n_codes), np.bincount(pool, minlength=n_codes)
    both = (asked > 0) & (there > 0)
    if not both.any():
        return np.empty(0, dtype=np.intp)
    per_row = (there[both] / asked[both]).min()
    chosen = [
        rng.permutation(np.flatnonzero(pool == code))[: max(1, int(per_row * asked[code]))]
        for code in np.flatnonzero(both)
    ]
    return np.sort(np.concatenate(chosen))


class UnseenRows:
    """Rows that a network was never trained on, of the classes of some that it was.

    Parameters
    ----------
    rows : CriterionRows
        Rows that were held out.

    at : ndarray of int, default=None
        Which of them; by default all.
    """

    def __init__(self, rows, at=None):
        self.rows, self.at = rows, np.arange(len(rows.numbers)) if at is None else at

    def __len__(self):
        return len(self.at)

    def losses(self, model):
        """Return the losses of the rows by an objective or a guide."""
        rows, start, found = self.rows, 0, []
        for Z in rows.blocks(getattr(model, "objective", model)):
            targets = rows.targets[start : start + Z.shape[0]]
            found.append(model.losses_of(Z, targets))
            start += Z.shape[0]
        return np.concatenate(found)[self.at]


def unseen_like(rows, objective, forgotten, rng):
    """Return unseen rows of the classes of forgotten ones, None if there are none.

    Parameters
    ----------
    rows : CriterionRows or None
        Rows that were held out.

    objective : NetworkObjective
        Has the forgotten rows.

    forgotten : ndarray of int
        Their numbers.

    rng : RandomState
        Chooses.

    Returns
    -------
    UnseenRows or None
        The rows.
    """
    if rows is None:
        return None
    codes = rows.targets if rows.targets.ndim == 1 else np.zeros(len(rows.targets), dtype=np.intp)
    at = matched(codes, objective.data.codes(forgotten), rng)
    return UnseenRows(rows, at) if len(at) else None


def attack(forgotten, unseen):
    """Return the AUC of an attack that calls rows of low loss members."""
    is_member = np.r_[np.ones(len(forgotten)), np.zeros(len(unseen))]
    return float(roc_auc_score(is_member, -np.r_[forgotten, unseen]))


@dataclass(frozen=True)
class Losses:
    """What a model loses on forgotten rows and on unseen rows of their classes.

    Parameters
    ----------
    forgotten : ndarray of shape (k,)
        Losses of the forgotten rows.

    unseen : ndarray of shape (m,) or None
        Losses of the others; None if there are none.
    """

    forgotten: np.ndarray
    unseen: np.ndarray | None

    def attack(self):
        """Return the AUC of an attack that calls rows of low loss members; needs unseen rows."""
        return attack(self.forgotten, self.unseen)


def losses_by(model, forgotten, unseen):
    """Return what a model loses.

    Parameters
    ----------
    model : NetworkObjective or Guide
        The model.

    forgotten : ndarray of int
        Numbers of the forgotten rows.

    unseen : UnseenRows or None
        Rows that the network was never trained on.

    Returns
    -------
    Losses
        Losses of both.
    """
    return Losses(model.losses(forgotten), None if unseen is None else unseen.losses(model))


@dataclass(frozen=True)
class Difference:
    """Does a network tell rows apart from rows that it has not seen?

    Parameters
    ----------
    p_value : float
        Probability of what was seen, if it does not.

    against : str
        What the rows were compared with.

    detectable : float
        AUC that would have been told apart from 0.5 in four of five cases.
    """

    p_value: float
    against: str
    detectable: float

    def __bool__(self):
        return self.p_value < (LEVEL if self.detectable <= WEAK else 0.5)

    def __str__(self):
        return (
            f"compared with {self.against}, p = {self.p_value:.2g}; an AUC of "
            f"{self.detectable:.2f} would have been told from 0.5"
        )


def difference(network, guide):
    """Tell whether a network knows rows otherwise than rows that it has not seen.

    Two things are compared: the losses, and how much higher the loss of the same row is by a guide
    that has not been trained on it. The first alone would overlook rows with wrong labels, whose
    loss is high by any model and may by chance be that of unseen rows.

    Parameters
    ----------
    network, guide : Losses
        What both lose. Without unseen rows the two models' losses are compared, and a poor
        guide makes a difference.

    Returns
    -------
    Difference
        The answer.
    """
    k, lost = len(network.forgotten), guide.forgotten - network.forgotten
    if network.unseen is None:
        m, against = k, "themselves by a model that has not seen them"
        p_value = float(wilcoxon(lost).pvalue) if lost.any() else 1.0
    else:
        m, against = len(network.unseen), f"{len(network.unseen)} unseen rows"
        # Twice the smaller one: two tests are made.
        p_values = (
            mannwhitneyu(network.forgotten, network.unseen).pvalue,
            mannwhitneyu(lost, guide.unseen - network.unseen).pvalue,
        )
        p_value = min(1.0, 2 * float(min(p_values)))
    spread = np.sqrt((k + m + 1) / (12 * k * m))
    detectable = 0.5 + (norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)) * spread
    return Difference(p_value, against, min(float(detectable), 1.0))


def stands_out(network, guide):
    """Tell whether a network is less sure of forgotten rows than of rows it has never seen.

    Parameters
    ----------
    network, guide : Losses
        What both lose. A row's loss by the guide says how hard it is.

    Returns
    -------
    bool
        True if it is, by a test; False without unseen rows.
    """
    if network.unseen is None:
        return False
    above = network.forgotten - guide.forgotten, network.unseen - guide.unseen
    return bool(mannwhitneyu(*above, alternative="greater").pvalue < BEACON_LEVEL)
