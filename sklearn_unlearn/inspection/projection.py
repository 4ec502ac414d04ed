"""Where does each row push the parameters, on the surfaces of objective and criterion?"""

from copy import deepcopy

import numpy as np
from sklearn.utils.validation import check_is_fitted

GRID = 60


class ProjectionDisplay:
    """Projected directions of rows in the plane of a model's two parameters.

    Contours of the training objective J and of the criterion C, for every row the direction
    ``H^-1 grad l_i`` in which the parameters move if it leaves, and the steps of naive
    removal and of PUMA for a request. Use :meth:`from_unlearner` to make one.

    Parameters
    ----------
    axes : tuple of (ndarray, ndarray)
        Values of the first and of the second parameter on the grid.

    objective : ndarray of shape (n_second, n_first)
        Mean training objective J on the grid.

    criterion : ndarray of shape (n_second, n_first)
        Criterion C on the grid.

    start : ndarray of shape (2,)
        Parameters before the request.

    directions : ndarray of shape (n_rows, 2)
        Directions of the training rows.

    influences : ndarray of shape (n_rows,)
        Predicted rise of C if a row leaves, by row.

    marked : ndarray of bool of shape (n_rows,)
        Rows of the request.

    ends : dict of str to ndarray of shape (2,)
        Where the steps end.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the picture.

    figure_ : matplotlib Figure
        Figure that holds it.

    arrows_ : matplotlib Quiver
        The rows' directions.

    References
    ----------
    .. [1] G. Wu, M. Hashemi, C. Srinivasa, "PUMA: Performance Unchanged Model Augmentation
       for Training Data Removal", AAAI 2022, :arxiv:`2203.00846`.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.inspection import ProjectionDisplay
    >>> X, y = make_classification(
    ...     200, n_features=2, n_redundant=0, n_clusters_per_class=1, random_state=0
    ... )
    >>> model = PUMAUnlearner(
    ...     LogisticRegression(fit_intercept=False), validation_fraction=0.1, random_state=0
    ... )
    >>> display = ProjectionDisplay.from_unlearner(model.fit(X, y), range(30))
    >>> sorted(display.ends)
    ['PUMA', 'naive removal', 'refit']
    """

    def __init__(self, *, axes, objective, criterion, start, directions, influences, marked, ends):
        self.axes = axes
        self.objective = objective
        self.criterion = criterion
        self.start = start
        self.directions = directions
        self.influences = influences
        self.marked = marked
        self.ends = ends

    @classmethod
    def from_unlearner(cls, unlearner, X_ids, *, ax=None, **kwargs):
        """Draw a request to an unlearner of a linear model with two parameters.

        Parameters
        ----------
        unlearner : PUMAUnlearner
            Fitted around a linear model without intercept on two features, with criterion
            rows (``X_val``, or held-out rows); it is copied and not changed.

        X_ids : array-like of shape (n_subjects,)
            Ids of the request.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        ProjectionDisplay
            The display.

        Raises
        ------
        ValueError
            If the model has other than two parameters.
        """
        check_is_fitted(unlearner)
        objective = unlearner.objective()
        theta = objective.theta
        if theta.shape != (1, 3) or objective.fit_intercept:
            raise ValueError(
                "The picture needs a linear model with two parameters: two features, "
                "fit_intercept=False and one output."
            )
        criterion = unlearner.criterion_rows()
        if criterion is None:
            raise ValueError(
                "There are no criterion rows that the model was not trained on: pass X_val and "
                "y_val to fit, or set validation_fraction."
            )
        rows = unlearner.rows_of(X_ids)
        left = np.setdiff1d(unlearner.rows_of(), rows)
        models = {
            "naive removal": deepcopy(unlearner).set_params(reweight=None).partial_forget(X_ids),
            "PUMA": deepcopy(unlearner).partial_forget(X_ids),
            "refit": unlearner.refitted(left, unlearner.random_state),
        }
        ends = {name: np.ravel(model.estimator_.coef_) for name, model in models.items()}
        trained = objective.remaining_rows()
        axes = _frame(theta[0, :2], ends.values())
        J, C = _surfaces(objective, criterion, axes)
        display = cls(
            axes=axes,
            objective=J,
            criterion=C,
            start=theta[0, :2].copy(),
            directions=_directions(objective, trained),
            influences=_of_trained_rows(unlearner),
            marked=np.isin(trained, rows),
            ends=ends,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, max_rows=150):
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        max_rows : int, default=150
            Largest number of rows whose directions are drawn, those with the longest.

        Returns
        -------
        ProjectionDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        ax.contour(*self.axes, self.objective, levels=12, colors="0.75", linewidths=0.8)
        lines = ax.contour(
            *self.axes, self.criterion, levels=12, colors="C2", linewidths=0.8, linestyles="--"
        )
        lines.set_alpha(0.6)
        lengths = np.linalg.norm(self.directions, axis=1)
        shown = np.argsort(-lengths, kind="stable")[:max_rows]
        longest = max(lengths.max(), np.finfo(float).tiny)
        width = np.ptp(self.axes[0])
        colors = np.where(self.influences[shown] >= 0, "C0", "C3")
        self.arrows_ = ax.quiver(
            *np.repeat(self.start[:, None], len(shown), axis=1),
            *(0.3 * width * self.directions[shown].T / longest),
            color=colors,
            alpha=0.5,
            angles="xy",
            scale_units="xy",
            scale=1,
            width=0.002,
        )
        ax.plot(*self.start, "ko", markersize=5, label="before", zorder=4)
        markers = {"naive removal": "s", "PUMA": "D", "refit": "*"}
        for name, end in self.ends.items():
            # The refit may lie right under the end of a step.
            size = 13 if name == "refit" else 6
            (point,) = ax.plot(
                *end,
                markers.get(name, "o"),
                markersize=size,
                label=name,
                zorder=2.5 if name == "refit" else 3,
            )
            if name != "refit":
                path = np.column_stack([self.start, end])
                ax.plot(*path, color=point.get_color(), linewidth=1.5)
        handles, _ = ax.get_legend_handles_labels()
        made = [
            plt.Line2D([], [], color="0.75", label="objective J"),
            plt.Line2D([], [], color="C2", linestyle="--", label="criterion C"),
            plt.Line2D([], [], color="C0", label="rows whose removal raises C"),
            plt.Line2D([], [], color="C3", label="rows whose removal lowers C"),
        ]
        # Beside the picture: rows may point anywhere in it.
        ax.legend(
            handles=[*handles, *made], fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1)
        )
        ax.set(
            xlabel="First parameter",
            ylabel="Second parameter",
            xlim=self.axes[0][[0, -1]],
            ylim=self.axes[1][[0, -1]],
        )
        return self


def _directions(objective, rows):
    """Return how the two parameters move if a row leaves, to first order."""
    slopes = objective.directional(np.zeros((1, *objective.shape)), rows)[1]
    Z = objective.features(objective.rows.take(rows))
    gradients = np.asarray(slopes * (Z.toarray() if hasattr(Z, "toarray") else Z))
    inverse = objective.solve(np.eye(3)[:2, None, :])[:, 0, :2]
    return gradients @ inverse


def _of_trained_rows(unlearner):
    """Return the influences of the training rows."""
    psi = deepcopy(unlearner).influence()
    psi = psi[unlearner.objective().trained[unlearner.rows_of()]]
    return psi if psi.ndim == 1 else psi.sum(axis=1)


def _frame(start, ends):
    """Return the axes of a grid around the points."""
    points = np.vstack([start, *ends])
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    reach = max(np.ptp(points, axis=0).max(), 1e-3 * np.abs(start).max(), 1e-9)
    steps = np.linspace(-1.6 * reach, 1.6 * reach, GRID)
    return middle[0] + steps, middle[1] + steps


def _surfaces(objective, rows, axes):
    """Return the mean objective and the mean loss of the criterion rows on a grid."""
    Z, targets = objective.features(rows.rows.take(rows.numbers)), rows.targets
    J, C = np.empty((GRID, GRID)), np.empty((GRID, GRID))
    for i, second in enumerate(axes[1]):
        for j, first in enumerate(axes[0]):
            there = objective.at(np.array([[first, second, 0.0]]))
            J[i, j] = there.measured(hessian=False).value() / objective.class_weights.weight
            C[i, j] = objective.loss.value(there.raw(Z), targets).sum(axis=1).mean()
    return J, C
