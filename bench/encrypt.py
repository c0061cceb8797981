"""Our cipher against raw AES-256-GCM and against Google's `tink`, on the same buffers in one run.

Each message is sealed and opened whole, bytes to bytes, in 64 KiB segments. `raw` is `cryptography`'s AESGCM
over the same segments with nothing around it; `tink` is Google's streaming AEAD, with the same segment size,
through its Python interface. Bars, for both directions: at least 0.25 of raw, and at least 3 times tink; the
latter not for a message of one segment, where what a message costs once, the same for both, weighs most.
Prints one JSON line; exits 1 below a bar.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from otokura.shared import cipher
from otokura.shared.segments import REST_BYTES

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from tink_peer import TinkStream

SMALL = 64 * 1024
SIZES = {"64KiB": SMALL, "160kB": 160_000, "960kB": 960_000, "16MiB": 16 * 1024 * 1024}
"""One segment; five seconds and half a minute of two telephone channels as PCM; an hour as FLAC."""
ROUNDS = 15
WORK_BYTES = 32 * 1024 * 1024
RAW_BAR, TINK_BAR = 0.25, 3.0
BINDING = b"tenant|call|recording"


def main() -> int:
    """Measures, prints, and says whether the bars are met."""
    results = {name: measure(size) for name, size in SIZES.items()}
    met = all(
        figure["of_raw"] >= RAW_BAR and (figure["times_tink"] >= TINK_BAR or SIZES[name] == SMALL)
        for name, directions in results.items()
        for figure in directions.values()
    )
    bars = {"of_raw": RAW_BAR, "times_tink": TINK_BAR}
    print(json.dumps({"bench": "encrypt", "bars": bars, "met": met, "sizes": results}))
    return 0 if met else 1


def measure(size: int) -> dict[str, dict[str, float]]:
    """GB/s of the three, interleaved so that they share whatever else the machine does."""
    key, plaintext = os.urandom(32), os.urandom(size)
    raw, peer = AESGCM(key), TinkStream(key)
    sealed = cipher.encrypt(key, plaintext, BINDING)
    assert peer.decrypt(sealed, BINDING) == plaintext
    pieces = [raw.encrypt(bytes(12), piece, None) for piece in segments(plaintext, REST_BYTES)]
    return {
        "encrypt": compare(
            size,
            ours=lambda: cipher.encrypt(key, plaintext, BINDING),
            raw=lambda: [raw.encrypt(bytes(12), p, None) for p in segments(plaintext, REST_BYTES)],
            tink=lambda: peer.encrypt(plaintext, BINDING),
        ),
        "decrypt": compare(
            size,
            ours=lambda: cipher.decrypt(key, sealed, BINDING),
            raw=lambda: [raw.decrypt(bytes(12), piece, None) for piece in pieces],
            tink=lambda: peer.decrypt(sealed, BINDING),
        ),
    }


def segments(data: bytes, size: int) -> list[memoryview]:
    """The buffer in segments, uncopied."""
    view = memoryview(data)
    return [view[start : start + size] for start in range(0, len(data), size)]


def compare(size: int, **contestants: Callable[[], object]) -> dict[str, float]:
    """The best round of each, in GB a second of processor time, as machines are shared; and the ratios."""
    best = dict.fromkeys(contestants, float("inf"))
    times = max(1, WORK_BYTES // size)
    for _ in range(ROUNDS):
        for name, work in contestants.items():
            began = time.process_time()
            for _ in range(times):
                work()
            best[name] = min(best[name], (time.process_time() - began) / times)
    speed = {f"{name}_gb_s": round(size / seconds / 1e9, 2) for name, seconds in best.items()}
    return {
        **speed,
        "of_raw": round(best["raw"] / best["ours"], 2),
        "times_tink": round(best["tink"] / best["ours"], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
