"""
====================================================
What the models before and after tell about a row
====================================================

An image is forgotten, exactly. Whoever has the model before and the model after can draw the image,
just as if the model had been trained anew. Noise on what is released hides it.
"""

# %%
# A model tells digits above four from others. It forgets the image that it fitted worst.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.metrics import reconstruction_risk

X, y = load_digits(return_X_y=True)
X, y = X / 16, (y > 4).astype(int)
inner = LogisticRegression(tol=1e-8, max_iter=10_000)
exact = {"reweight": None, "n_refine": "auto"}
model = PUMAUnlearner(inner, **exact).fit(X, y)
row = int(np.argmax(np.abs(model.predict_proba(X)[:, 1] - y)))
left = np.delete(np.arange(len(y)), row)


def before_and_after(**params):
    """Return the models before and after the request."""
    model = PUMAUnlearner(inner, **exact, **params).fit(X, y)
    return model.estimator_, model.partial_forget([row]).estimator_


# %%
# From one model to the other, the gradient on the remaining rows changes by a multiple of the
# image. Who has other rows, or nothing, comes less near. With noise, what is drawn is nearer to the
# typical image than to this one: any two digits have a cosine of about 0.7.
def drawn(before, after, X_known, y_known):
    """Return what an attacker draws: the change of the gradient on the rows that he has."""

    def gradient(model):
        misfit = model.predict_proba(X_known)[:, 1] - y_known
        return X_known.T @ misfit + model.coef_[0] * len(X_known) / len(left)

    return gradient(after) - gradient(before)


others = left[::6]
exactly, noisy = before_and_after(), before_and_after(release_noise=0.02)
pictures = {"the image": (X[row], None)}
for title, (before, after), known in (
    ("by the remaining rows", exactly, left),
    ("by a sixth of them", exactly, others),
    ("by the remaining rows,\nmodels with noise", noisy, left),
):
    near = reconstruction_risk(
        before, after, X[[row]], X_known=X[known], y_known=y[known], n_rows=len(left)
    )
    guess = drawn(before, after, X[known], y[known])
    pictures[title] = guess * np.sign(guess @ X[row]), near
    print(f"{title.replace(chr(10), ' ')}: cosine {near:.3f}")

# %%
# The noise is small beside the coefficients. It costs little accuracy, and the receipt tells how
# well it hides that the image was ever there.
released = PUMAUnlearner(inner, **exact, release_noise=0.02).fit(X, y).partial_forget([row])
receipt = released.receipts_[-1]
print(f"accuracy {model.score(X, y):.3f}, with noise {released.score(X, y):.3f}")
print(f"{receipt.guarantee}: epsilon at delta = 1e-6 is {receipt.epsilon(1e-6):.2g}")

figure, axes = plt.subplots(1, 4, figsize=(10, 3.2), layout="constrained")
for ax, (title, (picture, near)) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture.reshape(8, 8), cmap="gray_r")
    ax.set(title=title, xticks=[], yticks=[])
    ax.set_xlabel("" if near is None else f"cosine {near:.2f}")
figure.savefig("what_two_models_tell.png", dpi=120)
