"""Several methods, several requests, several seeds: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.utils import check_consistent_length
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory

from sklearn_unlearn._records.rows import count_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._version import __version__
from sklearn_unlearn.base import BaseUnlearner, Ids, MatrixLike
from sklearn_unlearn.metrics._cells import (
    Trained,
    cell,
    cells,
    check_cached,
    refits_or_error,
    sources,
)
from sklearn_unlearn.metrics._verdict import SAME, TOLD_APART
from sklearn_unlearn.metrics.membership import described
from sklearn_unlearn.metrics.refits import check_n_refits
from sklearn_unlearn.metrics.report import ForgettingReport

if TYPE_CHECKING:
    import pandas as pd

CELL = ["method", "forget", "seed"]
# Of each line of a report, what stands in a row of the table.
STAGES = ("before", "after", "refit", "spread", "floor")


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare_unlearners` found: one report per method, request and seed.

    Parameters
    ----------
    reports : dict of (str, str, int) to ForgettingReport or str
        The report of each cell, by method, request and seed; the text of the error where the
        method could not carry out the request.

    fit_seconds : dict of (str, str, int) to float
        Wall-clock time of the method's first training, of each cell that has a report, in seconds.

    n_fits : int
        Number of models that were trained from the beginning, those of a cache included.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.metrics import compare_unlearners
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = compare_unlearners(
    ...     {"removal": PUMAUnlearner(Ridge(), reweight=None)},
    ...     X[:300], y[:300], X[300:], y[300:], forget={"ten": range(10)}, seeds=1, n_refits=3,
    ... )
    >>> found.to_frame()[["method", "forget", "effect_left"]].to_dict("records")
    [{'method': 'removal', 'forget': 'ten', 'effect_left': 0.0}]
    """

    reports: dict[tuple[str, str, int], ForgettingReport | str] = field(repr=False)
    fit_seconds: dict[tuple[str, str, int], float] = field(repr=False)
    n_fits: int

    def __or__(self, other: Comparison) -> Comparison:
        """Return the cells of two comparisons as one, such as those of two data sets.

        Parameters
        ----------
        other : Comparison
            With other cells: name its requests after the data set, or take other seeds.

        Returns
        -------
        Comparison
            All cells.

        Raises
        ------
        ValueError
            If a cell is in both.
        """
        both = [cell for cell in self.reports if cell in other.reports]
        if both:
            raise ValueError(
                f"the cell {both[0]!r} is in both comparisons; name the requests of each data set "
                "apart, or take other seeds."
            )
        return Comparison(
            self.reports | other.reports,
            self.fit_seconds | other.fit_seconds,
            self.n_fits + other.n_fits,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per method, request and seed.

        Returns
        -------
        pandas.DataFrame
            Columns "method", "forget", "seed"; verdict, p-value and share of the effect with its
            interval; one column per figure and stage, such as "kl, after"; the distance of scores,
            losses and attacks from the refits' mean, such as "attack, AUC, from refits"; seconds of
            the request, of a refit and of the first training; "error" where a cell failed.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        rows = []
        for (method, request, seed), report in self.reports.items():
            row: dict[str, Any] = dict(zip(CELL, (method, request, seed)))
            row["fit_seconds"] = self.fit_seconds.get((method, request, seed), np.nan)
            row |= {"error": report} if isinstance(report, str) else _row(report)
            rows.append(row)
        frame = pd.DataFrame(rows)
        if "error" not in frame:
            frame["error"] = None
        return frame

    def summary(self) -> pd.DataFrame:
        """Return what the methods come to, over requests and seeds.

        Returns
        -------
        pandas.DataFrame
            One row per method: share of its reports told apart from refits, of those that had an
            effect to measure, NaN if none had; the number of these; median share of the effect that
            is left; mean distance of the attack's AUC and of the test score from the refits';
            median share of a refit's time that a request takes, and that the first training takes;
            number of cells, and of those that failed.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        frame = self.to_frame()
        lines = {}
        for method, some in frame.groupby("method", sort=False):
            fine = some[some["error"].isna()]
            line: dict[str, float] = {}
            if len(fine):
                measured = fine["verdict"][fine["verdict"].isin([SAME, TOLD_APART])]
                score = next(name for name in fine if name.endswith("test rows, from refits"))
                refit = fine["seconds, refit"]
                line = {
                    "told apart": float((measured == TOLD_APART).mean()),
                    "with an effect": len(measured),
                    "effect left": float(fine["effect_left"].median()),
                    "attack AUC from refits": float(fine["attack, AUC, from refits"].mean()),
                    "test score from refits": float(fine[score].mean()),
                    "seconds over refit": float((fine["seconds, after"] / refit).median()),
                    "training over refit": float((fine["fit_seconds"] / refit).median()),
                }
            lines[method] = line | {"cells": len(some), "failed": len(some) - len(fine)}
        return pd.DataFrame.from_dict(lines, orient="index").rename_axis("method")

    def test(
        self, measure: str = "kl, after", *, control: str | None = None, average: bool = False
    ) -> pd.DataFrame:
        """Test whether methods differ in a measure of which less is better.

        Friedman's test over all methods, with one block per request and seed; Wilcoxon's
        signed-rank test for each pair, with p-values after Holm [1]_.

        Parameters
        ----------
        measure : str, default="kl, after"
            A column of :meth:`to_frame`.

        control : str, default=None
            A method that all others are paired with; by default every pair is tested.

        average : bool, default=False
            True for one block per request, with the mean over its seeds. Seeds that share their
            rows are no trials of their own: where methods hardly draw, they only repeat a block.

        Returns
        -------
        pandas.DataFrame
            One row per pair of methods: means of both, p-value, p-value after Holm. The p-value of
            Friedman's test, NaN for fewer than three methods, is in ``attrs["friedman"]``.

        Raises
        ------
        ValueError
            If there is no such column or control, or no two blocks in which every method has a
            value.

        References
        ----------
        .. [1] J. Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7,
           2006.
        """
        import pandas as pd

        frame = self.to_frame()
        if measure not in frame or frame[measure].dtype.kind not in "fiu":
            numbers = frame.select_dtypes("number").columns.tolist()
            raise ValueError(f"measure={measure!r} is invalid: it must be one of {numbers}.")
        wide = frame.pivot_table(index=CELL[1:], columns="method", values=measure)
        # A method that failed everywhere is none that can be ranked.
        wide = wide.dropna(axis=1, how="all").dropna()
        if average:
            wide = wide.groupby("forget").mean()
        if control is not None and control not in wide:
            raise ValueError(
                f"control={control!r} is invalid: it must be one of {list(wide.columns)}."
            )
        if len(wide) < 2 or wide.shape[1] < 2:
            raise ValueError(
                f"{measure!r} has values of {wide.shape[1]} methods in {len(wide)} blocks; two of "
                "each are the least."
            )
        pairs = list(combinations(wide.columns, 2))
        if control is not None:
            pairs = [(control, other) for other in wide.columns if other != control]
        values = np.array([_wilcoxon(wide[a] - wide[b]) for a, b in pairs])
        tested = pd.DataFrame(
            {
                "method": [a for a, _ in pairs],
                "other": [b for _, b in pairs],
                "mean": [wide[a].mean() for a, _ in pairs],
                "mean of other": [wide[b].mean() for _, b in pairs],
                "p_value": values,
                "p_value (Holm)": _holm(values),
            }
        )
        several = wide.shape[1] > 2
        friedman = stats.friedmanchisquare(*wide.to_numpy().T).pvalue if several else np.nan
        tested.attrs["friedman"] = float(friedman)
        return tested

    def to_latex(self) -> str:
        """Return :meth:`summary` as a LaTeX table, for a document that loads booktabs.

        Returns
        -------
        str
            A ``tabular``.
        """
        table = self.summary()
        lines = [
            rf"\begin{{tabular}}{{l{'r' * table.shape[1]}}}",
            r"\toprule",
            " & ".join(["method", *map(str, table.columns)]) + r" \\",
            r"\midrule",
        ]
        for method, values in zip(table.index, table.to_numpy()):
            cells = ["--" if np.isnan(value) else f"{value:.3g}" for value in values]
            lines.append(" & ".join([_escaped(str(method)), *cells]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])

    def plot(self, measure: str = "effect_left", *, ax: Any = None) -> Any:
        """Draw a measure of all methods.

        Parameters
        ----------
        measure : str, default="effect_left"
            A column of :meth:`to_frame`.

        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.

        Returns
        -------
        ComparisonDisplay
            The display.
        """
        from sklearn_unlearn.inspection import ComparisonDisplay

        return ComparisonDisplay.from_comparison(self, measure=measure, ax=ax)


def compare_unlearners(
    methods: Mapping[str, BaseUnlearner],
    X: MatrixLike,
    y: ArrayLike,
    X_test: MatrixLike,
    y_test: ArrayLike,
    *,
    forget: Mapping[str, Ids],
    X_ids: Ids | None = None,
    seeds: int | Sequence[int] = 3,
    n_refits: int = 5,
    attack: str | Callable = "loss",
    n_jobs: int | None = None,
    memory: str | joblib.Memory | None = None,
    verbose: int = 0,
) -> Comparison:
    """Compare ways to forget on the same rows, with the same refits.

    Parameters
    ----------
    methods : dict of str to BaseUnlearner
        Unfitted unlearners by name; they are cloned.

    X : array-like of shape (n_samples, n_features)
        Training rows.

    y : array-like of shape (n_samples,)
        Their targets.

    X_test : array-like of shape (n_test, n_features)
        Rows that no model is trained on.

    y_test : array-like of shape (n_test,)
        Their targets.

    forget : dict of str to array-like
        Ids of each request by its name.

    X_ids : array-like of shape (n_samples,), default=None
        Id of the subject that each row belongs to, as in ``fit``.

    seeds : int or sequence of int, default=3
        Seeds of the methods, or how many.

    n_refits : int, default=5
        Refits per request and seed. Methods around the same model share them.

    attack : str or callable, default="loss"
        See :func:`forgetting_report`.

    n_jobs : int or None, default=None
        Number of trainings at the same time, see :class:`joblib.Parallel`; any backend of joblib.

    memory : str, joblib.Memory or None, default=None
        Where refits and finished cells are cached: called again after an interruption, or with a
        method or a request more, only what is missing is computed. Errors are not cached. The cache
        holds models and figures, no rows; a function whose source changes, and another version
        of this package, are computed anew. Of what a function reads or calls outside of its own
        source nothing is known: give it by :func:`functools.partial` or as an attribute of a
        callable object, or clear the cache when it changes.

    verbose : int, default=0
        How much joblib prints of its progress, first over refits, then over methods and seeds.

    Returns
    -------
    Comparison
        See ``to_frame``, ``summary``, ``test``, ``to_latex`` and ``plot``.

    Raises
    ------
    TypeError
        If a method is no unlearner, or can't be cached where ``memory`` is given.

    ValueError
        If the input is invalid.

    KeyError
        If an id is unknown.

    Notes
    -----
    Costs, per seed, a fit of each method, and ``n_refits`` fits for each request and model to be
    trained. A method that can't carry out a request gets a cell with the error, and the others
    go on; so do they where a request leaves nothing that its refits could be trained on.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.baselines import RetrainUnlearner
    >>> from sklearn_unlearn.metrics import compare_unlearners
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X, inner = X / X.max(axis=0), LogisticRegression()
    >>> found = compare_unlearners(
    ...     {
    ...         "naive removal": PUMAUnlearner(inner, reweight=None),
    ...         "nothing": PUMAUnlearner(inner, reweight=None, eta=0.0),
    ...         "retraining": RetrainUnlearner(inner),
    ...     },
    ...     X[:400], y[:400], X[400:], y[400:], forget={"twenty": range(20)}, seeds=1, n_refits=3,
    ... )
    >>> found.summary()["told apart"].tolist(), found.n_fits
    ([0.0, 1.0, 0.0], 6)
    """
    for given, what in ((methods, "methods"), (forget, "forget")):
        if not isinstance(given, Mapping):
            raise TypeError(f"{what} is a {type(given).__name__}; it must be a dict by name.")
        if not given:
            raise ValueError(f"{what} is empty; give at least one entry.")
    for name, method in methods.items():
        if not isinstance(method, BaseUnlearner):
            raise TypeError(
                f"methods[{name!r}] is a {type(method).__name__}; it must be an unlearner."
            )
    check_consistent_length(X, y)
    check_consistent_length(X_test, y_test)
    if memory is not None:
        # What can't be cached is an error of the call, and not one of each cell.
        for name, part in (*methods.items(), ("attack", attack)):
            check_cached(part, "attack" if part is attack else f"methods[{name!r}]")
    drawn = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not drawn:
        raise ValueError(f"seeds={seeds!r} is invalid: at least one seed is needed.")
    seeds = drawn
    requests = {name: list(ids) for name, ids in forget.items()}
    check_n_refits(n_refits, "n_refits")
    subjects = SubjectIndex(count_rows(X), X, y, X_ids)
    for ids in requests.values():
        subjects.rows(ids)
    # What trains alike is refitted once, whichever methods are around it.
    kinds = {name: joblib.hash(described(method.trainable())) for name, method in methods.items()}
    trained = {kind: methods[name].trainable() for name, kind in kinds.items()}
    wanted = [(kind, request, seed) for seed in seeds for request in requests for kind in trained]
    parallel = Parallel(n_jobs=n_jobs, verbose=verbose)
    made = parallel(
        delayed(refits_or_error)(
            trained[kind],
            X,
            y,
            forget=requests[request],
            X_ids=X_ids,
            n=n_refits,
            # Another stream than that of the methods, which have these seeds.
            random_state=np.random.RandomState([seed, 1]),
            memory=memory,
        )
        for kind, request, seed in wanted
    )
    refits = dict(zip(wanted, made))
    one = check_memory(memory).cache(cell, ignore=["model", "refits", "X_test", "y_test"])
    data = None if memory is None else joblib.hash((X, y, X_test, y_test, X_ids, __version__))
    jobs = [(name, seed) for seed in seeds for name in methods]
    done = parallel(
        delayed(cells)(
            one,
            Trained(methods[name], X, y, X_ids, seed),
            {request: refits[kinds[name], request, seed] for request in requests},
            requests,
            (X_test, y_test),
            attack,
            (data, n_refits, [sources(part) for part in (methods[name], attack)]),
        )
        for name, seed in jobs
    )
    table = {
        (name, request, seed): found
        for (name, seed), by_request in zip(jobs, done)
        for request, found in by_request.items()
    }
    return Comparison(
        {key: found if isinstance(found, str) else found[0] for key, found in table.items()},
        {key: found[1] for key, found in table.items() if not isinstance(found, str)},
        len(jobs) + sum(len(some) for some in made if not isinstance(some, str)),
    )


def _row(report: ForgettingReport) -> dict[str, Any]:
    """Return a report as the columns of a row."""
    low, high = report.effect_left_interval
    row: dict[str, Any] = {
        "verdict": report.verdict,
        "p_value": report.p_value,
        "effect_left": report.effect_left,
        "effect_left_low": low,
        "effect_left_high": high,
        "detectable": report.detectable,
        "guarantee": report.guarantee,
        "n_forgotten": report.n_forgotten,
        "n_trained": report.n_trained,
        "rows_retrained": report.rows_retrained,
    }
    apart = {
        f"{name}, from refits": abs(values["after"] - values["refit"])
        for name, values in report.performance.items()
    }
    parts: dict[str, Mapping[str, float | None]] = {
        **report.performance,
        **report.gaps,
        "seconds": report.seconds,
    }
    for name, values in parts.items():
        row |= {f"{name}, {stage}": values[stage] for stage in STAGES if stage in values}
    return row | apart


def _wilcoxon(differences: pd.Series) -> float:
    """Return the p-value of Wilcoxon's test; 1 where nothing differs."""
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def _holm(values: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number, after Holm."""
    order = np.argsort(values)
    raised = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def _escaped(text: str) -> str:
    """Return text in which LaTeX's special characters stand for themselves."""
    for sign in "\\&%$#_{}":
        text = text.replace(sign, rf"\{sign}" if sign != "\\" else r"\textbackslash ")
    return text
