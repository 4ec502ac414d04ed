"""How many wrong labels does one find by looking at the most suspicious rows first?"""

import numpy as np
from sklearn.utils import assert_all_finite, check_consistent_length


class MislabelCurveDisplay:
    """Share of the wrong labels that are found against the share of rows inspected.

    Use :meth:`from_detectors` or :meth:`from_scores` to make one.

    Parameters
    ----------
    inspected : ndarray of shape (n_samples + 1,)
        Shares of rows inspected, from 0 to 1.

    discovered : list of ndarray of shape (n_samples + 1,)
        Shares of the wrong labels found among them, one array for each ranking.

    wrong_share : float
        Share of rows with a wrong label.

    names : list of str, default=None
        Names of the rankings.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure that holds them.

    lines_ : list of matplotlib Line2D
        One curve for each ranking.

    optimal_ : matplotlib Line2D or None
        Curve of a ranking with all wrong labels first.

    chance_ : matplotlib Line2D or None
        Curve of a random ranking.

    See Also
    --------
    sklearn_unlearn.MislabelDetector : Makes the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_unlearn import MislabelDetector
    >>> from sklearn_unlearn.inspection import MislabelCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> wrong = np.random.default_rng(0).random(len(y)) < 0.1
    >>> given = np.where(wrong, (y + 1) % 10, y)
    >>> detectors = {
    ...     "one pass": MislabelDetector(n_rounds=0).fit(X, given),
    ...     "two rounds": MislabelDetector(n_rounds=2).fit(X, given),
    ... }
    >>> display = MislabelCurveDisplay.from_detectors(detectors, wrong)
    >>> len(display.lines_)
    2
    """

    def __init__(self, *, inspected, discovered, wrong_share, names=None):
        self.inspected = inspected
        self.discovered = discovered
        self.wrong_share = wrong_share
        self.names = names

    @classmethod
    def from_detectors(cls, detectors, is_wrong, *, ax=None, **kwargs):
        """Draw the curves of fitted detectors.

        Parameters
        ----------
        detectors : MislabelDetector, list of them, or dict of str to MislabelDetector
            Fitted detectors; the keys of a dict name the curves, else their methods do.

        is_wrong : array-like of bool of shape (n_samples,)
            Which labels are wrong.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        MislabelCurveDisplay
            The display.
        """
        if not isinstance(detectors, dict):
            many = detectors if isinstance(detectors, (list, tuple)) else [detectors]
            names = [detector.method_ for detector in many]
            if len(set(names)) < len(names):
                names = [f"{name} {number}" for number, name in enumerate(names, 1)]
            detectors = dict(zip(names, many))
        scores = {name: detector.mislabel_scores_ for name, detector in detectors.items()}
        return cls.from_scores(scores, is_wrong, ax=ax, **kwargs)

    @classmethod
    def from_scores(cls, scores, is_wrong, *, ax=None, **kwargs):
        """Draw the curves of scores.

        Parameters
        ----------
        scores : array-like of shape (n_samples,) or dict of str to array-like
            Scores, high for suspicious rows; the keys of a dict name the curves.

        is_wrong : array-like of bool of shape (n_samples,)
            Which labels are wrong.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        MislabelCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If no label is wrong, or scores and labels don't belong together.
        """
        is_wrong = np.asarray(is_wrong, dtype=bool)
        if not is_wrong.any():
            raise ValueError("is_wrong has no True: without a wrong label there is none to find.")
        if not isinstance(scores, dict):
            scores = {None: scores}
        discovered = []
        for name, values in scores.items():
            values = np.asarray(values, dtype=float)
            check_consistent_length(values, is_wrong)
            assert_all_finite(values, input_name=f"scores of {name}" if name else "scores")
            found = is_wrong[np.argsort(-values, kind="stable")].cumsum()
            discovered.append(np.concatenate([[0.0], found / is_wrong.sum()]))
        display = cls(
            inspected=np.arange(len(is_wrong) + 1) / len(is_wrong),
            discovered=discovered,
            wrong_share=float(is_wrong.mean()),
            names=None if None in scores else list(scores),
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, names=None, plot_optimal=True, plot_chance=True, curve_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        names : list of str, default=None
            Names of the curves; those of the display by default.

        plot_optimal : bool, default=True
            Whether to draw the curve of a ranking with all wrong labels first.

        plot_chance : bool, default=True
            Whether to draw the curve of a random ranking.

        curve_kwargs : dict or list of dict, default=None
            Parameters of matplotlib's ``plot``, for all curves or for each.

        Returns
        -------
        MislabelCurveDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        names = names or self.names or [None] * len(self.discovered)
        if not isinstance(curve_kwargs, (list, tuple)):
            curve_kwargs = [curve_kwargs] * len(self.discovered)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        for curve, name, style in zip(self.discovered, names, curve_kwargs, strict=True):
            (line,) = ax.plot(self.inspected, curve, **{"label": name} | (style or {}))
            self.lines_.append(line)
        self.optimal_ = self.chance_ = None
        grey = {"color": "0.5", "linewidth": 1, "zorder": 0}
        if plot_optimal:
            corners = [0, self.wrong_share, 1], [0, 1, 1]
            (self.optimal_,) = ax.plot(*corners, linestyle="--", label="optimal", **grey)
        if plot_chance:
            (self.chance_,) = ax.plot([0, 1], [0, 1], linestyle=":", label="chance", **grey)
        ax.set(
            xlabel="Inspected share of the rows",
            ylabel="Discovered share of the wrong labels",
            xlim=(-0.01, 1.01),
            ylim=(-0.01, 1.01),
        )
        if any(name is not None for name in names) or plot_optimal or plot_chance:
            ax.legend(loc="lower right")
        return self
