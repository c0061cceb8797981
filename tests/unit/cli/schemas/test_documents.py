"""What is published about events is what the services send, and what AsyncAPI says a document is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from otokura.cli.__main__ import app
from otokura.cli.schemas.command import DOCUMENT, documents, incompatible
from otokura.cli.schemas.events import event_types
from otokura.shared.events import CallErased
from otokura.shared.feeds import FeedTranscriptCompleted, FeedTranscriptPartial

DOCS = Path(__file__).parents[4] / "docs"
OFFICIAL = json.loads((Path(__file__).parent / "asyncapi-3.0.0.json").read_text())
TYPES = event_types()


def published() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCS / DOCUMENT).read_text())
    return loaded


@pytest.mark.guarantee("T68")
def test_what_is_committed_is_what_the_models_say() -> None:
    """If this fails: `make schemas`, which refuses what would break readers."""
    assert incompatible(DOCS) == []
    made = documents()
    assert sorted(made) == sorted([DOCUMENT, *(f"schemas/{path.name}" for path in DOCS.glob("schemas/*"))])
    assert [name for name, content in made.items() if (DOCS / name).read_text() != content] == []


def test_the_document_is_asyncapi_3() -> None:
    """By the schema that the AsyncAPI Initiative publishes."""
    validator = jsonschema.Draft7Validator(OFFICIAL)
    assert list(validator.iter_errors(published())) == []
    broken = copy.deepcopy(published())
    broken["operations"]["send-feed"]["action"] = "emit"
    assert list(validator.iter_errors(broken)) != []


def test_every_event_has_a_message_a_channel_and_a_schema() -> None:
    document = published()
    assert sorted(document["components"]["messages"]) == [one.name for one in TYPES]
    shown = {ref["$ref"] for channel in document["channels"].values() for ref in channel["messages"].values()}
    assert shown == {f"#/components/messages/{one.name}" for one in TYPES}
    for message in document["components"]["messages"].values():
        assert (DOCS / message["payload"]["schema"]["$ref"]).is_file()


@pytest.mark.parametrize("one", TYPES, ids=lambda one: one.name)
def test_every_schema_is_a_json_schema(one: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(one.schema())


def test_a_feed_carries_transcripts_live_text_and_erasures() -> None:
    messages = published()["channels"]["feed"]["messages"]
    expected = {FeedTranscriptCompleted, FeedTranscriptPartial, CallErased}
    assert set(messages) == {model.__name__ for model in expected}


def test_writing_refuses_what_breaks_readers(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["schemas", str(tmp_path)]).exit_code == 0
    file = tmp_path / "schemas" / "otokura.call.ended.v1.json"
    before = json.loads(file.read_text())
    before["properties"]["reason"] = {"type": "string"}
    file.write_text(json.dumps(before))
    refused = run(app, ["schemas", str(tmp_path)])
    assert (refused.exit_code, "otokura.call.ended.v1: $.reason: removed" in refused.output) == (1, True)
    assert json.loads(file.read_text()) == before
    assert run(app, ["schemas", str(tmp_path), "--allow-breaks"]).exit_code == 0
    assert incompatible(tmp_path) == []


def test_a_type_that_is_gone_breaks_readers(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "otokura.fax.received.v1.json").write_text("{}")
    assert incompatible(tmp_path) == ["otokura.fax.received.v1: the type is gone"]
