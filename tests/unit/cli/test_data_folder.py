"""The data folder: what is secret is for its owner alone, and stays the same from start to start."""

from __future__ import annotations

import json
import socket
import stat
import threading
from pathlib import Path

import pytest

from otokura.cli.credentials import Credentials, Principal
from otokura.cli.local import ports
from otokura.cli.local.layout import SERVICES, Layout
from otokura.cli.local.ports import becomes_free, choose_ports, free_ports
from otokura.cli.local.private import signing_key, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.guarantee("K2")
def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    layout.prepare()
    credentials = Credentials(principals={"vendor": Principal(id="1", client_secret="s")})
    credentials.write(layout.credentials)
    files = [path for path in layout.folder.rglob("*") if path.is_file()]
    assert {mode(path) for path in files} == {0o600}
    assert mode(layout.private) == 0o700
    # PostgreSQL's user must reach its own folder, and see nothing on the way.
    assert mode(layout.folder) == 0o711


def test_a_second_start_finds_the_secrets_of_the_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = layout.prepare()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert layout.prepare() == first
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_no_two_secrets_are_alike(tmp_path: Path) -> None:
    secrets = Layout(tmp_path).prepare()
    values = [secrets.postgres, *secrets.databases.values(), *secrets.store.values()]
    assert len(set(values)) == len(values)
    keys = {signing_key(Layout(tmp_path).audit_key(service)).private_bytes_raw() for service in SERVICES}
    assert len(keys) == len(SERVICES)


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    remembered = tmp_path / "ports.json"
    first = choose_ports(["s3", "kafka"], given={}, remembered=remembered)
    assert choose_ports(["s3", "kafka"], given={}, remembered=remembered) == first
    with socket.create_server(("127.0.0.1", first["s3"])):
        second = choose_ports(["s3", "kafka"], given={}, remembered=remembered)
    assert second["kafka"] == first["kafka"]
    assert second["s3"] != first["s3"]
    assert json.loads(remembered.read_text()) == second


def test_a_port_that_is_given_is_taken_or_refused(tmp_path: Path) -> None:
    remembered = tmp_path / "ports.json"
    wanted = free_ports(1)[0]
    assert choose_ports(["s3"], given={"s3": wanted}, remembered=remembered) == {"s3": wanted}
    with socket.create_server(("127.0.0.1", wanted)), pytest.raises(ValueError, match=f"s3={wanted}"):
        choose_ports(["s3"], given={"s3": wanted}, remembered=remembered)
    with pytest.raises(ValueError, match="no port is called web"):
        choose_ports(["s3"], given={"web": 8000}, remembered=remembered)


def test_a_port_is_waited_for_while_somebody_lets_go_of_it() -> None:
    port = free_ports(1)[0]
    held = socket.create_server(("127.0.0.1", port))
    assert not becomes_free(port, seconds=0)
    release = threading.Timer(0.1, held.close)
    release.start()
    assert becomes_free(port, seconds=60)
    release.join()


def test_internal_ports_never_meet_the_public_ones() -> None:
    assert max(free_ports(50)) < min(free_ports(50, internal=True))


def test_no_port_is_given_twice_before_it_can_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers that are about to start never get the same one; when all were given, it begins anew."""
    monkeypatch.setattr(ports, "PUBLIC", range(20_000, 20_300))
    monkeypatch.setattr(ports, "_given", set())
    chosen = [port for _ in range(10) for port in free_ports(20)]
    assert len(set(chosen)) == 200
    assert len(set(free_ports(150))) == 150
