# make demo and make test are all that a fresh machine needs: both set up first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint clean

demo: .venv/.stamp
	$(BIN)/python -m optkit.solve instances/block_placement/vgg16-storage.json --method mip,marginal_greedy,greedy -o greedy.within_storage=true

test: .venv/.stamp
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/.stamp
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# An editable install learns of a new entry point only when it is made again, so the stamp
# depends on pyproject.toml. It is touched last: an interrupted set-up starts over.
.venv/.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[learn,solvers]" pytest pytest-xdist hypothesis ruff mypy import-linter
	touch $@

clean:
	rm -rf .venv
