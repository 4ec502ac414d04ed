"""
=====================================
Wrong labels: find them, forget them
=====================================

A fifth of the labels of handwritten digits were typed wrong. We rank all images by how suspicious
their labels are, look at the worst, and make the model that was trained on them forget them.
"""

# %%
# The labels of the training images are changed; those of the test images are not.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import MislabelDetector, PUMAUnlearner
from sklearn_unlearn.inspection import LabelIssuesDisplay, MislabelCurveDisplay

X, y = load_digits(return_X_y=True)
ids = np.array([f"image-{number}" for number in range(len(y))])
X, X_test, y, y_test, ids, _ = train_test_split(X, y, ids, test_size=0.3, random_state=0)
rng = np.random.default_rng(0)
wrong = np.zeros(len(y), dtype=bool)
wrong[rng.choice(len(y), len(y) // 5, replace=False)] = True
given = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)

pipe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
model = PUMAUnlearner(pipe, reweight=None, n_refine=10).fit(X, given, X_ids=ids)
print(f"test accuracy, trained on {wrong.sum()} wrong labels: {model.score(X_test, y_test):.3f}")

# %%
# Two forests and a logistic regression tell of each image what they think without having seen it.
# The posterior of its label follows; the number of wrong labels is estimated too.
detector = MislabelDetector(random_state=0).fit(X, given, X_ids=ids)
print(
    f"{len(detector.suspects_)} suspects, "
    f"{wrong[np.isin(ids, detector.suspects_)].sum()} of them with a wrong label"
)

# %%
# Nobody knows the truth of real data. What can be shown is which labels are taken for which, and
# where the threshold lies.
LabelIssuesDisplay.from_detector(detector)

# %%
# The model forgets the suspects without being trained again. Or their labels are corrected, and it
# is trained again.
model.partial_forget(detector.suspects_)
print(f"test accuracy, suspects forgotten: {model.score(X_test, y_test):.3f}")
mended = pipe.fit(X, detector.relabel(given)).score(X_test, y_test)
print(f"test accuracy, trained on corrected labels: {mended:.3f}")
clean = pipe.fit(X, y).score(X_test, y_test)
print(f"test accuracy, trained on the true labels: {clean:.3f}")

# %%
# The twelve most suspicious images, with the label that was given and the one suggested.
order = np.argsort(-detector.mislabel_scores_)
figure = plt.figure(figsize=(11, 4.6), layout="constrained")
pictures, curve = figure.subfigures(1, 2, width_ratios=(1.15, 1))
for axes, image in zip(pictures.subplots(3, 4).ravel(), order[:12]):
    axes.imshow(X[image].reshape(8, 8), cmap="gray_r")
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"given {given[image]}, suggested {detector.suggested_labels_[image]}", size=8)
pictures.suptitle("The twelve most suspicious labels")

# %%
# Here the truth is known: who inspects the first fifth of the images in this order finds more than
# nine in ten wrong labels.
MislabelCurveDisplay.from_detectors(
    {
        "pool": detector,
        "leave-one-out": MislabelDetector(method="loo").fit(X, given),
        "training loss": MislabelDetector(method="loss").fit(X, given),
    },
    wrong,
    ax=curve.subplots(),
)
figure.savefig("find_and_forget_wrong_labels.png", dpi=100)

# %%
# Why is the first one doubted? These five images speak against its label most.
told = detector.explain(X, detector.suspects_[0], n_rows=5)
figure, axes = plt.subplots(1, 6, figsize=(9, 2), layout="constrained")
rows = [order[0], *(np.flatnonzero(ids == other)[0] for other in told.ids)]
for ax, row in zip(axes, rows):
    ax.imshow(X[row].reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[], title=f"labelled {given[row]}")
plt.show()
