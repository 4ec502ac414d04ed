"""The command line of a store: ``sklearn-unlearn`` and ``python -m sklearn_unlearn``.

Exit codes for cron: 0 if all is done, 1 if something waits, fails or is not whole, 2 if the command
was used wrongly.
"""

import argparse
import csv
import json
import logging
import sys
from contextlib import contextmanager
from pathlib import Path

from sklearn_unlearn._version import __version__
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.ledger import STATES
from sklearn_unlearn.store.model_store import ModelStore
from sklearn_unlearn.store.requests import OPEN, as_moment
from sklearn_unlearn.store.subjects import read_key

DONE, OPEN_OR_FAILED, MISUSED = 0, 1, 2


@contextmanager
def _progress(options):
    """Show what the store logs while it works, if somebody looks on."""
    log = logging.getLogger("sklearn_unlearn.store")
    if not (options.verbose or sys.stderr.isatty()):
        yield
        return
    handler, level = logging.StreamHandler(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


class _MisuseError(Exception):
    """The command can't be carried out as it was given."""


def main(arguments=None):
    """Carry out a command, and return its exit code.

    Parameters
    ----------
    arguments : list of str, default=None
        Words after the program's name; by default those that it was called with.

    Returns
    -------
    int
        0 if all is done, 1 if something waits or fails, 2 if the command was used wrongly.
    """
    options = _parser().parse_args(arguments)
    try:
        with _progress(options):
            return options.run(options)
    except _MisuseError as error:
        print(f"sklearn-unlearn: {error}", file=sys.stderr)
        return MISUSED
    except (StoreError, OSError, KeyError, TypeError, ValueError, ImportError) as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"sklearn-unlearn: {message}", file=sys.stderr)
        return OPEN_OR_FAILED


def _parser():
    parser = argparse.ArgumentParser(
        prog="sklearn-unlearn", description="Deletion requests of a store of models."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text, several=False):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("store", nargs="+" if several else None, help="folder of the store")
        sub.add_argument(
            "--key",
            default="env:UNLEARN_KEY",
            help='"env:NAME" or "file:PATH" (default: %(default)s)',
        )
        sub.add_argument("--json", action="store_true", help="print JSON")
        sub.add_argument(
            "--verbose",
            action="store_true",
            help="say on the standard error how far long work is, as on a terminal",
        )
        sub.set_defaults(run=run)
        return sub

    sub = command("submit", _submit, "write down that subjects ask to be forgotten")
    _add_ids(sub)
    sub.add_argument("--reference", help="what the request is called elsewhere")
    sub.add_argument("--due", help="day by which it shall be done, as 2030-01-31")
    _add_kind(sub)
    sub = command("release", _release, "let subjects back in who were forgotten and came back")
    _add_ids(sub)
    sub.add_argument("--reference", help="what their consent is called elsewhere")
    _add_kind(sub)
    sub = command("apply", _apply, "make the model forget whoever waits")
    sub.add_argument("--max-batch", type=_size, default=1000, help="requests taken together")
    sub = command("status", _status, "show where requests stand", several=True)
    sub.add_argument("--id", help="only that of one subject")
    sub.add_argument("--overdue", action="store_true", help="only those whose time is over")
    _add_kind(sub)
    sub = command("certificate", _certificate, "print what the ledger says about a subject")
    sub.add_argument("id")
    _add_kind(sub)
    sub = command("verify", _verify, "check ledger and files")
    sub.add_argument("--head", help="seal of an event that was noted elsewhere")
    sub = command("find-copies", _find_copies, "find copies of the store's models elsewhere")
    sub.add_argument("folders", nargs="+")
    sub = command("stale-exports", _stale_exports, "list what must be rebuilt or deleted elsewhere")
    sub = command("adopt", _adopt, "note that something elsewhere was made of a version")
    sub.add_argument("place", help="a file, an address in a registry, a backup")
    sub.add_argument("--made-of", type=int, metavar="VERSION", help="default: the newest")
    sub = command("resolve", _resolve, "note that an export is deleted or rebuilt")
    sub.add_argument("place", help="as it was adopted")
    sub.add_argument("how", choices=("deleted", "rebuilt"))
    sub = command("export", _export, "write the events to a file of JSON lines")
    sub.add_argument("file")
    return parser


def _add_ids(sub):
    sub.add_argument(
        "ids",
        help='a CSV file with a header, a file of one id a line, or "-" for the standard input',
    )
    sub.add_argument("--column", help="column of the ids, if the file has a header")


def _size(text):
    if int(text) < 1:
        raise ValueError
    return int(text)


def _add_kind(sub):
    sub.add_argument(
        "--type",
        choices=("str", "int"),
        default="str",
        help="what ids are: texts or whole numbers (default: %(default)s)",
    )


def _open(options, folder=None):
    """Return the store of a command; the folder must be one already."""
    folder = Path(folder or options.store)
    if not (folder / "ledger.sqlite").is_file():
        raise _MisuseError(f"{folder} is no store: it has no ledger. Train a model into it first.")
    return ModelStore(folder, key=_checked(read_key, options.key))


def _checked(convert, text):
    """Return an argument converted; what is wrong with it is a wrong use of the command."""
    try:
        return convert(text)
    except (TypeError, ValueError) as error:
        raise _MisuseError(str(error)) from None


def _id(options, text):
    if options.type == "str":
        return text
    try:
        return int(text)
    except ValueError:
        # Without the text: it may be somebody's name.
        raise _MisuseError("An id is no whole number; leave out --type int for texts.") from None


def _show(options, value, lines):
    """Print a value as JSON, or lines for people."""
    print(json.dumps(value, indent=2) if options.json else "\n".join(lines))


def _read_ids(options):
    """Return the ids of a file; none may be lost on the way."""
    try:
        if options.ids == "-":
            rows = list(csv.reader(sys.stdin, strict=True))
        else:
            with open(options.ids, newline="", encoding="utf-8-sig") as file:
                rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV file in UTF-8"
        raise _MisuseError(f"{options.ids} can't be read: {reason}.") from error
    rows = [row for row in rows if row]
    if not rows:
        raise _MisuseError(f"{options.ids} is empty.")
    at = 0
    if options.column is not None:
        header, *rows = rows
        if options.column not in header:
            raise _MisuseError(
                f"{options.ids} has no column {options.column!r}; it has {', '.join(header)}."
            )
        if header.count(options.column) > 1:
            n_columns = header.count(options.column)
            raise _MisuseError(f"{options.ids} has {n_columns} columns {options.column!r}.")
        at = header.index(options.column)
    elif any(len(row) > 1 for row in rows):
        raise _MisuseError(f"{options.ids} has several columns; name that of the ids by --column.")
    found = [row[at].strip() if len(row) > at else "" for row in rows]
    if "" in found:
        raise _MisuseError(f"{options.ids}: {found.count('')} lines have no id.")
    n_long = sum(len(text.splitlines()) > 1 for text in found)
    if n_long:
        raise _MisuseError(f"{options.ids}: {n_long} ids have several lines: is a quote left open?")
    return found


def _ids(options):
    """Return the ids of a file as what they are."""
    ids = [_id(options, text) for text in _read_ids(options)]
    if not ids:
        raise _MisuseError(f"{options.ids} has no ids.")
    return ids


def _submit(options):
    ids = _ids(options)
    due = _checked(as_moment, options.due)
    try:
        new = _open(options).submit(ids, reference=options.reference, due=due)
    except TypeError as error:
        raise _MisuseError(f"{error} See --type.") from error
    found = {"n_ids": len(set(ids)), "n_new": new}
    _show(options, found, [f"{found['n_ids']} ids, {new} of them new; they wait for apply"])
    return DONE


def _release(options):
    ids = _ids(options)
    back = _open(options).release(ids, reference=options.reference)
    found = {"n_ids": len(set(ids)), "n_released": back}
    _show(options, found, [f"{found['n_ids']} ids, {back} of them released now"])
    return DONE


def _apply(options):
    store = _open(options)
    settled = store.apply(options.max_batch)
    counts = store.counts()
    found = {
        "n_settled": settled,
        "latest_version": store.latest_version,
        "n_open": sum(counts[state] for state in OPEN),
        "n_refused": counts["refused"],
    }
    lines = [f"{settled} requests settled; servers load version {store.latest_version}"]
    lines += [f"{found['n_refused']} refused: see status"] if found["n_refused"] else []
    _show(options, found, lines)
    return OPEN_OR_FAILED if found["n_open"] else DONE


def _status(options):
    stores = [(folder, _open(options, folder)) for folder in options.store]
    if options.id is not None:
        key = _id(options, options.id)
        found = {folder: store.status(key) for folder, store in stores}
        shown = {folder: each and vars(each) for folder, each in found.items()}
        _table(
            options,
            shown,
            ("store", "state", "reference", "received", "due", "version", "reason"),
            [_line(folder, each) for folder, each in found.items()],
        )
        asked = [each for each in found.values() if each is not None]
        return OPEN_OR_FAILED if any(each.state in OPEN for each in asked) else DONE
    if options.overdue:
        found = {folder: store.requests(overdue=True) for folder, store in stores}
        _table(
            options,
            {folder: [vars(each) for each in some] for folder, some in found.items()},
            ("store", "state", "reference", "received", "due", "version", "reason"),
            [_line(folder, each) for folder, some in found.items() for each in some],
        )
        return OPEN_OR_FAILED if any(found.values()) else DONE
    counts = {
        folder: {
            "latest_version": store.latest_version,
            **store.counts(),
            "overdue": len(store.requests(overdue=True)),
        }
        for folder, store in stores
    }
    states = (*STATES, "overdue")
    _table(
        options,
        counts,
        ("store", "version", *states),
        [
            (folder, some["latest_version"], *(some[state] for state in states))
            for folder, some in counts.items()
        ],
    )
    is_open = any(some[state] for some in counts.values() for state in OPEN)
    return OPEN_OR_FAILED if is_open else DONE


def _line(folder, each):
    if each is None:
        return (folder, "never asked", "", "", "", "", "")
    return (
        folder,
        each.state,
        each.reference,
        each.received_at[:19],
        each.due,
        each.version,
        each.reason,
    )


def _table(options, value, names, rows):
    """Print rows under their names, on a terminal by rich where it is installed."""
    if options.json:
        print(json.dumps(value, indent=2))
        return
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not (sys.stdout.isatty() and _print_by_rich(names, cells)):
        widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
        for row in (names, *cells):
            line = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(line).rstrip())


def _print_by_rich(names, rows):
    """Print a table, and tell whether that could be done; rich cuts what a line can't hold."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        return False
    table = Table(*names)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    return True


def _certificate(options):
    found = _open(options).certificate(_id(options, options.id))
    # For people and programs alike: what it says is what is sealed.
    print(json.dumps(found, indent=2))
    return OPEN_OR_FAILED if found["request"]["state"] in OPEN else DONE


def _verify(options):
    n_events = _open(options).verify(options.head)
    _show(options, {"n_events": n_events}, [f"{n_events} events and all files are whole"])
    return DONE


def _find_copies(options):
    found = _open(options).find_copies(options.folders)
    value = [{"path": str(path), "version": version} for path, version in found]
    _show(options, value, [f"{path}: version {version}" for path, version in found] or ["none"])
    return OPEN_OR_FAILED if found else DONE


def _stale_exports(options):
    found = _open(options).stale_exports()
    lines = [f"{each['place']}: version {each['version']}" for each in found]
    _show(options, found, lines or ["none"])
    return OPEN_OR_FAILED if found else DONE


def _adopt(options):
    store = _open(options)
    store.adopt(options.place, version=options.made_of)
    _show(options, {"place": options.place}, ["noted"])
    return DONE


def _resolve(options):
    _open(options).resolve(options.place, how=options.how)
    _show(options, {"place": options.place, "how": options.how}, ["noted"])
    return DONE


def _export(options):
    n_events = _open(options).export(options.file)
    _show(options, {"n_events": n_events}, [f"{n_events} events written"])
    return DONE
