"""Figures in README.md are those of tables in docs, and a table is what a script has written."""

import csv
import re
import runpy
from functools import cache
from pathlib import Path
from statistics import mean

import pytest
from docutils import nodes
from docutils.core import publish_doctree

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

# Numbers that are no results: what was asked for.
SETTINGS = ("(3 to 5% of them forgotten)", "(15% of a training to spend)")


def one_line(text):
    """Return a text on one line, in which a per cent sign stands at its number."""
    return " ".join(text.split()).replace(" %", "%")


@cache
def page(name):
    """Return a page as a tree of docutils."""
    settings = {"report_level": 5, "file_insertion_enabled": False}
    return publish_doctree((DOCS / name).read_text(), settings_overrides=settings)


def table(name, title):
    """Return the first table of a section, as a dict of dicts: row, then column."""
    sections = page(name).findall(nodes.section)
    section = next(section for section in sections if section[0].astext() == title)
    rows = next(section.findall(nodes.table)).findall(nodes.row)
    lines = [[one_line(cell.astext()) for cell in row] for row in rows]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines}


def seconds(cell):
    """Return the first number of a cell such as ``0.0039 s (417x)``."""
    return float(cell.split()[0])


def linear():
    rows = list(table("costs.rst", "PUMAUnlearner on linear models").items())[1:]
    of = {name: seconds(row["LogisticRegression"]) for name, row in rows}
    return (
        "**A linear model of 1,000,000 rows** and 100 features forgets 100 of them in "
        f"{of['naive removal (reweight=None)']:.1g} s, where training again takes "
        f"{of['default refit']:.2g} s. As it comes, with other rows reweighted, it takes "
        f"{of['with reweighting']:.1g} s; the first request takes "
        f"{of['first request, with reweighting']:.2g} s (`LogisticRegression`)."
    )


BY_HEART = (
    "44,000 parameters",
    "27,000 parameters",
    "tanh",
    "batch normalisation",
    "AdamW, kept aside",
    "convolutional, kept aside",
)


def lines(name, method, budget):
    """Return the lines of a method in a file of the benchmark of networks."""
    with (DOCS / "studies" / name).open(newline="") as file:
        found = list(csv.DictReader(file))
    return [line for line in found if (line["method"], line["budget"]) == (method, budget)]


def of_net(found, net, value):
    """Return the mean of a value over the originals of a network."""
    return mean(value(line) for line in found if line["net"] == net)


def gap_closed(line):
    """Return the share of the distance of the attack's AUC from refits that is taken back."""
    return 1 - float(line["auc"]) / float(line["auc_before"])


def convolutional():
    found = lines("network_forgetting_gpu.csv", "PUMAUnlearner", "0")
    net = "60,000 images, convolutional"
    after, cost = (of_net(found, net, lambda x, key=key: float(x[key])) for key in ("auc", "cost"))
    before = of_net(found, net, lambda line: float(line["auc_before"]))
    return (
        "**A convolutional network** of 52,138 parameters that reads 51,000 images forgets 1% of "
        f"them for {cost:.0%} of a training. The attack's AUC was {before:.3f} above that of "
        f"networks that never saw them, and is {after:.3f}."
    )


def by_step():
    found = lines("network_forgetting.csv", "PUMAUnlearner", "0")
    shares = [of_net(found, net, gap_closed) for net in BY_HEART]
    costs = [of_net(found, net, lambda line: float(line["cost"])) for net in BY_HEART]
    return (
        f"`PUMAUnlearner` takes back {min(shares):.0%} to {max(shares):.0%} of what the attack by "
        f"losses tells, for {min(costs):.0%} to {max(costs):.0%} of a training"
    )


def by_heart():
    found = lines("network_forgetting.csv", "DistillationUnlearner", "0.15")
    closed = [of_net(found, net, lambda line: float(line["closed"])) for net in BY_HEART]
    points = [of_net(found, net, lambda line: float(line["accuracy"])) for net in BY_HEART]
    return (
        f"at least {min(closed):.0%} of the distance to refits, for at most "
        f"{-min(points):.1f} points of accuracy."
    )


def exact():
    row = table("costs.rst", "ArcaneEnsemble and SISAEnsemble")["ARCANE, uniform"]
    return (
        "**Exact forgetting** of one row in 100,000 trains an `ArcaneEnsemble` again on "
        f"{row['1']} rows, but of a hundred random rows at once on {row['100']}, nearly all."
    )


SENTENCES = [linear, convolutional, by_step, by_heart, exact]


def four_figures():
    """Return the section of README.md."""
    text = (ROOT / "README.md").read_text()
    return one_line(re.search(r"## Four figures\n(.*?)\n## ", text, re.S)[1])


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_figure_of_the_readme_is_the_one_that_was_measured(sentence):
    assert sentence() in four_figures()


def test_no_other_number_stands_among_the_figures_of_the_readme():
    left = four_figures()
    for said in (*SETTINGS, *(sentence() for sentence in SENTENCES)):
        left = left.replace(said, "")
    assert re.findall(r"\d\S*", left) == []


def test_every_table_and_figure_is_made_by_a_script():
    made = runpy.run_path(str(DOCS / "make_figures.py"))
    scripts = made["scripts"]()
    files = [file for file in (DOCS / "studies").rglob("*") if file.is_file()]
    assert [file.name for file in files if not file.stem.startswith(tuple(scripts))] == []
    told = [name for name, path in scripts.items() if made["command_of"](path)[1] is not None]
    assert [name for name in told if '"--json"' not in scripts[name].read_text()] == []
