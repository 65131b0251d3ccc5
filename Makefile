# Two knobs: PORT=8000, DATA=./data. HTTPS=1 serves this machine's network over TLS.
PORT ?= 8000
DATA ?= ./data
PYTHON ?= python3
VENV ?= .venv
# Tests of the server and the recorder wait more than they work; those at browsers need the machine for themselves.
AT_ONCE ?= 3
BIN := $(VENV)/bin
export PORT HTTPS
export LETTERBOX_DATA_DIR ?= $(DATA)

.PHONY: bench-attack carried audit help run test fuzz lint migrate doctor chaos scale bench-signaling bench-join bench-files bench-recorder bench-compose bench-http bench-memory pictures

help: ## what one can do here
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

run: $(VENV)/.run ## install, migrate, start everything: web, recorder, worker
	@$(BIN)/python app.py run

migrate: $(VENV)/.run ## bring the database up to date
	@$(BIN)/python app.py migrate

doctor: $(VENV)/.run ## what is set up wrong, and how to mend it
	@$(BIN)/python app.py doctor

test: $(VENV)/.dev ## all tests, browsers included
	$(if $(ARGS),,$(BIN)/python -m pytest -n $(AT_ONCE) --dist worksteal tests --ignore=tests/journeys --ignore=tests/networks)
	$(BIN)/python -m pytest $(or $(ARGS),tests/journeys tests/networks)
	LETTERBOX_WORKER_CLASS=gthread $(BIN)/python -m pytest -n $(AT_ONCE) tests/signaling/test_presence.py tests/signaling/test_operations.py
	@if command -v npm >/dev/null; then npm run --silent test; else echo "npm is not installed: the JavaScript tests were skipped"; fi

fuzz: $(VENV)/.dev ## thousands of calls made up from the OpenAPI document, at a real server: CASES=20000
	CASES=$(or $(CASES),20000) $(BIN)/python -m pytest tests/fuzz $(ARGS)

lint: $(VENV)/.dev node_modules ## formatter, linters, types
	$(BIN)/ruff check .
	$(BIN)/mypy app.py supervisor.py signaling recorder doctor
	npm run --silent lint
	npm run --silent types

bench-signaling: $(VENV)/.dev ## the mailbox against socket.io
	$(BIN)/python -m bench.signaling $(ARGS)

bench-recorder: $(VENV)/.dev ## the recorder against aiortc's own
	$(BIN)/python -m bench.recorder $(ARGS)

bench-join: $(VENV)/.dev ## from pressing Join to the first picture, through strict networks (root)
	$(BIN)/python -m bench.join $(ARGS)

bench-http: $(VENV)/.dev ## calls over plain HTTP: what the server pays
	$(BIN)/python -m bench.http $(ARGS)

bench-files: $(VENV)/.dev ## a file against what a data channel carries at all
	$(BIN)/python -m bench.files $(ARGS)

bench-compose: $(VENV)/.dev ## composing against ffmpeg
	$(BIN)/python -m bench.compose $(ARGS)

pictures: $(VENV)/.dev ## the pictures of the pages, taken anew
	$(BIN)/python -m docs.pictures.take

chaos: $(VENV)/.dev ## kill parts at random during recorded calls; MINUTES=3 SEED=1
	PYTHONPATH=tests $(BIN)/python -m bench.chaos --minutes $(or $(MINUTES),3) $(if $(SEED),--seed $(SEED))

scale: $(VENV)/.dev ## what a larger house needs: the figures of docs/scale.md
	$(BIN)/python -m bench.scale $(ARGS)

carried: $(VENV)/.dev ## what two people at real browsers cost the server in bytes, for docs/scale.md
	$(BIN)/python -m bench.carried

bench-attack: $(VENV)/.dev ## 10,000 connections that say nothing, or stop in the middle, and what others notice of them
	$(BIN)/python -m bench.attack $(ARGS)

audit: $(VENV)/.dev node_modules ## known holes in what we stand on, where the advisories can be reached
	@$(BIN)/python -m bench.advisories

bench-memory: $(VENV)/.dev ## what composing four hours holds
	$(BIN)/python -m bench.memory $(ARGS)

$(VENV)/.run: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

node_modules: package.json
	npm install --silent --no-audit --no-fund
	@touch $@
