"""No table that names calls can be forgotten when a call is erased."""

from __future__ import annotations

import pytest

from erasures import GONE, KEPT
from table_metadata import metadata_of


@pytest.mark.guarantee("Z3")
@pytest.mark.parametrize("service", GONE)
def test_every_table_that_names_calls_goes_with_them_or_is_known_to_stay(service: str) -> None:
    """The tests of each service's erasures look into all that are to go."""
    naming = {table.name for table in metadata_of(service).sorted_tables if "call_id" in table.columns}
    if service == "ingest":
        naming.add("calls")
    assert naming == {*GONE[service], *KEPT[service]}
