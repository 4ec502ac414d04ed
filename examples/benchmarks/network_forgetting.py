"""
Networks that forget: how near to a refit, at which share of its cost?
=====================================================================

Each network is trained from several seeds on rows drawn anew and asked to forget. Reports against
refits say, of the forgotten rows alone, which share of the distance to a refit is taken back
("closed", 1 is a refit's own distance from others), how far the AUC of the loss attack is from the
refits', and what the attack calibrated on refits sees (0.5 is nothing); further how many points
of accuracy are lost, and distances on remaining and test rows, in units of those between refits.

Methods that train may spend a share of a training, the budget. Baselines get one of two learning
rates, whichever ends nearer to the refits: more than a user could choose. Costs are CPU seconds,
measured in one process.

Figures are appended to a file and what it has is not computed again:
``python examples/benchmarks/network_forgetting.py --quick --out figures.csv`` takes about ten
minutes on one core. ``--nets "60,000 images"`` runs the large networks.
"""

import argparse
import csv
import warnings
from pathlib import Path
from time import process_time

import numpy as np
import torch
from network_problems import LARGE, NETS
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklearn_unlearn import DistillationUnlearner, PUMAUnlearner
from sklearn_unlearn.baselines import (
    FineTuneUnlearner,
    NegGradPlusUnlearner,
    RandomLabelUnlearner,
    SCRUBUnlearner,
    SSDUnlearner,
)
from sklearn_unlearn.metrics import forgetting_report, make_refits

BUDGETS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25)
RATES = (1e-3, 5e-3)
CELL = ("net", "original", "method", "budget")


def trained_on(net, X, y, epochs, state=None):
    """Return a net that is trained on rows from given parameters on, by default from fresh ones."""
    new = clone(net).set_params(max_epochs=max(1, round(epochs))).initialize()
    if state is not None:
        new.module_.load_state_dict(state)
    return new.partial_fit(X, y)


def shrink_and_perturb(net, state, X, y, gone, epochs):
    """Train on remaining rows from the mean of the parameters and fresh ones."""
    fresh = clone(net).initialize().module_.state_dict()
    between = {
        name: (value + fresh[name]) / 2 if value.is_floating_point() else value
        for name, value in state.items()
    }
    left = np.setdiff1d(np.arange(len(y)), gone)
    return trained_on(net, X[left], y[left], epochs, between)


def bad_teacher(net, state, X, y, gone, epochs, rate=1e-3):
    """Train towards a random network on forgotten rows, towards the old one on others."""
    named = clone(net).set_params(classes=np.unique(y))
    bad, good, student = (clone(named).initialize() for _ in range(3))
    for one in (good, student):
        one.module_.load_state_dict(state)
    left, device = np.setdiff1d(np.arange(len(y)), gone), net.device
    for one in (bad, good):
        one.module_.eval()
    optimizer = torch.optim.Adam(student.module_.parameters(), lr=rate)
    size, rng = net.batch_size, np.random.default_rng(0)
    for _ in range(max(1, round(epochs * len(left) / size / 1.5))):
        student.module_.train()
        loss = 0.0
        for teacher, rows in ((good, left), (bad, gone)):
            some = rng.choice(rows, min(size, len(rows)), replace=False)
            x = torch.as_tensor(X[some], device=device)
            with torch.no_grad():
                aim = teacher.module_(x).log_softmax(1)
            raw = student.module_(x).log_softmax(1)
            loss = loss + nn.functional.kl_div(raw, aim, log_target=True, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    student.module_.eval()
    return student


def retraining(net, state, X, y, gone, epochs):
    """Train a new net on the remaining rows."""
    left = np.setdiff1d(np.arange(len(y)), gone)
    return trained_on(net, X[left], y[left], epochs)


FUNCTIONS = {
    "shrink and perturb": shrink_and_perturb,
    "bad teacher": bad_teacher,
    "retraining as long": retraining,
}


def baselines(budget, epochs, batch_size, rate):
    """Return the public baselines for a budget, which is taken to be one pass or more."""
    spent = max(1, round(budget * epochs))
    params = {"learning_rate": rate, "batch_size": batch_size}
    return {
        "fine-tuning": lambda net: FineTuneUnlearner(net, n_epochs=spent, **params),
        "NegGrad+": lambda net: NegGradPlusUnlearner(net, n_epochs=max(1, spent // 2), **params),
        # A pass over remaining rows counts twice: the teacher looks at them as well.
        "SCRUB": lambda net: SCRUBUnlearner(
            net, n_epochs=max(2, spent // 2), n_forget_epochs=1, **params
        ),
        "random labels": lambda net: RandomLabelUnlearner(
            net, n_epochs=1, n_repair_epochs=max(0, spent - 1), **params
        ),
    }


class Study:
    """One network of one seed, its refits, and what methods make of it."""

    def __init__(self, name, original, options):
        data = {"openml": options.openml} if name in LARGE else {}
        problem = (NETS | LARGE)[name](100 * original, options.device, **data)
        self.problem, self.seed, self.refits = problem, original, None
        self.options = options

    def prepare(self):
        """Train the network and its refits."""
        (X, y), gone = self.problem.train, self.problem.forgotten
        torch.manual_seed(self.seed)
        self.net = clone(self.problem.net).fit(X, y)
        started = process_time()
        self.refits = make_refits(
            self.problem.net, X, y, forget=gone, n=self.options.refits, random_state=1 + self.seed
        )
        self.seconds = (process_time() - started) / self.options.refits

    def unlearned(self, unlearner):
        """Return the net after an unlearner's request, and the seconds of the request."""
        (X, y), (X_val, y_val) = self.problem.train, self.problem.held_out
        ours = isinstance(unlearner, (DistillationUnlearner, PUMAUnlearner))
        held_out = {"X_val": X_val, "y_val": y_val} if ours else {}
        unlearner = unlearner.set_params(random_state=self.seed).fit(X, y, **held_out)
        started = process_time()
        for some in np.array_split(self.problem.forgotten, self.problem.n_requests):
            unlearner.partial_forget(some)
        return unlearner.estimator_, process_time() - started, unlearner.receipts_[-1]

    def by_function(self, function, budget):
        """Return the net after a function, and its seconds."""
        X, y = self.problem.train
        torch.manual_seed(1000 + self.seed)
        started = process_time()
        state = {name: value.clone() for name, value in self.net.module_.state_dict().items()}
        epochs = budget * self.problem.net.max_epochs
        net = function(self.problem.net, state, X, y, self.problem.forgotten, epochs)
        return net, process_time() - started, None

    def figures(self, model, seconds, receipt):
        """Return what a report says of a model."""
        report = forgetting_report(
            before=self.net,
            after=model,
            refits=self.refits,
            X_test=self.problem.test[0],
            y_test=self.problem.test[1],
        )
        figures, gaps = report.performance, report.gaps
        kl = gaps["kl"]

        def floors(name):
            return gaps[name]["after"] / max(gaps[name]["floor"], 1e-12)

        def lost(name):
            return figures[name]["after"] - figures[name]["refit"]

        return {
            "kl_before": kl["before"],
            "kl": kl["after"],
            "kl_floor": kl["floor"],
            "closed": (kl["before"] - kl["after"]) / (kl["before"] - kl["floor"]),
            "auc_before": figures["attack, AUC"]["before"] - figures["attack, AUC"]["refit"],
            "auc": lost("attack, AUC"),
            "calibrated_before": figures["calibrated attack, AUC"]["before"],
            "calibrated": figures["calibrated attack, AUC"]["after"],
            "accuracy": 100 * lost("accuracy, test rows"),
            "forgotten_accuracy": 100 * lost("accuracy, forgotten rows"),
            "forgotten_loss": figures["loss, forgotten rows"]["after"],
            "refits_loss": figures["loss, forgotten rows"]["refit"],
            "kl_remaining": floors("kl, remaining rows"),
            "kl_test": floors("kl, test rows"),
            "kl_test_before": gaps["kl, test rows"]["before"] / gaps["kl, test rows"]["floor"],
            "verdict": report.verdict,
            "cost": seconds / self.seconds,
            "how": "" if receipt is None else receipt.stopped_because,
        }

    def cells(self):
        """Yield method, budget and the function that computes a figure's model."""
        net, frozen = self.problem.net, self.frozen
        yield "as it was", 0.0, lambda: (self.net, 0.0, None)
        yield "PUMAUnlearner", 0.0, lambda: self.unlearned(PUMAUnlearner(frozen()))
        for budget in self.options.budgets:
            yield (
                "DistillationUnlearner",
                budget,
                lambda budget=budget: self.unlearned(
                    DistillationUnlearner(frozen(), budget=budget)
                ),
            )
        yield "SSD", 0.0, lambda: self.best([SSDUnlearner(frozen(), alpha=a) for a in (2.0, 10.0)])
        for budget in self.options.baseline_budgets:
            pair = [baselines(budget, net.max_epochs, net.batch_size, rate) for rate in RATES]
            for method in pair[0]:
                yield (
                    method,
                    budget,
                    lambda made=[one[method] for one in pair]: self.best(
                        [make(frozen()) for make in made]
                    ),
                )
            for method, function in FUNCTIONS.items():
                yield (
                    method,
                    budget,
                    lambda function=function, budget=budget: self.by_function(function, budget),
                )

    def frozen(self):
        """Return the trained net as an estimator that is not trained again."""
        return FrozenEstimator(self.net)

    def best(self, unlearners):
        """Return what that unlearner makes which ends nearest to the refits."""
        X = self.problem.train[0][self.problem.forgotten]
        aim = np.mean([refit.predict_proba(X) for refit in self.refits.models], axis=0)
        found = []
        for unlearner in unlearners:
            try:
                model, seconds, receipt = self.unlearned(unlearner)
            except ValueError as error:
                print(f"{type(unlearner).__name__}: {error}")
                continue
            logs = np.log(np.maximum(model.predict_proba(X), 1e-7))
            distance = -(aim * logs).sum(axis=1).mean()
            found.append((distance, len(found), (model, seconds, receipt)))
        return min(found)[2] if found else (self.net, np.nan, None)


def computed(options):
    """Compute what the file lacks, and return all of its rows."""
    done = {tuple(row[name] for name in CELL) for row in read(options.out)}
    for original in range(options.originals):
        for name in options.nets:
            study = Study(name, original, options)
            for method, budget, model in study.cells():
                cell = dict(zip(CELL, (name, str(original), method, f"{budget:g}"), strict=True))
                if tuple(cell.values()) in done:
                    continue
                if study.refits is None:
                    study.prepare()
                row = cell | study.figures(*model())
                append(options.out, row)
            print(f"{name}, original {original} done", flush=True)
    return read(options.out)


def read(path):
    """Return the rows of a file, none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path, row):
    """Write a row at the end of a file, under a header if it is the first."""
    shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, shown)
        if is_new:
            writer.writeheader()
        writer.writerow(shown)


SHOWN = {
    "closed": "closed",
    "auc": "AUC - refits",
    "calibrated": "calibrated",
    "accuracy": "points",
    "kl_remaining": "remaining",
    "kl_test": "test",
    "cost": "cost",
}


def print_tables(rows):
    """Print means and standard deviations over the originals."""
    for name in dict.fromkeys(row["net"] for row in rows):
        some = [row for row in rows if row["net"] == name]
        print(f"\n{name}: {len({row['original'] for row in some})} originals")
        print(f"{'':24}{'budget':>7}" + "".join(f"{label:>16}" for label in SHOWN.values()))
        for method, budget in dict.fromkeys((row["method"], row["budget"]) for row in some):
            cell = [row for row in some if (row["method"], row["budget"]) == (method, budget)]
            line = f"{method:24}{float(budget):7.0%}"
            for key in SHOWN:
                values = np.array([float(row[key]) for row in cell])
                line += f"{values.mean():10.3f} ±{values.std():4.2f}"
            print(line)


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--nets", nargs="+", default=list(NETS), help="names of networks")
    parser.add_argument("--originals", type=int, default=3)
    parser.add_argument("--refits", type=int, default=5)
    parser.add_argument("--budgets", nargs="+", type=float, default=BUDGETS)
    parser.add_argument("--baseline-budgets", nargs="*", type=float, default=BUDGETS)
    parser.add_argument("--quick", action="store_true", help="two originals, three refits")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--openml", action="store_true", help="download MNIST for the large nets")
    parser.add_argument("--out", type=Path, default=Path("network_forgetting.csv"))
    options = parser.parse_args()
    if options.quick:
        options.originals, options.refits = min(2, options.originals), 3
        options.budgets, options.baseline_budgets = (0.1, 0.15, 0.25), (0.15,)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print_tables(computed(options))


if __name__ == "__main__":
    main()
