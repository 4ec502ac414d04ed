"""
Where every row pushes the parameters: a toy with two parameters.

Logistic regression without intercept on two features forgets those 20 rows that help the
criterion (the loss of held-out rows) most, so that naive removal costs performance.
"""

import matplotlib.pyplot as plt
import numpy as np
from common import options, save
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.inspection import ProjectionDisplay


def main():
    """Run the study."""
    given = options(__doc__)
    n_rows = 200 if given.quick else 400
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n_rows, 2)) @ [[1.0, 0.4], [0.0, 0.8]]
    y = (X @ [1.2, -0.8] + rng.logistic(size=n_rows) > 0).astype(int)
    model = PUMAUnlearner(
        LogisticRegression(fit_intercept=False),
        validation_fraction=0.3,
        alpha=0.01,
        random_state=0,
    ).fit(X, y)
    helpful = np.argsort(-model.influence(), kind="stable")[:20]
    figure, ax = plt.subplots(figsize=(8.5, 5.5), layout="constrained")
    display = ProjectionDisplay.from_unlearner(model, helpful, ax=ax)
    table = []
    for name, (first, second) in {"before": display.start, **display.ends}.items():
        row = np.abs(display.axes[1] - second).argmin()
        column = np.abs(display.axes[0] - first).argmin()
        table.append(
            {
                "parameters": name,
                "first": float(first),
                "second": float(second),
                "objective J": float(display.objective[row, column]),
                "criterion C": float(display.criterion[row, column]),
            }
        )
    save("puma_projection", table, figure, given.out)


if __name__ == "__main__":
    main()
