"""How do resistance and accuracy depend on the length of the step?"""

import numpy as np


class EtaSensitivityDisplay:
    """Scores after forgetting against the step length ``eta``.

    Use :meth:`from_cv_results` to make one.

    Parameters
    ----------
    eta : ndarray of shape (n_etas,)
        Step lengths, sorted.

    means : dict of str to ndarray of shape (n_etas,)
        Mean of each score over the folds.

    spreads : dict of str to ndarray of shape (n_etas,)
        Standard deviation of each score over the folds.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure that holds them.

    lines_ : list of matplotlib Line2D
        One curve for each score.

    See Also
    --------
    sklearn_unlearn.metrics.make_forget_scorer : Makes the scorers for the search.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.inspection import EtaSensitivityDisplay
    >>> from sklearn_unlearn.metrics import make_forget_scorer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> scoring = {
    ...     "accuracy": make_forget_scorer("accuracy", forget=0.2),
    ...     "resistance": make_forget_scorer("resistance", forget=0.2),
    ... }
    >>> pipe = make_pipeline(StandardScaler(), LogisticRegression())
    >>> search = GridSearchCV(
    ...     PUMAUnlearner(pipe, reweight=None), {"eta": [0, 1, 4]}, scoring=scoring, refit=False
    ... )
    >>> search = search.fit(X, y)
    >>> display = EtaSensitivityDisplay.from_cv_results(search.cv_results_)
    >>> len(display.lines_)
    2
    """

    def __init__(self, *, eta, means, spreads):
        self.eta = eta
        self.means = means
        self.spreads = spreads

    @classmethod
    def from_cv_results(cls, cv_results, *, ax=None, **kwargs):
        """Draw the scores of a search over ``eta``.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of a search with ``eta`` as its only parameter, and with one or
            many scorers.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        EtaSensitivityDisplay
            The display.

        Raises
        ------
        ValueError
            If the search was not over ``eta`` alone.
        """
        searched = [name for name in cv_results if name.startswith("param_")]
        if len(searched) != 1 or searched[0].split("__")[-1] not in ("eta", "param_eta"):
            names = ", ".join(name.removeprefix("param_") for name in searched) or "nothing"
            raise ValueError(f"cv_results must come from a search over eta alone; got {names}.")
        eta = np.array(cv_results[searched[0]], dtype=float)
        order = np.argsort(eta, kind="stable")
        start = "mean_test_"
        names = [name.removeprefix(start) for name in cv_results if name.startswith(start)]
        display = cls(
            eta=eta[order],
            means={name: np.asarray(cv_results[start + name])[order] for name in names},
            spreads={name: np.asarray(cv_results[f"std_test_{name}"])[order] for name in names},
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, curve_kwargs=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        curve_kwargs : dict, default=None
            Parameters of matplotlib's ``plot`` for all curves.

        Returns
        -------
        EtaSensitivityDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        for name, mean in self.means.items():
            style = {"marker": "o", "markersize": 4, "label": name} | (curve_kwargs or {})
            (line,) = ax.plot(self.eta, mean, **style)
            band = mean - self.spreads[name], mean + self.spreads[name]
            ax.fill_between(self.eta, *band, alpha=0.2, color=line.get_color(), linewidth=0)
            self.lines_.append(line)
        if self.eta[0] <= 1 <= self.eta[-1]:
            ax.axvline(1, color="0.5", linewidth=1, linestyle=":", zorder=0)
        ax.set(xlabel="Step length eta", ylabel="Score after forgetting (mean ± deviation)")
        ax.legend()
        return self
