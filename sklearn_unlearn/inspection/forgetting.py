"""Before, after and refit, side by side."""

import numpy as np

KINDS = ("score", "loss", "gap")


class ForgettingDisplay:
    """Figures of a forgetting report as groups of bars.

    Use :meth:`from_report` to make one.

    Parameters
    ----------
    groups : list of str
        Names of the groups of bars.

    bars : dict of str to ndarray of shape (n_groups,)
        Heights of the bars, one of each name in every group.

    spreads : dict of str to ndarray of shape (n_groups,)
        Half lengths of the error bars, for some of the bars.

    ylabel : str
        What the heights are.

    log : bool, default=False
        Whether heights are on a logarithmic scale.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.

    figure_ : matplotlib Figure
        Figure that holds them.

    bars_ : list of matplotlib BarContainer
        One container for each name.

    See Also
    --------
    sklearn_unlearn.metrics.forgetting_report : Makes the report.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_unlearn.baselines import RetrainUnlearner
    >>> from sklearn_unlearn.inspection import ForgettingDisplay
    >>> from sklearn_unlearn.metrics import forgetting_report
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RetrainUnlearner(DecisionTreeClassifier(max_depth=3), random_state=0)
    >>> model = model.fit(X[:400], y[:400])
    >>> report = forgetting_report(model, range(20), X[400:], y[400:], n_refits=2)
    >>> display = ForgettingDisplay.from_report(report)
    >>> display.groups
    ['remaining rows', 'forgotten rows', 'test rows']
    """

    def __init__(self, *, groups, bars, spreads, ylabel, log=False):
        self.groups = groups
        self.bars = bars
        self.spreads = spreads
        self.ylabel = ylabel
        self.log = log

    @classmethod
    def from_report(cls, report, *, kind="score", ax=None, **kwargs):
        """Draw figures of a report.

        Parameters
        ----------
        report : ForgettingReport
            What :func:`~sklearn_unlearn.metrics.forgetting_report` returned.

        kind : {"score", "loss", "gap"}, default="score"
            "score" and "loss" compare the model before, after and the refits on remaining,
            forgotten and test rows; "gap" compares distances from the refits, by predictions on
            the forgotten rows and by parameters, with their floor.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        ForgettingDisplay
            The display.

        Raises
        ------
        ValueError
            If the kind is unknown.
        """
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is invalid: it must be one of {KINDS}.")
        if kind == "gap":
            # Those of the forgotten rows have no other name than their measure's.
            gaps = {
                name: gap
                for name, gap in report.gaps.items()
                if np.isfinite(gap["before"]) and "," not in name
            }
            bars = {
                label: np.array([gap[stage] for gap in gaps.values()])
                for label, stage in (
                    ("before", "before"),
                    ("after", "after"),
                    ("between refits", "floor"),
                )
            }
            names = [name.replace("_", " ").replace("kl", "KL divergence") for name in gaps]
            display = cls(
                groups=names, bars=bars, spreads={}, ylabel="Distance from refits", log=True
            )
            return display.plot(ax=ax, **kwargs)
        lines = {}
        for name, values in report.performance.items():
            measure, _, rows = name.partition(", ")
            if rows.endswith(" rows") and (measure == "loss") == (kind == "loss"):
                lines[rows] = values
                ylabel = measure[0].upper() + measure[1:]
        bars = {
            stage: np.array([values[stage] for values in lines.values()])
            for stage in ("before", "after", "refit")
        }
        spreads = {"refit": np.array([values["spread"] for values in lines.values()])}
        display = cls(groups=list(lines), bars=bars, spreads=spreads, ylabel=ylabel)
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, bar_kwargs=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        bar_kwargs : dict, default=None
            Parameters of matplotlib's ``bar`` for all bars.

        Returns
        -------
        ForgettingDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_, self.bars_ = ax, ax.figure, []
        places, width = np.arange(len(self.groups)), 0.8 / len(self.bars)
        for i, (name, heights) in enumerate(self.bars.items()):
            style = {"label": name, "yerr": self.spreads.get(name), "capsize": 3}
            shift = (i - (len(self.bars) - 1) / 2) * width
            drawn = ax.bar(places + shift, heights, width, **style | (bar_kwargs or {}))
            self.bars_.append(drawn)
        ax.set_xticks(places, self.groups)
        ax.set_ylabel(self.ylabel)
        every = np.concatenate(list(self.bars.values()))
        if self.log and (every > 0).any():
            ax.set_yscale("log")
            ax.set_ylim(0.3 * every[every > 0].min(), 10 * every.max())
            for drawn in self.bars_:
                # A logarithmic scale has no place for zero.
                ax.bar_label(drawn, ["" if bar.get_height() else "0" for bar in drawn])
        else:
            # The legend needs room above the bars.
            ax.set_ylim(top=max(0.0, every.max()) * 1.3 or None)
        ax.legend(ncols=3, loc="upper center")
        return self
