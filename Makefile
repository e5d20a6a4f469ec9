# Thin: each line is a command a person could type.
PYTHON ?= python3
PY = .venv/bin/python
# Bytecode is kept whatever the environment says: without it every process compiles all of Okno anew.
export PYTHONDONTWRITEBYTECODE =
# What fails once and not again is shown with its traceback: a defect of the code or the test to be mended all the same.
TEST = $(PY) -m pytest --reruns 1 --reruns-delay 2 --max-suite-reruns 5 --rerun-show-tracebacks

run: .venv/ready
	$(PY) -m services.cli up --demo

test: .venv/dev
	$(PY) -m tests.peers.install
	$(TEST) -m alone $$(grep -rl --include='test_*.py' 'mark\.alone' tests)
	$(PY) services/inbox_api/ui/node.py test & window=$$!; $(TEST) -n 4 -m "not alone"; tests=$$?; wait $$window && exit $$tests

check: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/dev
	$(PY) -m tests.peers.install
	$(PY) -m tests.benchmarks

clean:
	rm -rf .venv services/inbox_api/ui/dist services/inbox_api/ui/node_modules

.venv/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q -c requirements.lock -e .
	touch $@

.venv/dev: .venv/ready
	$(PY) -m pip install -q -c requirements.lock -e .[dev]
	touch $@

.PHONY: run test check bench clean
