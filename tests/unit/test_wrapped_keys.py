"""No table that keeps wrapped keys can be forgotten when keys are rotated."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
from sqlalchemy import LargeBinary, MetaData, Table

from otokura.shared.wrapped_keys import WrappedKeys
from table_metadata import metadata_of

SERVICES = ["ingest", "transcribe", "access"]


def keeping_wrapped(metadata: MetaData) -> Iterator[Table]:
    for table in metadata.sorted_tables:
        binary = [column for column in table.columns if isinstance(column.type, LargeBinary)]
        if binary and ("kek_id" in table.columns or any("wrapped" in column.name for column in binary)):
            yield table


@pytest.mark.guarantee("S24")
@pytest.mark.parametrize("service", SERVICES)
def test_every_table_with_wrapped_keys_is_rotated(service: str) -> None:
    listed: tuple[WrappedKeys, ...] = importlib.import_module(f"otokura.{service}.wrapped_keys").WRAPPED_KEYS
    found = {table.name for table in keeping_wrapped(metadata_of(service))}
    assert {keys.table.name for keys in listed} == found
    assert found, "a service without wrapped keys needs none of this"


@pytest.mark.parametrize("service", SERVICES)
def test_a_list_names_columns_that_are_there(service: str) -> None:
    listed: tuple[WrappedKeys, ...] = importlib.import_module(f"otokura.{service}.wrapped_keys").WRAPPED_KEYS
    for keys in listed:
        assert isinstance(keys.table.columns[keys.wrapped].type, LargeBinary)
        owner = keys.table.columns[keys.owner]
        assert owner.unique or list(keys.table.primary_key.columns) == [owner]
        assert keys.tenant is not None or "tenant_id" in keys.table.columns


@pytest.mark.guarantee("S24")
def test_who_keeps_no_wrapped_keys_has_no_such_table() -> None:
    assert list(keeping_wrapped(metadata_of("audit"))) == []
