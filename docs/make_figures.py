"""Make the tables and figures of the documentation again, each by the script that it comes from.

``python docs/make_figures.py`` runs all studies and benchmarks at their full size, one after the
other; that takes many hours. ``python docs/make_figures.py puma_eta scale`` runs those two,
``--list`` prints the commands. What they write goes to ``docs/studies``, under the script's name. A
script that fails doesn't keep the others from running; it is named at the end.
The pages show the tables of studies as they are; those of benchmarks are set by hand from the
files, and so is what README.md says: ``tests/test_figures.py`` compares.
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STUDIES = ROOT / "docs" / "studies"

# What a script is given. Else a study gets the folder, and of a benchmark it is what --json prints.
OPTIONS = {
    "certified_release": ("--out", "docs/studies"),
    "closed_forms": ("--out", "docs/studies/closed_forms.csv"),
    "boosted_shards": ("--out", "docs/studies/boosted_shards.csv"),
    "forest_forgetting": ("--out", "docs/studies"),
    "reconstruction": ("--out", "docs/studies"),
    "arcane_requests": ("--seeds", "5", "--out", "docs/studies"),
    "mislabel_detection": (),
    "mislabel_real_errors": (),
    "network_forgetting": ("--out", "docs/studies/network_forgetting.csv"),
    "verdicts": ("--csv", "docs/studies/verdicts.csv"),
}


def scripts():
    """Return the scripts that make something, by name; modules that they share are none."""
    found = [*ROOT.glob("examples/studies/*.py"), *ROOT.glob("examples/benchmarks/*.py")]
    return {path.stem: path for path in sorted(found) if "__main__" in path.read_text()}


def command_of(path):
    """Return the command that runs a script, and the file for what it prints or None."""
    is_study, printed = path.parent.name == "studies", None
    options = OPTIONS.get(path.stem, ("--out", "docs/studies") if is_study else ("--json",))
    if "--json" in options:
        printed = STUDIES / f"{path.stem}.json"
    return [sys.executable, str(path.relative_to(ROOT)), *options], printed


def make(path):
    """Run a script, and return whether it succeeded; only then is what it printed kept."""
    command, printed = command_of(path)
    env = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    stdout = subprocess.PIPE if printed else None
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=stdout)
    succeeded = done.returncode == 0
    if succeeded and printed:
        printed.write_bytes(done.stdout)
    return succeeded


def main():
    """Run the scripts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("names", nargs="*", help="names of scripts; all by default")
    parser.add_argument("--list", action="store_true", help="print the commands, run nothing")
    options = parser.parse_args()
    known = scripts()
    unknown = set(options.names) - known.keys()
    if unknown:
        parser.error(f"no script {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = []
    for name in options.names or known:
        command, printed = command_of(known[name])
        to = f" > {printed.relative_to(ROOT)}" if printed else ""
        print(shlex.join(["python", *command[1:]]) + to, flush=True)  # noqa: T201
        if not options.list and not make(known[name]):
            failed.append(name)
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}. What they said stands above.")


if __name__ == "__main__":
    main()
