"""What a reading rests on, and how each of it ends while the reading is under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from access_grants import Named, broken, give
from access_people import somebody
from access_service import OFFICE, Access, Person, Tenant
from access_streams import slow_reader
from otokura.shared.tokens import LEEWAY

End = Callable[[], None]


class Reading:
    """A tenant with a call, and who reads it by what.

    Args:
        access: where.
        tenant: whose call it is.
        call: the call.
        what: what a grant of it gives.
    """

    def __init__(self, access: Access, tenant: Tenant, call: Named, what: str = "listen") -> None:
        self.access = access
        self.tenant = tenant
        self.call = call
        self.what = what
        self.lead = tenant.person("supervisor")
        self.agent = tenant.person("agent", agent_ids=["a-9"])
        self.officer = tenant.person("evidence-officer")
        self.zone = access.query("SELECT id FROM zones WHERE tenant_id = :id", id=tenant.id)[0].id
        self.who, self.by = self.lead, dict[str, str]()

    def delete(self, who: str, path: str) -> None:
        with self.access.client(who) as client:
            response = client.delete(path, params={"confirm": True})
            assert response.status_code == 204, response.text

    def move_zone(self) -> None:
        path = f"/v1/zones/{self.zone}"
        with self.access.client(self.tenant.admin) as client:
            match = {"If-Match": client.get(path).headers["ETag"]}
            elsewhere = {"networks": ["192.0.2.0/24"]}
            moved = client.put(path, json=elsewhere, headers=match, params={"confirm": True})
            assert moved.status_code == 200, moved.text

    def by_grant(self) -> str:
        grant: str = give(self.access, self.lead, self.agent, self.call, what=[self.what])["id"]
        self.who, self.by = self.agent, {"grant": grant}
        return grant

    def by_glass(self) -> str:
        glass: str = broken(self.access, self.agent, self.officer)["id"]
        self.who = self.agent
        return glass

    def by_session(self) -> str:
        """The supervisor has logged in, and not got a token with a secret; the id of the session."""
        person = somebody(self.tenant)
        tokens: dict[str, str] = person.session()
        self.who = Person(person.id, {}, tokens["access_token"])
        return tokens["session_id"]

    def by_short_token(self) -> float:
        """The reader's token is soon good no more; when."""
        token, over = running_out(self.access, self.who)
        self.who = Person(self.who.id, {}, token)
        return over

    def change(self, statement: str, what: object) -> None:
        self.access.query(statement, id=what)


def running_out(access: Access, who: Person) -> tuple[str, float]:
    """The same token, which in three to four seconds is good no more, and when that is."""
    key = load_pem_private_key(access.token_key_file.read_bytes(), None)
    header = jwt.get_unverified_header(who.token)
    claims = jwt.decode(who.token, options={"verify_signature": False})
    # What ended tokens before, as an accepted invitation does, would end one that says an earlier second.
    access.query("UPDATE principals SET tokens_since = NULL WHERE id = :id", id=who.id)
    over = int(time.time()) + 4
    exp = over - int(LEEWAY.total_seconds())
    made: dict[str, Any] = claims | {"iat": exp - 60, "exp": exp}
    return jwt.encode(made, key, header["alg"], header), float(over)  # type: ignore[arg-type] # Ed25519


def zone_is_deleted(reading: Reading) -> End:
    return lambda: reading.delete(reading.tenant.admin, f"/v1/zones/{reading.zone}")


def zone_ends(reading: Reading) -> End:
    return lambda: reading.change("UPDATE zones SET valid_until = now() WHERE id = :id", reading.zone)


def zone_is_moved(reading: Reading) -> End:
    return reading.move_zone


def grant_is_revoked(reading: Reading) -> End:
    grant = reading.by_grant()
    return lambda: reading.delete(reading.lead.token, f"/v1/grants/{grant}")


def grant_expires(reading: Reading) -> End:
    grant = reading.by_grant()
    return lambda: reading.change("UPDATE grants SET expires_at = now() WHERE id = :id", grant)


def giver_of_the_grant_goes(reading: Reading) -> End:
    reading.by_grant()
    return lambda: reading.delete(reading.tenant.admin, f"/v1/principals/{reading.lead.id}")


def broken_glass_is_ended(reading: Reading) -> End:
    glass = reading.by_glass()
    return lambda: reading.delete(reading.officer.token, f"/v1/break-glass/{glass}")


def minutes_of_broken_glass_pass(reading: Reading) -> End:
    glass = reading.by_glass()
    return lambda: reading.change("UPDATE break_glass SET until = now() WHERE id = :id", glass)


def reader_is_paused(reading: Reading) -> End:
    return lambda: reading.change("UPDATE principals SET paused_at = now() WHERE id = :id", reading.who.id)


def session_expires(reading: Reading) -> End:
    session = reading.by_session()
    return lambda: reading.change("UPDATE sessions SET expires_at = now() WHERE id = :id", session)


def session_is_idle(reading: Reading) -> End:
    session = reading.by_session()
    idle = "UPDATE sessions SET used_at = used_at - interval '1 hour' WHERE id = :id"
    return lambda: reading.change(idle, session)


def token_without_a_session_runs_out(reading: Reading) -> End:
    over = reading.by_short_token()
    return lambda: time.sleep(max(0.0, over - time.time()))


def get(reading: Reading, path: str) -> bytes:
    """What the reader sends to get something."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: access\r\nX-Forwarded-For: {OFFICE}\r\n"
        f"Authorization: Bearer {reading.who.token}\r\n\r\n"
    ).encode()


def received_until(access: Access, request: bytes, end: End) -> int:
    """Bytes that a reader gets who takes some, waits for the end of what permitted it, and takes the rest."""
    with slow_reader(access) as connection:
        connection.sendall(request)
        head = connection.recv(4096)
        assert head.startswith(b"HTTP/1.1 200"), head
        end()
        time.sleep(0.5)
        received = len(head)
        while chunk := connection.recv(65536):
            received += len(chunk)
    return received
