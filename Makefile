# Two commands do everything: make demo, make test. `make help` lists the rest.
# What is set up is remembered in .venv/.<name> and .cache/<name>/complete, so that a second make starts at once.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
BIN := .venv/bin
DISTRIBUTIONS := shared services/ingest services/transcribe services/access services/audit cli
SOURCES := shared services cli tests bench examples
# Most tests wait more than they work: more of them at a time than there are cores. Those that run all of Otokura, Whisper
# among it, or kill it, have the machine to themselves.
WORKERS ?= 3
ALONE := tests/e2e tests/security/test_whole_system.py tests/fault
# Demo and tests start many processes. Where bytecode may not be kept each of them compiles 1,500 modules: 5 s of a core.
export PYTHONDONTWRITEBYTECODE :=
# pyright brings Node.js as a Python package; without this it looks for newer versions of itself.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.local ## Install everything that Otokura runs on into .venv

.PHONY: demo
demo: .venv/.local ## Make two calls, read them, be refused, verify the log
	@$(BIN)/otokura demo

.PHONY: up
up: .venv/.local ## Start Otokura and leave it running until Ctrl-C
	@$(BIN)/otokura up

.PHONY: test
test: .venv/.test .cache/sounds/complete ## Pass every test, on real local servers
	@echo "The engine contract on openai-whisper is left out here: make test-openai runs it."
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not openai" $(ALONE:%=--ignore %)
	$(BIN)/pytest $(ALONE)

.PHONY: test-openai
test-openai: .venv-openai/.openai .cache/sounds/complete ## The engine contract on OpenAI's own Whisper (PyTorch: 5 GB; LEAVE_OUT=slow halves it)
	.venv-openai/bin/pytest -m "openai$(LEAVE_OUT:%= and not %)" tests/contract/engine

.PHONY: test-kafka
test-kafka: .venv/.test .cache/kafka/complete ## The integration and contract tests that depend on the broker, on Apache Kafka 4
	OTOKURA_TEST_KAFKA=apache $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "kafka and not any_broker" tests/contract tests/integration

.PHONY: lint
lint: .venv/.lint ## Check style, types and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory --jobs=3 --output-sync mypy pyright lint-imports

.PHONY: mypy pyright lint-imports
mypy pyright lint-imports:
	$(BIN)/$@

.PHONY: format
format: .venv/.lint ## Rewrite the code in the one style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: helm-test
helm-test: .venv/.test ## Lint, render and validate the chart
	$(BIN)/pytest tests/unit/deploy

.PHONY: sabotage
sabotage: .venv/.test ## Break a guarantee, one line at a time: each must turn its test red
	$(BIN)/python tests/sabotage/run.py

.PHONY: bench-%
bench-%: .venv/.test ## One measurement, one JSON line (bench/README.md)
	@$(BIN)/python bench/$(subst -,_,$*).py

bench-redact: .venv/.examples

.PHONY: kafka
kafka: .venv/.local .cache/kafka/complete ## Run an Apache Kafka 4 until Ctrl-C
	@$(BIN)/otokura kafka

.PHONY: calls
calls: .venv/.examples ## Speak the sample calls in examples/ again
	$(BIN)/python examples/make_calls.py

.PHONY: schemas
schemas: .venv/.local ## Write docs/asyncapi.yaml and the JSON Schema of each event again
	$(BIN)/otokura schemas docs

.PHONY: requirements
requirements: .venv/.local ## Pin the packages again; UPGRADE=1 takes the newest
	scripts/compile-requirements $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Delete what was set up and cached; .otokura (your data) stays
	rm -rf .venv .venv-openai .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/.local: requirements/uv.txt requirements/local.txt $(DISTRIBUTIONS:%=%/pyproject.toml)
	@scripts/install local
	@touch $@

.venv/.test: .venv/.local requirements/test.txt
	@scripts/install test
	@touch $@

.venv-openai/.openai: .venv/.test requirements/openai.txt
	@scripts/install openai
	@touch $@

.venv/.lint: .venv/.test requirements/lint.txt
	@scripts/install lint
	@touch $@

.venv/.examples: .venv/.local requirements/examples.txt
	@scripts/install examples
	@touch $@

.cache/sounds/complete:
	@scripts/fetch-sounds

.cache/kafka/complete: tests/kafka/pom.xml
	@scripts/fetch-kafka
