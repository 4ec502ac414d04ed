"""Break the package in one place at a time, and see whether a test notices.

``python -m tests.mutants`` runs all, ``python -m tests.mutants erasing`` those whose name holds
the word. Every mutant is made in a copy of the package; one that no test kills is printed, and
the exit status is 1. A mutant whose text is no longer in the package is an error: write it anew.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Name: file, what stands there, what the mutant has instead, tests that must notice.
MUTANTS = {
    "exact though reweighted": (
        "_influence/linear/steps.py",
        "        and not carried.is_reweighted\n",
        "",
        "tests/test_promises.py",
    ),
    "optimum at ten times tol": (
        "_influence/linear/steps.py",
        "norm <= steps.tol and",
        "norm <= 10 * steps.tol and",
        "tests/test_promises.py",
    ),
    "erasing leaves y": (
        "_influence/weighted_rows.py",
        "        self.y[rows] = 0\n",
        "",
        "tests/test_promises.py",
    ),
    "erasing leaves weights": (
        "_influence/unlearner.py",
        "        erase_rows(self._fit_params, len(self._source.held_out), rows)\n",
        "",
        "tests/test_promises.py",
    ),
    "a request does not settle first": (
        "_requests.py",
        "            check_is_fitted(self)\n        self._settle()\n",
        "            check_is_fitted(self)\n",
        "tests/test_promises.py",
    ),
    "adding is not idempotent": (
        "_records/subjects.py",
        "[*self._keys[:start], *keys]",
        "[*self._keys, *keys]",
        "tests/test_promises.py",
    ),
    "a fit keeps the debt of the request before": (
        "base.py",
        "self.__dict__.update(attributes, _owes=owes)",
        'self.__dict__.update({"_owes": owes, **vars(self), **attributes})',
        "tests/test_atomic.py",
    ),
    "no lock": (
        "_inner/turns.py",
        'with vars(self).setdefault("_lock", RLock()):',
        "if True:",
        "tests/test_threads.py",
    ),
    "copies share what is written to": (
        "base.py",
        "value if n in shared else deepcopy(value)",
        "value",
        "tests/test_threads.py",
    ),
    "the model changes before its step is done": (
        "_influence/unlearner.py",
        "        norm, leaving = after",
        "        self._objective = after\n        norm, leaving = after",
        "tests/test_atomic.py",
    ),
    "a forest keeps a range that has lost its last row": (
        "_forest/walking.py",
        "    if kept.n_low[at, place] == 0 or kept.n_high[at, place] == 0:\n        return False\n",
        "",
        "tests/test_forest.py",
    ),
    "a forest leaves out a candidate": (
        "_forest/walking.py",
        "    for place in range(rules.n_candidates):",
        "    for place in range(rules.n_candidates - 1):",
        "tests/test_forest.py",
    ),
    "a forest takes the key of the other side": (
        "_forest/walking.py",
        "child_key(key, True)",
        "child_key(key, False)",
        "tests/test_forest.py",
    ),
    "a forest does not ask where missing values go": (
        "_forest/walking.py",
        "(not n_missing or missing_left == was_left)",
        "True",
        "tests/test_forest.py",
    ),
    "a forest keeps the rows of a leaf in the order of other splits": (
        "_forest/walking.py",
        "        numbers[ends[2] : ends[2] + n_left].sort()\n",
        "",
        "tests/test_forest.py",
    ),
    "a forest keeps units that other rows gave": (
        "_forest/unlearner.py",
        "if many or units != before:",
        "if many:",
        "tests/test_forest.py",
    ),
}


def mutated(name):
    """Return the file of a mutant in the package, and its text with the mutant in it."""
    file, old, new, _ = MUTANTS[name]
    text = (ROOT / "sklearn_unlearn" / file).read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{name!r}: {old!r} stands {text.count(old)} times in {file}.")
    return file, text.replace(old, new)


def survives(name):
    """Tell whether no test notices a mutant."""
    (file, text), tests = mutated(name), MUTANTS[name][-1]
    with tempfile.TemporaryDirectory() as folder:
        for part in ("sklearn_unlearn", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, Path(folder) / part, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", folder)
        (Path(folder) / "sklearn_unlearn" / file).write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", tests]
        env = {**os.environ, "PYTHONPATH": folder}
        return subprocess.run(command, cwd=folder, env=env, capture_output=True).returncode == 0


def main(word=""):
    """Run the mutants whose name holds a word; returns the exit status."""
    alive = []
    for name in (name for name in MUTANTS if word in name):
        alive += [name] * survives(name)
        print(f"{'SURVIVED' if name in alive else 'killed':9} {name}")  # noqa: T201
    return int(bool(alive))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
