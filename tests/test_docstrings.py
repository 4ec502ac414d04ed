"""The docstrings of everything public are complete."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_unlearn
from sklearn_unlearn import (
    base,
    baselines,
    inspection,
    metrics,
    one_class,
    rows,
    store,
    unlearner_checks,
)

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
EVERYTHING, *IGNORED = tomllib.loads(PYPROJECT.read_text())["tool"]["numpydoc_validation"]["checks"]
assert EVERYTHING == "all"
PACKAGES = (sklearn_unlearn, baselines, inspection, metrics, one_class, store, unlearner_checks)
SCIKIT_LEARNS_OWN = {
    "set_callbacks",
    "set_fit_request",
    "set_params",
    "set_partial_fit_request",
    "set_score_request",
}


def public_names():
    """Yield the full name of every public object and of its public members."""
    for package, name in [(m, name) for m in PACKAGES for name in m.__all__]:
        thing = getattr(package, name)
        if not callable(thing):
            continue
        yield f"{package.__name__}.{name}"
        if not inspect.isclass(thing):
            continue
        for member in dir(thing):
            found = inspect.getattr_static(thing, member)
            home = getattr(getattr(thing, member), "__module__", None) or ""
            if isinstance(found, property):
                home = found.fget.__module__
            is_ours = home.startswith("sklearn_unlearn")
            if not member.startswith("_") and is_ours and member not in SCIKIT_LEARNS_OWN:
                yield f"{package.__name__}.{name}.{member}"


@pytest.mark.parametrize("package", [*PACKAGES, base, rows], ids=lambda m: m.__name__)
def test_every_public_name_stands_on_the_page_of_the_api(package):
    page = (PYPROJECT.parent / "docs" / "api.rst").read_text()
    words = set(re.findall(r"\w+", page)) | {"__version__"}
    assert set(package.__all__) - words == set()


@pytest.mark.parametrize("name", sorted(public_names()))
def test_docstring(name):
    found = validate(name)
    errors = [(code, text) for code, text in found["errors"] if code not in IGNORED]
    assert not errors, f"{found['file']}:{found['file_line']}"


def test_public_classes_have_examples():
    for name in (
        "ArcaneEnsemble",
        "MislabelDetector",
        "PUMAUnlearner",
        "SISAEnsemble",
        "loo_predict",
        "loo_predict_proba",
        "model_digest",
        "partial_forget",
    ):
        assert ">>>" in getattr(sklearn_unlearn, name).__doc__


@pytest.mark.parametrize("package", [baselines, inspection, metrics], ids=lambda m: m.__name__)
def test_public_names_of_packages_have_examples(package):
    results = ("ForgettingReport", "RetrainGap")
    for name in set(package.__all__).difference(results):
        assert ">>>" in getattr(package, name).__doc__, name
