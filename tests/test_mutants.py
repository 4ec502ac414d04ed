"""The mutants that the tests must kill are mutants of this package, not of an earlier one."""

import ast

import pytest

from tests.mutants import MUTANTS, ROOT, mutated


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_changes_the_package_and_names_its_tests(name):
    ast.parse(mutated(name)[1])
    assert (ROOT / MUTANTS[name][-1]).is_file()
