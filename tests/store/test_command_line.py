"""The command line: what it prints, and the exit codes that cron looks at."""

import io
import json
import subprocess
import sys

import pytest

from sklearn_unlearn.store.command_line import main
from tests.store.people import KEY, trained


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_KEY", KEY.decode())
    return trained(tmp_path / "store").folder


@pytest.fixture
def run(folder, capsys):
    """Carry out a command on the store; returns its exit code and what it printed."""

    def carry_out(command, *words):
        code = main([command, str(folder), *map(str, words)])
        return code, capsys.readouterr()

    return carry_out


def test_requests_from_a_file_to_the_certificate(run, folder, tmp_path, monkeypatch):
    table = tmp_path / "ids.csv"
    table.write_text("name,customer\nA,person-000003\nB,stranger\nC,person-000003\n")
    submit = ("submit", table, "--column", "customer", "--reference", "letter 1")
    code, printed = run(*submit, "--due", "2020-01-31")
    assert (code, printed.out) == (0, "2 ids, 2 of them new; they wait for apply\n")
    assert json.loads(run(*submit, "--json")[1].out) == {"n_ids": 2, "n_new": 0}
    # Without a header, the first line is an id as well.
    monkeypatch.setattr(sys, "stdin", io.StringIO("person-000003\n\nstranger\n"))
    assert json.loads(run("submit", "-", "--json")[1].out) == {"n_ids": 2, "n_new": 0}
    code, printed = run("status", "--overdue", "--json")
    assert code == 1
    assert [each["reference"] for each in json.loads(printed.out)[str(folder)]] == ["letter 1"] * 2
    code, printed = run("apply", "--verbose")
    assert (code, printed.out) == (0, "2 requests settled; servers load version 2\n")
    assert printed.err == "version 2: 1 forgotten, 1 absent, 0 refused\n"
    code, printed = run("certificate", "person-000003")
    assert code == 0
    assert json.loads(printed.out)["request"]["state"] == "purged"
    assert "person-000003" not in printed.out
    code, printed = run("status", folder)
    assert (code, printed.out.count("purged"), printed.out.count(folder.name)) == (0, 1, 2)
    assert run("verify")[1].out == "6 events and all files are whole\n"
    assert run("export", tmp_path / "events.jsonl")[1].out == "6 events written\n"
    copy = tmp_path / "copies" / "model.joblib"
    copy.parent.mkdir()
    copy.write_bytes((folder / "v000002" / "estimator.joblib").read_bytes())
    code, printed = run("find-copies", copy.parent)
    assert (code, printed.out) == (1, f"{copy}: version 2\n")


def test_exports_are_listed_until_they_are_resolved_and_who_comes_back_is_let_in(
    run, monkeypatch, folder
):
    def piped(command, *more):
        monkeypatch.setattr(sys, "stdin", io.StringIO("person-000003\n"))
        return run(command, "-", *more)

    piped("submit")
    assert run("adopt", "models:/churn/1", "--made-of", 1)[1].out == "noted\n"
    assert run("stale-exports")[1].out == "none\n"
    run("apply")
    code, printed = run("stale-exports")
    assert (code, printed.out) == (1, "models:/churn/1: version 1\n")
    assert run("resolve", "models:/churn/1", "deleted")[0] == 0
    assert run("stale-exports", "--json")[1].out == "[]\n"
    code, printed = run("resolve", "models:/churn/1", "deleted")
    assert (code, "nothing at this place" in printed.err) == (1, True)
    code, printed = piped("release", "--reference", "form 9")
    assert (code, printed.out) == (0, "1 ids, 1 of them released now\n")
    assert json.loads(run("status", "--json")[1].out)[str(folder)]["released"] == 1
    assert run("verify")[0] == 0


@pytest.mark.parametrize("has_rich", [True, False], ids=["rich", "no rich"])
def test_a_terminal_shows_tables_with_rich_and_without(run, monkeypatch, has_rich):
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    if not has_rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    code, printed = run("status", "--id", "person-000003")
    assert code == 0
    assert ("┃" in printed.out) == has_rich
    assert ("never asked" in printed.out) or has_rich


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(
            "submit ids.csv --column id", 2, "has no column 'id'; it has a, b, c", id="column"
        ),
        pytest.param("submit ids.csv", 2, "name that of the ids by --column", id="which column"),
        pytest.param("submit ids.csv --column c", 2, "1 lines have no id", id="no id"),
        pytest.param("submit open.csv --column id", 2, "is no CSV file", id="open quote"),
        pytest.param("submit long.csv --column id", 2, "1 ids have several lines", id="lines"),
        pytest.param("submit twice.csv --column id", 2, "has 2 columns 'id'", id="twice"),
        pytest.param("submit none.csv", 2, "none.csv can't be read", id="no file"),
        pytest.param("submit ids.csv --column b --type int", 2, "those of the training", id="kind"),
        pytest.param("submit ids.csv --column a --type int", 2, "no whole number", id="number"),
        pytest.param("submit ids.csv --column a --due soon", 2, "due='soon'", id="due"),
        pytest.param("apply --key env:NO_SUCH", 2, "NO_SUCH is not set", id="key"),
        pytest.param("verify --key file:other.key", 1, "not the one of this store", id="wrong key"),
        pytest.param("certificate nobody", 1, "No request to forget this id", id="nobody"),
        pytest.param("verify --head abc", 1, "its end was cut off", id="head"),
    ],
)
def test_what_is_wrong_is_said(run, tmp_path, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.csv").write_text("a,b,c\nx,1,\n")
    (tmp_path / "open.csv").write_text('id\n"person-000001\nperson-000002\n')
    (tmp_path / "long.csv").write_text('id\n"person-000001\nperson-000002"\n')
    (tmp_path / "twice.csv").write_text("id,id\nperson-000001,person-000002\n")
    (tmp_path / "other.key").write_text("another key of 16 bytes")
    found, printed = run(*words.split())
    assert found == code
    assert message in printed.err


def test_a_folder_without_a_store_and_a_wrong_option_are_misuse(tmp_path):
    assert main(["apply", str(tmp_path)]) == 2
    with pytest.raises(SystemExit) as stopped:
        main(["apply", str(tmp_path), "--max-batch", "0"])
    assert stopped.value.code == 2


def test_the_package_is_a_command(folder):
    command = [sys.executable, "-m", "sklearn_unlearn", "verify", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"n_events": 2})
