"""What do requests cost in rows that are trained on again?"""

import numpy as np


class RetrainCostDisplay:
    """Rows trained on again against the number of requests.

    Use :meth:`from_unlearners` to make one.

    Parameters
    ----------
    costs : dict of str to ndarray of shape (n_requests,)
        Rows trained on again by each request.

    fits : ndarray of shape (n_requests,) or None, default=None
        Rows that a fit on all remaining rows would have trained on, for comparison.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure that holds them.

    lines_ : list of matplotlib Line2D
        One curve for each unlearner.

    fits_line_ : matplotlib Line2D or None
        The curve of fits from the beginning.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble
    >>> from sklearn_unlearn.inspection import RetrainCostDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> models = {
    ...     "SISA": SISAEnsemble(GaussianNB(), n_shards=4, block_size=20, random_state=0),
    ...     "ARCANE": ArcaneEnsemble(block_size=20, random_state=0),
    ... }
    >>> for model in models.values():
    ...     model = model.fit(X, y).partial_forget([1]).partial_forget([2])
    >>> display = RetrainCostDisplay.from_unlearners(models)
    >>> len(display.lines_), display.fits.tolist()
    (2, [568, 567])
    """

    def __init__(self, *, costs, fits=None):
        self.costs = costs
        self.fits = fits

    @classmethod
    def from_unlearners(cls, unlearners, *, ax=None, **kwargs):
        """Draw what the requests of unlearners have cost, by their receipts.

        Parameters
        ----------
        unlearners : dict of str to BaseUnlearner
            Unlearners that have forgotten something, by the name of their curve.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        RetrainCostDisplay
            The display.

        Raises
        ------
        ValueError
            If an unlearner has no receipts.
        """
        costs, fits = {}, np.empty(0)
        for name, unlearner in unlearners.items():
            receipts = getattr(unlearner, "receipts_", [])
            if not receipts:
                raise ValueError(f"{name!r} has no receipts yet: it has forgotten nothing.")
            costs[name] = np.array([receipt.n_rows_retrained for receipt in receipts])
            if len(receipts) > len(fits):
                fits = np.array([receipt.n_rows_remaining for receipt in receipts])
        return cls(costs=costs, fits=fits).plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, cumulative=True, plot_fits=True, curve_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        cumulative : bool, default=True
            Whether to draw sums over all requests so far, else the cost of each.

        plot_fits : bool, default=True
            Whether to draw the cost of a fit from the beginning for each request.

        curve_kwargs : dict, default=None
            Parameters of matplotlib's ``plot`` for all curves of unlearners.

        Returns
        -------
        RetrainCostDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_, self.lines_, self.fits_line_ = ax, ax.figure, [], None

        def heights(costs):
            return np.cumsum(costs) if cumulative else costs

        for name, costs in self.costs.items():
            style = {"label": name, "drawstyle": "steps-mid"} | (curve_kwargs or {})
            (line,) = ax.plot(np.arange(1, len(costs) + 1), heights(costs), **style)
            self.lines_.append(line)
        if plot_fits and self.fits is not None:
            grey = {"color": "0.5", "linewidth": 1, "linestyle": "--", "label": "training anew"}
            places = np.arange(1, len(self.fits) + 1)
            (self.fits_line_,) = ax.plot(places, heights(self.fits), **grey)
            ax.set_yscale("log")
        ylabel = (
            "Rows trained on again, all requests so far"
            if cumulative
            else ("Rows trained on again by the request")
        )
        ax.set(xlabel="Requests", ylabel=ylabel)
        ax.legend()
        return self
