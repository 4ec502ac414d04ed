"""Small grids of the baselines, and the unlearner that a forget-aware search chooses from one."""

from sklearn.model_selection import GridSearchCV

from sklearn_unlearn.metrics import make_forget_scorer

# Few values each, the defaults among them: a method that needs more is not a cheap one.
GRIDS = {
    "AmnesiacUnlearner": {"n_repair_epochs": [0, 1, 3]},
    "FineTuneUnlearner": {"learning_rate": [1e-3, 5e-3, 2e-2]},
    "FisherUnlearner": {"alpha": [1e-9, 1e-8, 1e-7, 1e-6]},
    "GradientAscentUnlearner": {"n_steps": [1, 3, 10, 20]},
    "InfluenceUnlearner": {"eta": [0.5, 1.0]},
    "NegGradPlusUnlearner": {"alpha": [0.95, 0.99, 0.999], "learning_rate": [1e-3, 5e-3]},
    "RandomLabelUnlearner": {"learning_rate": [1e-3, 5e-3], "n_repair_epochs": [1, 2, 5]},
    "SCRUBUnlearner": {"learning_rate": [1e-3, 5e-3], "n_forget_epochs": [1, 2, 4]},
    "SSDUnlearner": {"alpha": [2.0, 5.0, 10.0, 50.0], "dampening": [0.5, 1.0]},
}


def tuned(unlearner, X, y, *, forget=0.05, metric="kl", cv=3, random_state=0, n_jobs=None):
    """Return an unlearner with the parameters of its grid that lead nearest to refits.

    Parameters
    ----------
    unlearner : BaseUnlearner
        Unfitted; returned as it is if it has no grid.

    X : array-like of shape (n_samples, n_features)
        Training rows. Test rows play no part.

    y : array-like of shape (n_samples,)
        Their targets.

    forget : float, str, callable or array-like, default=0.05
        Probe, as for :func:`sklearn_unlearn.metrics.make_forget_scorer`.

    metric : str, default="kl"
        What is scored.

    cv : int, default=3
        Number of folds.

    random_state : int, default=0
        Draws the probe and seeds the refits.

    n_jobs : int, default=None
        Jobs of the search.

    Returns
    -------
    BaseUnlearner
        Unfitted.
    """
    grid = GRIDS.get(type(unlearner).__name__)
    if grid is None:
        return unlearner
    scorer = make_forget_scorer(metric, forget=forget, n_refits=2, random_state=random_state)
    search = GridSearchCV(unlearner, grid, scoring=scorer, cv=cv, n_jobs=n_jobs, refit=False)
    return unlearner.set_params(**search.fit(X, y).best_params_)
