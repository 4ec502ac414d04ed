"""A measure of several methods, side by side."""

import numpy as np


class ComparisonDisplay:
    """Values of methods as points, one for each request and seed, with their medians.

    Use :meth:`from_comparison` to make one.

    Parameters
    ----------
    values : dict of str to ndarray
        Values of each method, in the order of the rows of the plot; those that are not finite
        are not drawn.

    xlabel : str
        What the values are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.

    figure_ : matplotlib Figure
        Figure that holds them.

    points_ : list of matplotlib PathCollection
        The points of each method.

    See Also
    --------
    sklearn_unlearn.metrics.compare_unlearners : Makes the comparison.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_unlearn.inspection import ComparisonDisplay
    >>> display = ComparisonDisplay(
    ...     values={"retraining": np.array([0.0, 0.1]), "nothing": np.array([1.0, 0.9])},
    ...     xlabel="Effect left",
    ... ).plot()
    >>> len(display.points_)
    2
    """

    def __init__(self, *, values, xlabel):
        self.values = values
        self.xlabel = xlabel

    @classmethod
    def from_comparison(cls, comparison, *, measure="effect_left", ax=None, **kwargs):
        """Draw a measure of a comparison.

        Parameters
        ----------
        comparison : Comparison
            What :func:`~sklearn_unlearn.metrics.compare_unlearners` returned.

        measure : str, default="effect_left"
            A column of its table.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        ComparisonDisplay
            The display.

        Raises
        ------
        ValueError
            If there is no such column of numbers.
        """
        frame = comparison.to_frame()
        numbers = frame.select_dtypes("number").columns.tolist()
        if measure not in numbers:
            raise ValueError(f"measure={measure!r} is invalid: it must be one of {numbers}.")
        values = {
            method: some[measure].to_numpy(dtype=float)
            for method, some in frame.groupby("method", sort=False)
        }
        label = measure.replace("_", " ")
        return cls(values=values, xlabel=label[0].upper() + label[1:]).plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, scatter_kwargs=None):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        scatter_kwargs : dict, default=None
            Parameters of matplotlib's ``scatter`` for all points.

        Returns
        -------
        ComparisonDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_, self.figure_, self.points_ = ax, ax.figure, []
        for place, own in enumerate(self.values.values()):
            own = own[np.isfinite(own)]
            # Spread over the row's height, so that equal values show.
            heights = place + np.linspace(-0.2, 0.2, len(own))
            style = {"s": 16, "color": "C0", "alpha": 0.6} | (scatter_kwargs or {})
            self.points_.append(ax.scatter(own, heights, **style))
            if len(own):
                ax.plot([np.median(own)] * 2, [place - 0.35, place + 0.35], color="C1", lw=2)
        ax.set_yticks(range(len(self.values)), list(self.values))
        ax.set_ylim(len(self.values) - 0.5, -0.5)
        ax.set_xlabel(self.xlabel)
        return self
