"""The broker's access lists of a feed: its readers, and nobody else, on its topic and its consumer groups.

aiokafka has the requests (KIP-140) and no method of its own for them. An authorizer that denies by default
(`StandardAuthorizer` with `allow.everyone.if.no.acl.found=false`) is what makes them hold.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Any, NamedTuple, cast

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    SecurityDisabled,
    UnsupportedVersionError,
    for_code,
)
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from otokura.shared.errors import Unavailable

_ANY = 1
_ALLOW = 3
_SOON_SECONDS, _LOOK_SECONDS = 3.0, 0.1


class Resource(IntEnum):
    """Of which a list speaks (`org.apache.kafka.common.resource.ResourceType`)."""

    TOPIC = 2
    GROUP = 3


class Pattern(IntEnum):
    """How a name is meant (`PatternType`)."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What is allowed (`AclOperation`)."""

    READ = 3
    DESCRIBE = 8


class Binding(NamedTuple):
    """One line of a list. `host` is `*`: where a reader comes from is the network's business."""

    resource: int
    name: str
    pattern: int
    principal: str
    host: str
    operation: int
    permission: int


class NoAcls(Exception):  # noqa: N818 - a fact about the broker
    """The broker has no authorizer, or does not know these requests."""


def wanted(topic: str, principals: Iterable[str]) -> frozenset[Binding]:
    """The lines of a feed: READ and DESCRIBE on the topic, and on groups that begin with its name."""
    places = ((Resource.TOPIC, Pattern.LITERAL), (Resource.GROUP, Pattern.PREFIXED))
    return frozenset(
        Binding(resource, topic, pattern, principal, "*", operation, _ALLOW)
        for principal in principals
        for resource, pattern in places
        for operation in Operation
    )


async def check_kept(client: AIOKafkaAdminClient) -> None:
    """Whether the broker keeps lists: by taking a line off that there never is.

    To be asked what there is would not do: Tansu, which keeps none, answers that there is nothing.

    Raises:
        NoAcls: it keeps none.
        Unavailable: it does not let us change them.
    """
    nobody = Binding(
        Resource.TOPIC, "otokura.feed", Pattern.LITERAL, "User:nobody", "*", Operation.READ, _ALLOW
    )
    for result in (await _ask(client, DeleteAclsRequest(*nobody))).filter_responses:
        _check(result[0])


async def existing(client: AIOKafkaAdminClient, topic: str) -> frozenset[Binding]:
    """The lines that name this topic, or groups that begin with its name.

    Raises:
        NoAcls: the broker keeps none.
        Unavailable: it does not let us see them.
    """
    found: set[Binding] = set()
    anybody: Any = None
    for resource, pattern in ((Resource.TOPIC, Pattern.LITERAL), (Resource.GROUP, Pattern.PREFIXED)):
        request = DescribeAclsRequest(resource, topic, pattern, anybody, anybody, _ANY, _ANY)
        answer = await _ask(client, request)
        _check(answer.error_code)
        for kind, name, how, lines in answer.resources:
            found |= {Binding(kind, name, how, *line) for line in lines}
    return frozenset(found)


async def replace(client: AIOKafkaAdminClient, topic: str, principals: Collection[str]) -> None:
    """Makes the lists name exactly these readers; who may no longer read is taken off first.

    Raises:
        NoAcls: the broker keeps none.
        Unavailable: it does not let us change them, or they are not as they should be afterwards.
    """
    await check_kept(client)
    there, asked = await existing(client, topic), wanted(topic, principals)
    for binding in sorted(there - asked):
        answer = await _ask(client, DeleteAclsRequest(*binding))
        for result in answer.filter_responses:
            _check(result[0])
    for binding in sorted(asked - there):
        answer = await _ask(client, CreateAclsRequest(*binding))
        for result in answer.creation_responses:
            _check(result[0])
    if not await _became(client, topic, asked):
        raise Unavailable("The broker's access lists are not as they were set; somebody else changes them.")


async def _became(client: AIOKafkaAdminClient, topic: str, asked: frozenset[Binding]) -> bool:
    """Whether the lists are so, at once or soon: a broker's copy follows the controller's a moment later."""
    deadline = time.monotonic() + _SOON_SECONDS
    while await existing(client, topic) != asked:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


async def _ask(client: AIOKafkaAdminClient, request: Any) -> Any:
    try:
        return await client._send_request(request)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
    except (IncompatibleBrokerVersion, UnsupportedVersionError) as error:
        raise NoAcls from error


def _check(code: int) -> None:
    error = cast("type[Exception]", for_code(code))
    if error is SecurityDisabled:
        raise NoAcls
    if code:
        raise Unavailable(f"The broker's access lists could not be changed: {error.__name__}.")
