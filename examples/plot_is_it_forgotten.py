"""
========================
Is it really forgotten?
========================

A model forgets forty people. Before we believe it, we compare it with models that were trained
without them, let an attack look for them, and search for the step length that forgets best.
"""

# %%
# A model of breast cancer cells, trained on all patients but the test patients.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.inspection import ForgettingDisplay
from sklearn_unlearn.metrics import forgetting_report, make_forget_scorer

X, y = load_breast_cancer(return_X_y=True)
ids = np.array([f"patient-{number}" for number in range(len(y))])
X, X_test, y, y_test, ids, _ = train_test_split(X, y, ids, random_state=0)
pipe = make_pipeline(StandardScaler(), LogisticRegression())
model = PUMAUnlearner(pipe, random_state=0).fit(X, y, X_ids=ids)

# %%
# The report tries the request on a copy and trains five models without the rows. Accuracy on the
# forgotten rows alone says little: models that never saw them may be right about them.
report = forgetting_report(model, ids[:40], X_test, y_test, random_state=0)
print(report)

# %%
# The same without forgetting: with a step of length zero, all of the effect is left.
nothing = PUMAUnlearner(pipe, eta=0.0, random_state=0).fit(X, y, X_ids=ids)
caught = forgetting_report(nothing, ids[:40], X_test, y_test, random_state=0)
print(f"effect left: {report.effect_left:.1%} with eta=1, {caught.effect_left:.1%} with eta=0")

# %%
# An ordinary scorer cannot choose ``eta``, which does not matter before the first request. This
# one makes a copy of every candidate forget a probe and compares it with a refit.
search = GridSearchCV(
    PUMAUnlearner(pipe, reweight=None),
    {"eta": [0.0, 0.5, 1.0, 1.5, 2.0]},
    scoring=make_forget_scorer("kl", forget=0.1),
)
print(f"best step length: {search.fit(X, y).best_params_['eta']}")

# %%
# Distances from the refits, before and after. The refits of this model differ by nothing but what
# the solver's tolerance leaves open.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
ForgettingDisplay.from_report(report, kind="loss", ax=left)
ForgettingDisplay.from_report(report, kind="gap", ax=right)
figure.savefig("is_it_forgotten.png", dpi=100)
plt.show()
