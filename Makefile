# Two commands do everything: `make demo` and `make test`. Nothing but Python (3.11 to 3.13) and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE ?= store

.PHONY: demo test lint types setup server deploy worker readme figures constraints clean kill-test endurance scale start-up

demo: setup
	$(BIN)/callfolio models pull --profile base
	$(BIN)/callfolio run data/sample_calls '$(VENV)/lib/python3*/site-packages/pyannote/audio/sample/*.wav' --profile base --store $(STORE)

test: setup
	$(BIN)/callfolio models pull --profile tiny
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

# Prefect with its UI, on this machine only. Its SQLite file gives way to PostgreSQL with, for example,
# PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://user:password@host/prefect
PREFECT_API_URL ?= http://127.0.0.1:4200/api
POOL ?= process
PREFECT := DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_API_URL=$(PREFECT_API_URL) $(BIN)/prefect --no-prompt

server: setup
	$(PREFECT) server start --host 127.0.0.1

# What prefect.yaml names, into a work pool of the type process, docker or kubernetes.
deploy: setup
	$(PREFECT) work-pool create callfolio --type $(POOL) --overwrite
	$(PREFECT) deploy --all

worker: setup
	$(PREFECT) worker start --pool callfolio

setup: $(VENV)/ready

# The environment is made anew when what it is made from has changed.
$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Callfolio needs Python 3.11, 3.12 or 3.13, and {sys.executable} is {v[0]}.{v[1]}. Run: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# Kill processes of runs at 50 random moments: half an hour. Each prints what it found, and kill-test fails on it.
kill-test: setup
	$(BIN)/callfolio models pull --profile tiny
	$(BIN)/python tests/flows/killing.py --moments 50

# A thousand short calls in one run: memory, throughput and what orchestration costs.
endurance: setup
	$(BIN)/callfolio models pull --profile tiny
	$(BIN)/python tests/flows/endurance.py --calls 1000

# What it costs to keep a store of 20,000 calls on ten days: time and memory of each step, in some half an hour.
scale: setup
	$(BIN)/python tests/pipelines/store/scale.py --calls 20000 --days 10

# Seconds from the command to the first stage of a single recording.
start-up: setup
	$(BIN)/callfolio models pull --profile base
	$(BIN)/python tests/flows/start.py --profile base --repeats 5

# Write the generated part of the README anew.
readme: setup
	$(BIN)/python tests/readme.py

# Write anew what the sample calls score: a test fails when they score worse.
figures: setup
	$(BIN)/callfolio models pull --profile tiny
	PYTHONPATH=. $(BIN)/python tests/expected_figures.py

# Pin the newest versions that fit together. Try the result with each Python before you commit it.
constraints:
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/python -m pip install --quiet --editable '.[dev,synthesis]'
	{ echo '# Every version, so that the environment is the same tomorrow. Made with: make constraints'; \
	  $(VENV)-newest/bin/python -m pip freeze --exclude-editable | LC_ALL=C sort -f; } > constraints.txt
	rm -rf $(VENV)-newest

clean:
	rm -rf $(VENV) build *.egg-info
