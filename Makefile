# One word for each habit; CONTRIBUTING.md says what they do.
BIN = .venv-test/bin

.PHONY: test thorough lint docs figures bench ci

test: .venv-test/ready
	$(BIN)/python -m pytest -n 2

thorough: .venv-test/ready
	$(BIN)/python -m pytest -n 2 --hypothesis-profile=thorough

lint: .venv-test/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

docs: .venv-test/ready
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

figures: .venv-test/ready
	$(BIN)/python docs/make_figures.py

bench: .venv-test/ready
	$(BIN)/python -m pytest -n 2 -m slow

ci:
	bash .ci/run

.venv-test/ready: pyproject.toml constraints.txt
	python3 -m venv .venv-test
	$(BIN)/pip install -c constraints.txt -e ".[test,docs,benchmarks]"
	touch $@
