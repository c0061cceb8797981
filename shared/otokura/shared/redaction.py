"""What may stand in a log line: an allow-list of kinds of values, and masks for what slips into strings.

Only plain values pass. Bytes, secrets, models and other objects are named by type, never shown; the values
of keys named like content or secrets are masked; strings are scrubbed of credentials and cut.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from types import NoneType
from typing import Any, cast
from uuid import UUID

from pydantic import SecretBytes, SecretStr

from otokura.shared.errors import OtokuraError

MASK = "[masked]"
MAX_STRING = 1000
MAX_ITEMS = 50
MAX_DEPTH = 5
MAX_FRAMES = 30
MAX_CAUSES = 5

_SECRET_WORDS = {"pwd", "cookie", "dek", "ikm", "jwt", "bearer", "pem", "keyring", "wrapped", "salt"}
_SECRET_PARTS = re.compile(r"secret|passw|token|credential|apikey|authori[sz]ation")
_PERSONAL_WORDS = {"caller", "callee", "phone", "msisdn", "email", "personal", "ani", "dnis"}
_CONTENT_WORDS = {
    "text", "texts", "transcript", "turns", "words", "word", "utterance", "audio", "pcm", "samples",
    "payload", "plaintext", "body", "content", "data", "frame", "frames", "chunk", "vocabulary", "prompt",
    "input",
}  # fmt: skip
_SECRET_PAIRS = re.compile(r"(?:api|private|signing|secret|access|session|data)_key$")
_HARMLESS = re.compile(r"_(?:id|ids|file|kind|type|sha256|seconds|ms|at)$")

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SCRUB = re.compile(
    r"otk_[0-9a-f]{32}_[A-Za-z0-9_-]+"  # our API keys
    r"|eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"  # JWTs
    r"|(?i:(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|(?<=://)[^/\s@]+:[^/\s@]+(?=@)"  # user:password in URLs
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?i:(?:secret|password|passwd|token|api_?key|signature)=)[^\s&;,]+"
    r"|\+\d[\d -]{7,}\d",  # international telephone numbers
    re.DOTALL,
)

_MARKS = ("otk_", "eyj", "bearer", "basic", "://", "-----begin", "=", "+")
"""One of these stands, in lower case, in whatever `_SCRUB` finds: most strings need no more than a look."""


def scrub(text: str) -> str:
    """The text without credentials and telephone numbers, on one line, at most `MAX_STRING` characters."""
    if len(text) > MAX_STRING:
        text = text[:MAX_STRING] + "…"
    return _SCRUB.sub(MASK, text) if any(map(text.lower().__contains__, _MARKS)) else text


def sanitize(key: str, value: object) -> Any:
    """The value as it may stand in a log line under this key."""
    return _masked(key, value) or _plain(value, 0)


def _masked(key: str, value: object) -> str | None:
    """The mask, when a key of this name may not show this value."""
    if value is None or isinstance(value, bool):
        return None
    kind = _kind(key)
    if kind == "secret" or (kind == "content" and not isinstance(value, int | float)):
        return MASK
    return None


_KINDS: dict[str, str] = {}
_MAX_KINDS = 4096


def _kind(key: str) -> str:
    """Whether a key is named like a `secret` (or a person), like `content`, or is `plain`."""
    kind = _KINDS.get(key)
    if kind is None:
        kind = _classify([word.lower() for word in _WORD.findall(key)])
        if len(_KINDS) < _MAX_KINDS:
            _KINDS[key] = kind
    return kind


def _classify(words: list[str]) -> str:
    found, joined = set(words), "_".join(words)
    if found & _PERSONAL_WORDS:
        return "secret"
    if _HARMLESS.search(joined):
        return "plain"
    if found & _SECRET_WORDS or _SECRET_PARTS.search(joined) or _SECRET_PAIRS.search(joined):
        return "secret"
    return "content" if found & _CONTENT_WORDS else "plain"


def _plain(value: object, depth: int) -> Any:
    """The value in JSON's kinds, with everything that is not plainly harmless named by its type."""
    for kinds, show in _SHOWN:
        if isinstance(value, kinds):
            return show(value)
    return _collection(value, depth)


def _collection(value: object, depth: int) -> Any:
    name = type(value).__name__
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        items = list(cast("Mapping[object, object]", value).items())[:MAX_ITEMS]
        return {scrub(str(key)): _masked(str(key), item) or _plain(item, depth + 1) for key, item in items}
    if isinstance(value, list | tuple | set | frozenset) and depth < MAX_DEPTH:
        return [_plain(item, depth + 1) for item in list(cast("list[object]", value))[:MAX_ITEMS]]
    return f"<{name}>"


def describe(error: BaseException) -> dict[str, Any]:
    """An exception for the log: its type, where it was raised, its causes.

    The message is shown only when it is ours (`OtokuraError` promises harmless text) or the operating
    system's; other libraries quote values in theirs (pydantic the input, PostgreSQL the row).
    """
    seen: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(seen) < MAX_CAUSES:
        seen.append(_one(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    described = seen[0]
    if len(seen) > 1:
        described["causes"] = seen[1:]
    return described


def _one(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    described: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, OtokuraError):
        described["message"] = scrub(error.detail)
    elif isinstance(error, OSError) and error.strerror:
        described["message"] = scrub(error.strerror)
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        described["group"] = [_one(inner) for inner in group.exceptions[:MAX_CAUSES]]
    return described


# The first that fits counts: a StrEnum is a str, a bool is an int, a datetime is a date.
_SHOWN: list[tuple[tuple[type, ...], Callable[[Any], Any]]] = [
    ((NoneType, bool, float), lambda value: value),
    ((Enum,), lambda value: scrub(str(value.value))),
    ((int,), int),
    ((str,), scrub),
    ((bytes, bytearray, memoryview), lambda value: f"[{len(value)} bytes]"),
    ((SecretStr, SecretBytes), lambda _: MASK),
    ((date,), lambda value: value.isoformat()),
    ((UUID, IPv4Address, IPv6Address, IPv4Network, IPv6Network, timedelta), str),
    ((PurePath,), lambda value: scrub(str(value))),
    ((BaseException,), describe),
]
