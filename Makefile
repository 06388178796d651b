# Two commands do all set-up: `make demo` runs the exchange with sample cases, `make test` passes the tests.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check

.PHONY: demo test quick lint bench clean peers s3_servers ohif coverage

demo: $(VENV)/.run
	@$(BIN)/lysbro demo $(DEMO_ARGS)

test: $(VENV)/.test peers s3_servers ohif
	@tools/tests.sh $(BIN)/python $(PYTEST_ARGS)

coverage:
	@COVERAGE=1 $(MAKE) --no-print-directory test

quick: $(VENV)/.test
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not peers and not browser and not fixtures and not slow" \
	  --ignore=tests/crash --ignore=tests/hostile --ignore=tests/flows $$(sed -n 's/^tests/--ignore=tests/p' tests/lengthy.txt) \
	  $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python hatch_build.py --check

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

peers:
	@tools/peers.sh

s3_servers: $(VENV)/bin/python
	@tools/s3_servers.sh $(VENV)/bin/python $(VENV)

ohif: $(VENV)/.test
	@tools/ohif.sh $(VENV)

$(VENV)/bin/python:
	@tools/venv.sh $(PYTHON) $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml constraints.txt hatch_build.py
	@echo "Installing Lysbro into $(VENV) (once, a minute or two) ..."
	@$(PIP) install -q -c constraints.txt -e '.[build]'
	@$(BIN)/python hatch_build.py
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "Installing what the tests need ..."
	@$(PIP) install -q -c constraints.txt -e '.[build,test,lint]'
	@touch $@

clean:
	rm -rf $(VENV) viewer/static/dist viewer/frontend/node_modules
