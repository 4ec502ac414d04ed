"""What is suspected of which labels? For data whose truth nobody knows."""

import numpy as np
from sklearn.utils.validation import check_is_fitted


class LabelIssuesDisplay:
    """Suspects by given and suggested label, and where the threshold lies among the scores.

    Use :meth:`from_detector` to make one.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores, high for suspicious labels.

    threshold : float
        The lowest score of a suspect; infinite if there is none.

    n_suspects : int
        Number of rows that are suspects.

    classes : ndarray of shape (n_classes,), default=None
        Labels; None for targets of a regression.

    counts : ndarray of int of shape (n_classes, n_classes), default=None
        Number of suspects by given (rows) and suggested label (columns).

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        Axes with the matrix, for classes, and the histogram.

    figure_ : matplotlib Figure
        Figure that holds them.

    image_ : matplotlib AxesImage or None
        The matrix of counts.

    text_ : list of matplotlib Text
        Its numbers; those of zero are left out.

    threshold_line_ : matplotlib Line2D or None
        The threshold; None if there is no suspect.

    See Also
    --------
    sklearn_unlearn.MislabelDetector : Makes the scores.
    MislabelCurveDisplay : How well known wrong labels were found.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn import MislabelDetector
    >>> from sklearn_unlearn.inspection import LabelIssuesDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> given = y.copy()
    >>> given[:5] = 2
    >>> detector = MislabelDetector(LogisticRegression(max_iter=500)).fit(X, given)
    >>> display = LabelIssuesDisplay.from_detector(detector)
    >>> int(display.counts[2, 0])
    5
    """

    def __init__(self, *, scores, threshold, n_suspects, classes=None, counts=None):
        self.scores = scores
        self.threshold = threshold
        self.n_suspects = n_suspects
        self.classes = classes
        self.counts = counts

    @classmethod
    def from_detector(cls, detector, *, ax=None, **kwargs):
        """Draw what a fitted detector found.

        Parameters
        ----------
        detector : MislabelDetector
            Fitted detector.

        ax : array-like of matplotlib Axes, default=None
            Two axes to draw on, for targets one; new ones by default.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        LabelIssuesDisplay
            The display.
        """
        check_is_fitted(detector)
        suspects, given = detector.is_suspect_, detector.given_labels_
        classes = counts = None
        if hasattr(detector, "classes_"):
            classes = np.unique(given)
            pair = [
                np.searchsorted(classes, labels[suspects])
                for labels in (given, detector.suggested_labels_)
            ]
            counts = np.zeros((len(classes), len(classes)), dtype=int)
            np.add.at(counts, tuple(pair), 1)
        display = cls(
            scores=detector.mislabel_scores_,
            threshold=detector.threshold_,
            n_suspects=int(suspects.sum()),
            classes=classes,
            counts=counts,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, cmap="Blues", bins=40, hist_kwargs=None):
        """Draw the matrix of counts, for classes, and the histogram of the scores.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, default=None
            Two axes to draw on, for targets one; new ones by default.

        cmap : str or matplotlib Colormap, default="Blues"
            Colours of the matrix.

        bins : int or sequence of float, default=40
            Bins of the histogram.

        hist_kwargs : dict, default=None
            Parameters of matplotlib's ``hist``.

        Returns
        -------
        LabelIssuesDisplay
            The display.
        """
        import matplotlib.pyplot as plt

        n_parts = 1 if self.counts is None else 2
        if ax is None:
            _, ax = plt.subplots(1, n_parts, figsize=(5 * n_parts, 4), layout="constrained")
        self.ax_ = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if len(self.ax_) != n_parts:
            raise ValueError(f"ax has {len(self.ax_)} axes; {n_parts} are needed.")
        self.figure_ = self.ax_[0].figure
        self.image_, self.text_ = None, []
        if self.counts is not None:
            self._draw_counts(self.ax_[0], cmap)
        self._draw_scores(self.ax_[-1], bins, hist_kwargs or {})
        return self

    def _draw_counts(self, ax, cmap):
        """Draw how many labels of each class are taken for which other one."""
        self.image_ = ax.imshow(self.counts, cmap=cmap)
        half = self.counts.max() / 2
        for row, column in np.argwhere(self.counts):
            number = self.counts[row, column]
            color = "white" if number > half else "black"
            self.text_.append(ax.text(column, row, number, ha="center", va="center", color=color))
        places = np.arange(len(self.classes))
        ax.set_xticks(places, labels=self.classes)
        ax.set_yticks(places, labels=self.classes)
        ax.set(xlabel="Suggested label", ylabel="Given label", title=f"{self.n_suspects} suspects")

    def _draw_scores(self, ax, bins, hist_kwargs):
        """Draw the scores and the threshold."""
        ax.hist(self.scores, bins=bins, **({"color": "0.6", "log": True} | hist_kwargs))
        self.threshold_line_ = None
        if np.isfinite(self.threshold):
            self.threshold_line_ = ax.axvline(self.threshold, color="C3", label="threshold")
            ax.legend()
        ax.set(xlabel="Score of the label", ylabel="Rows")
