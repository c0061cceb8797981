"""An independent verifier of Otokura's log: public files and public keys in, a report out.

It shares no code with the services that write the log; it rests on hashlib, cryptography and httpx.
"""

from otokura.cli.verify.cosignatures import Witnesses
from otokura.cli.verify.erasures import Erased, verify_erasure
from otokura.cli.verify.evidence import Evidence, verify_evidence
from otokura.cli.verify.findings import Code, Cosignature, Finding, Report, VerificationError
from otokura.cli.verify.log import verify_log
from otokura.cli.verify.merkle import is_consistent
from otokura.cli.verify.notes import Checkpoint, make_vkey, open_checkpoint, parse_vkey
from otokura.cli.verify.receipts import Verified, verify_inclusion, verify_receipt

__all__ = [
    "Checkpoint",
    "Code",
    "Cosignature",
    "Erased",
    "Evidence",
    "Finding",
    "Report",
    "VerificationError",
    "Verified",
    "Witnesses",
    "is_consistent",
    "make_vkey",
    "open_checkpoint",
    "parse_vkey",
    "verify_erasure",
    "verify_evidence",
    "verify_inclusion",
    "verify_log",
    "verify_receipt",
]
