"""A time-stamping authority (RFC 3161): `openssl ts` behind HTTP, with certificates made for the test."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """\
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
"""


@dataclass
class StampingAuthority:
    """What it answers; `root` is the certificate (PEM) that its own leads to."""

    folder: Path
    url: str = ""
    away: bool = False
    most: int | None = None
    """How many answers it gives; then it is away."""
    replayed: bytes | None = None
    """An earlier answer, given again."""
    answers: list[bytes] = field(default_factory=list[bytes])

    @property
    def settings(self) -> dict[str, str]:
        """Of an access that asks it, and believes nobody else."""
        return {"OTOKURA_TIMESTAMP_URL": self.url, "OTOKURA_TIMESTAMP_CA_FILE": str(self.root)}

    def __post_init__(self) -> None:
        key, root = _certificate("Test root", None)
        tsa_key, tsa = _certificate("Test TSA", (key, root))
        self.root = self.folder / "root.pem"
        self.root.write_bytes(root.public_bytes(Encoding.PEM))
        self.folder.joinpath("tsa.pem").write_bytes(tsa.public_bytes(Encoding.PEM))
        pem = tsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.folder.joinpath("tsa.key").write_bytes(pem)
        self.folder.joinpath("serial").write_text("01")
        self.folder.joinpath("tsa.cnf").write_text(_CONFIG.format(folder=self.folder))

    def answer(self, query: bytes) -> bytes:
        """The reply that openssl makes."""
        if self.replayed is not None:
            return self.replayed
        question = self.folder / f"{len(self.answers)}.tsq"
        question.write_bytes(query)
        config = str(self.folder / "tsa.cnf")
        made = subprocess.run(
            ["openssl", "ts", "-reply", "-config", config, "-queryfile", str(question)],
            check=True,
            capture_output=True,
            timeout=30,
        ).stdout
        self.answers.append(made)
        return made

    def verify(self, reply: Path, data: Path) -> str:
        """What `openssl ts -verify` says of a reply about a file."""
        found = subprocess.run(
            ["openssl", "ts", "-verify", "-in", str(reply), "-data", str(data), "-CAfile", str(self.root)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return found.stdout + found.stderr


def _certificate(
    name: str, by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A root, or a certificate for stamping that it signs."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[1].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is not None:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return key, builder.sign(by[0] if by else key, hashes.SHA256())


@contextmanager
def stamping_authority(folder: Path) -> Iterator[StampingAuthority]:
    """It answers on a port of its own."""
    authority = StampingAuthority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            away = authority.away or authority.most == len(authority.answers)
            body = b"" if away else authority.answer(query)
            self.send_response(503 if away else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/tsr"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
