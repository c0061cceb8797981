"""The steps of a rotation. Whichever is interrupted, the command run again goes on from there.

    make new keys → say so → (services wrap everything anew) → destroy the old keys → say so

Nothing is lost at any of them: until every service has said that it needs the old keys no more, they exist;
what was made and not yet said is one more old key for the rotation that comes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from otokura.cli.api.http import Api, ApiError
from otokura.cli.keys.keks import KekStore

LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0
"""How long a service may take to learn of a new key, such as one in a Secret of Kubernetes."""

Tell = Callable[[str], None]


def newest(api: Api) -> dict[str, Any] | None:
    """The rotation that was begun last, finished or not."""
    found = api.json("GET", "/v1/key-rotations?limit=1")["items"]
    return found[0] if found else None


def rotate(api: Api, keks: KekStore, tell: Tell, grace: float) -> None:
    """Goes on with the rotation that is open, or begins one, and brings it to its end.

    Args:
        api: access, as an operator.
        keks: makes and destroys the keys.
        tell: prints a line.
        grace: seconds between the last service's word and the destruction, for what was read out of a
            database just before and has yet to be opened.

    Raises:
        ApiError: access refuses.
        KeyringError: the keyring cannot be used.
        Unavailable: the key provider cannot be reached, or refuses.
    """
    rotation = newest(api)
    if rotation is None or rotation["state"] == "done":
        rotation = _begin(api, keks, tell)
    else:
        tell(f"Going on with rotation {rotation['id']}.")
    rotation = _until_rewrapped(api, rotation, tell)
    time.sleep(grace)
    keks.destroy(rotation["retiring"])
    _until_known(lambda: api.json("POST", f"/v1/key-rotations/{rotation['id']}/completion"))
    tell(f"Destroyed {len(rotation['retiring'])} old keys: what only they wrapped opens no more.")


def _begin(api: Api, keks: KekStore, tell: Tell) -> dict[str, Any]:
    kek_id = keks.make()
    tell(f"New keys wrap from now on{f': {kek_id}' if kek_id else ''}.")
    # One key for all attempts: it is begun once, whatever happens on the way.
    once = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"kek_id": kek_id} if kek_id else {}
    rotation = _until_known(lambda: api.json("POST", "/v1/key-rotations", json=body, headers=once))
    tell(f"Rotation {rotation['id']}: {len(rotation['retiring'])} old keys are to be destroyed.")
    return rotation


def _until_known(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, once access knows what was done to the keys: its copy of a keyring may be older."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except ApiError as error:
            later = error.status == HTTPStatus.SERVICE_UNAVAILABLE or error.code == "keys-in-use"
            if not later or time.monotonic() > deadline:
                raise
        time.sleep(LOOK_SECONDS)


def _until_rewrapped(api: Api, rotation: dict[str, Any], tell: Tell) -> dict[str, Any]:
    last = ""
    while True:
        if (said := describe(rotation)) != last:
            tell(said)
            last = said
        if rotation["state"] != "rewrapping":
            return rotation
        time.sleep(LOOK_SECONDS)
        rotation = api.json("GET", f"/v1/key-rotations/{rotation['id']}")


def describe(rotation: dict[str, Any]) -> str:
    """How far a rotation is, in words."""
    if rotation["state"] == "done":
        return f"Done: {len(rotation['retiring'])} old keys were destroyed at {rotation['destroyed_at']}."
    if rotation["state"] == "rewrapped":
        return "Everything is wrapped anew; the old keys are still to be destroyed."
    return "; ".join(_part(name, told) for name, told in sorted(rotation["services"].items())) + "."


def _part(name: str, told: dict[str, Any] | None) -> str:
    if told is None:
        return f"{name} has not begun"
    if told["finished"]:
        return f"{name} has finished"
    unreadable = f", {told['unreadable']} unreadable (see its log)" if told["unreadable"] else ""
    return f"{name} has {told['remaining']} keys to go{unreadable}"
