"""A customer's key is RSA of 3072 bits or more, and opens what was wrapped for it, alone."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import ValidationError

import customer
from otokura.shared.customer_keys import PADDING, copy_for
from otokura.shared.events import TenantSettings
from otokura.shared.keys import new_dek


def test_a_public_key_is_a_setting() -> None:
    pem = customer.public_pem()
    assert TenantSettings(customer_key=pem).customer_key == pem
    kept = TenantSettings.model_validate_json(TenantSettings(customer_key=pem).model_dump_json())
    assert kept.customer_key == pem
    assert TenantSettings().customer_key is None


@pytest.mark.parametrize(
    ("pem", "wrong"),
    [
        ("", "PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "PEM"),
        (customer.public_pem(customer.private_key(bits=2048)), "3072"),
        (
            ec.generate_private_key(ec.SECP256R1())
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "RSA",
        ),
    ],
    ids=["empty", "damaged", "short", "no RSA"],
)
def test_another_key_is_refused(pem: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        TenantSettings(customer_key=pem)


def test_a_private_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    pem = customer.key_file(tmp_path).read_text()
    with pytest.raises(ValidationError) as refusal:
        TenantSettings(customer_key=pem)
    assert "public key" in refusal.value.errors(include_input=False)[0]["msg"]


def test_only_the_holder_opens(tmp_path: Path) -> None:
    dek = new_dek()
    key_sha256, wrapped = copy_for(customer.public_pem(), dek)
    assert dek not in wrapped
    assert customer.private_key().decrypt(wrapped, PADDING) == dek
    with pytest.raises(ValueError, match=r"[Dd]ecryption"):
        customer.private_key(1).decrypt(wrapped, PADDING)
    public = customer.private_key().public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_sha256 == hashlib.sha256(der).hexdigest()
    del tmp_path


def test_openssl_opens_it_too(tmp_path: Path) -> None:
    """Without Otokura: the customer does not depend on us."""
    dek = new_dek()
    _, wrapped = copy_for(customer.public_pem(), dek)
    options = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", str(customer.key_file(tmp_path))]
    for option in options:
        command += ["-pkeyopt", option]
    assert subprocess.run(command, input=wrapped, capture_output=True, check=True).stdout == dek
