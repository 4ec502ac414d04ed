"""Rows that stay in a file or a database: the same models to the last bit, and nothing is left."""

import os
import pickle
import sqlite3
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn._records import erasing
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.rows import ArrayRows, ParquetRows, SQLRows

N_ROWS = 600
rng = np.random.default_rng(0)
X = rng.normal(size=(N_ROWS, 4))
Y = (X @ [1, -1, 2, 0] + rng.logistic(size=N_ROWS) > 0).astype(int)
# Two rows for each subject.
IDS = [f"customer-{row // 2:04d}" for row in range(N_ROWS)]


def in_arrays(folder, **params):
    """Write rows and ids as arrays; return their source and what fit takes beside it."""
    np.save(folder / "rows.npy", X)
    np.save(folder / "ids.npy", np.array(IDS))
    return ArrayRows(folder / "rows.npy", ids=folder / "ids.npy", **params), (Y,)


def in_parquet(folder, **params):
    """Write rows, ids and targets to three files; return their source."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"id": IDS, **{f"x{place}": X[:, place] for place in range(4)}, "y": Y}
    table = pa.table(columns).cast(
        pa.schema([("id", pa.dictionary(pa.int32(), pa.string()))]
                  + [(f"x{place}", pa.float64()) for place in range(4)]
                  + [("y", pa.int8())])
    )  # fmt: skip
    for number in range(3):
        part = table.slice(200 * number, 200)
        ids = part["id"].cast(pa.string()).combine_chunks().dictionary_encode()
        pq.write_table(
            part.set_column(0, "id", ids),
            folder / f"{number}.parquet",
            row_group_size=70,
            compression="none",
        )
    return ParquetRows(folder, id_column="id", target="y", **params), ()


def in_database(folder):
    """Write rows, ids and targets to a table; return their source."""
    with sqlite3.connect(folder / "rows.db") as database:
        database.execute("CREATE TABLE t (row INTEGER PRIMARY KEY, id, a, b, c, d, y)")
        rows = [(row, IDS[row], *X[row].tolist(), int(Y[row])) for row in range(N_ROWS)]
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.close()
    return SQLRows(
        partial(connect, folder / "rows.db"),
        "SELECT * FROM t",
        "id",
        row_column="row",
        target="y",
        delete="DELETE FROM t WHERE row = ?",
    ), ()


def connect(path):
    """Return a connection to a database that keeps no deleted bytes."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA secure_delete = ON")
    return database


KINDS = [in_arrays, in_parquet, in_database]
FILES = [in_arrays, in_parquet]


def holds(folder, row):
    """Tell whether a file of a folder holds a row's values, in either byte order, or its id."""
    value = X[row, 0]
    parts = [value.tobytes(), value.byteswap().tobytes(), IDS[row].encode()]
    parts.append(IDS[row].encode("utf-32-le"))
    texts = [file.read_bytes() for file in folder.iterdir()]
    return any(part in text for part in parts for text in texts)


def coefficients(model):
    """Return the parameters of a fitted model."""
    last = getattr(model.estimator_, "steps", [(None, model.estimator_)])[-1][1]
    return np.append(last.coef_, last.intercept_)


@pytest.mark.parametrize("write", KINDS)
@pytest.mark.parametrize(
    ("estimator", "reweight"),
    [
        pytest.param(LogisticRegression(), "l2", id="reweighted"),
        pytest.param(make_pipeline(StandardScaler(), Ridge()), None, id="scaled"),
    ],
)
def test_models_are_the_same_to_the_last_bit_and_nothing_is_left(
    write, estimator, reweight, tmp_path
):
    source, targets = write(tmp_path)
    unlearner = PUMAUnlearner(estimator, reweight=reweight, random_state=0)
    inside = deepcopy(unlearner).fit(X, Y, X_ids=IDS)
    outside = unlearner.fit(source, *targets)
    for start in range(0, 200, 40):
        leaving = [5 + start, *range(start + 10, start + (40 if start % 80 else 10), 2)]
        ids = [IDS[row] for row in leaving]
        assert all(holds(tmp_path, row) for row in leaving)
        inside.partial_forget(ids)
        outside.partial_forget(ids)
        assert np.array_equal(coefficients(inside), coefficients(outside))
        assert not any(holds(tmp_path, row) for row in leaving)
        assert not any("rows in" in part for part in outside.receipts_[-1].not_forgotten)
        assert outside.n_subjects_ == inside.n_subjects_
        assert not outside.knows(ids).any()
        stored = pickle.dumps(outside)
        assert not any(values.tobytes() in stored for values in X.ravel())
        assert not any(key.encode() in stored for key in IDS)
        outside = pickle.loads(stored)


@pytest.mark.parametrize("write", KINDS)
def test_ids_are_found_whatever_the_order_in_which_they_are_asked_for(write, tmp_path):
    source, targets = write(tmp_path)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(source, *targets)
    # All rows of a row group, in another order.
    ids = rng.permutation(IDS[:140:2])
    assert model.knows(ids).all()
    assert [model.rows_of([key])[0] for key in ids] == [IDS.index(key) for key in ids]
    assert model.partial_forget(ids).n_rows_ == N_ROWS - 140


@pytest.mark.parametrize("write", KINDS)
def test_a_training_leaves_out_rows_that_are_erased(write, tmp_path):
    source, targets = write(tmp_path)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(source, *targets)
    model.partial_forget([IDS[3], IDS[501]])
    if write is in_arrays:
        # Rows stay in the file as zeros; a new source knows which.
        source = ArrayRows(source.path, ids=source.ids_path)
    again = PUMAUnlearner(Ridge(), reweight=None)
    again.fit(source, *targets, exclude_ids=[IDS[9], IDS[3]])
    inside = Ridge().fit(*(np.delete(part, [2, 3, 8, 9, 500, 501], 0) for part in (X, Y)))
    np.testing.assert_allclose(again.estimator_.coef_, inside.coef_, rtol=0, atol=1e-12)
    assert (again.n_rows_, again.n_rows_excluded_) == (N_ROWS - 6, 2)
    assert again.partial_forget([IDS[0]]).n_rows_ == N_ROWS - 8
    with pytest.raises(ValueError, match="3 ids for 600 rows"):
        again.fit(source, *targets, X_ids=IDS[:3])


@pytest.mark.parametrize("write", FILES)
@pytest.mark.parametrize("erase", ["now", "later"])
def test_an_erasing_that_is_cut_short_anywhere_is_finished(write, erase, tmp_path, monkeypatch):
    class Cut(BaseException):
        """The end of a process."""

    source, targets = write(tmp_path, erase=erase)
    kept = {file: file.read_bytes() for file in tmp_path.iterdir()}
    fitted = pickle.dumps(PUMAUnlearner(Ridge(), reweight=None).fit(source, *targets))
    times = {file: os.stat(file).st_mtime_ns for file in kept}
    inside = PUMAUnlearner(Ridge(), reweight=None).fit(X, Y, X_ids=IDS)
    inside.partial_forget([IDS[3], IDS[501]]).partial_forget([IDS[9]])
    # Calls come six per file of Parquet, of which two are written, and four per array.
    for n_calls in (0, 2, 3, 4, 7, 9, 12):
        left = [n_calls]

        def sync_or_die(path, sync=erasing.sync, left=left):
            if not left[0]:
                raise Cut
            left[0] -= 1
            sync(path)

        model, was_cut = pickle.loads(fitted), False
        with monkeypatch.context() as patched:
            patched.setattr(erasing, "sync", sync_or_die)
            try:
                model.partial_forget([IDS[3], IDS[501]])
                stored = pickle.dumps(model)
                model.erase_forgotten()
            except Cut:
                was_cut = True
        if erase == "later":
            # What a killed process has left: what was stored, and the files.
            model = pickle.loads(stored)
        model.partial_forget([IDS[9]]).erase_forgotten()
        assert not any(holds(tmp_path, row) for row in (3, 9, 501))
        assert np.array_equal(coefficients(model), coefficients(inside))
        if not was_cut:
            assert n_calls > 3
            return
        for file in tmp_path.iterdir():
            file.unlink()
        for file, content in kept.items():
            file.write_bytes(content)
            os.utime(file, ns=(times[file], times[file]))


@pytest.mark.parametrize("write", FILES)
def test_a_file_that_is_not_what_the_unlearner_knows_is_found(write, tmp_path):
    source, targets = write(tmp_path)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(source, *targets)
    early, other = pickle.dumps(model), deepcopy(model)
    model.partial_forget([IDS[0]])
    with pytest.raises(ValueError, match="stored last"):
        pickle.loads(early).partial_forget([IDS[0]])
    with pytest.raises(ValueError, match="Go on with the copy"):
        other.partial_forget([IDS[8]])
    file = next(tmp_path.glob("rows.npy"), tmp_path / "0.parquet")
    content = file.read_bytes()
    file.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="changed"):
        model.partial_forget([IDS[4]])
    file.unlink()
    with pytest.raises(FileNotFoundError, match="Put it back"):
        model.partial_forget([IDS[4]])
    assert model.knows([IDS[200]]).all()
    assert len(model.receipts_) == 1


def test_rows_that_were_changed_or_deleted_in_a_database_are_found(tmp_path):
    source, _ = in_database(tmp_path)
    source.delete, source.erase = None, "never"
    model = PUMAUnlearner(Ridge(), reweight=None).fit(source).partial_forget([IDS[0]])
    assert "owner's to erase" in model.receipts_[-1].not_forgotten[0]
    with connect(tmp_path / "rows.db") as database:
        database.execute("UPDATE t SET a = a + 1 WHERE row = 5")
        # As the owner may, the model has forgotten them.
        database.execute("DELETE FROM t WHERE row < 2")
        database.execute("DELETE FROM t WHERE row = 100")
    database.close()
    with pytest.raises(ValueError, match="were changed"):
        model.partial_forget([IDS[5]])
    with pytest.raises(ValueError, match="no longer in the database"):
        model.partial_forget([IDS[100]])
    model.partial_forget([IDS[7]])
    assert model.n_rows_ == N_ROWS - 4


def test_what_can_not_be_erased_now_is_erased_at_the_next_request(tmp_path, monkeypatch):
    source, targets = in_arrays(tmp_path)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(source, *targets)

    def no_space(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "sync", no_space)
        with pytest.warns(UserWarning, match="erased at the next request"):
            model.partial_forget([IDS[0]])
    assert holds(tmp_path, 1)
    pickle.loads(pickle.dumps(model)).partial_forget([IDS[6]])
    assert not holds(tmp_path, 1)
    assert not holds(tmp_path, 6)


@pytest.mark.parametrize(
    "unlearner",
    [
        pytest.param(SISAEnsemble(GaussianNB()), id="ensemble"),
        pytest.param(RetrainUnlearner(Ridge()), id="retraining"),
        pytest.param(PUMAUnlearner(MLPClassifier()), id="network"),
        pytest.param(PUMAUnlearner(make_pipeline(MinMaxScaler(), Ridge())), id="transformers"),
    ],
)
def test_what_needs_rows_in_memory_says_how_to_give_them(unlearner, tmp_path):
    with pytest.raises(TypeError, match=r"read\(\)"):
        unlearner.fit(*in_arrays(tmp_path)[:1], Y)


def test_columns_that_are_not_there_or_are_no_numbers_are_named(tmp_path):
    in_parquet(tmp_path)
    with pytest.raises(ValueError, match="no column 'age'"):
        ParquetRows(tmp_path, columns=["age"])
    with pytest.raises(ValueError, match="'id' is of type dictionary"):
        ParquetRows(tmp_path, target="y")
