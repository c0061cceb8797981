"""Whether whoever reads events by an older schema can read those of a newer one, and the other way round.

Additive changes only: a new member that may be missing, a new choice beside those that there are, a new type
of event. Nothing is removed, renamed, newly required or narrowed. Readers take a value they do not know in an
enumeration for "something else" (docs/analytics.md), so a new one is no break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "const", "multipleOf", "uniqueItems")


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a new schema breaks, each with a path to the place; none when it is compatible."""
    return list(_Comparison(old, new).compare(old, new, "$"))


class _Comparison:
    """Two documents, since `$ref` is resolved in the document in which it stands."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str]] = set()

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """What `new` breaks that `old` promised at this place."""
        references = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(references):
            if references in self._seen:
                return
            self._seen.add(references)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._choices(old, new, path)
            return
        yield from _types(old, new, path)
        yield from _limits(old, new, path)
        yield from self._members(old, new, path)
        for name in ("items", "additionalProperties"):
            yield from self._inside(old.get(name), new.get(name), f"{path}.{name}")

    def _members(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        yield from (f"{path}.{name}: removed" for name in before if name not in after)
        required = set(new.get("required", [])) - set(old.get("required", []))
        yield from (f"{path}.{name}: newly required" for name in sorted(required))
        for name in before.keys() & after.keys():
            yield from self.compare(before[name], after[name], f"{path}.{name}")

    def _inside(self, old: Any, new: Any, path: str) -> Iterator[str]:
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self.compare(cast("Schema", old), cast("Schema", new), path)
        elif old in (None, True) and new not in (None, True):
            yield f"{path}: narrowed"

    def _choices(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """Each old choice must be good for a new one; the path of the least broken one is told."""
        for number, choice in enumerate(old.get("anyOf", [old])):
            tried = [list(self._apart(choice, other, path)) for other in new.get("anyOf", [new])]
            if not any(not found for found in tried):
                yield from min(tried, key=len, default=[f"{path}: choice {number} is gone"])

    def _apart(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """A comparison that leaves no trace: another choice may be tried with the same references."""
        fresh = _Comparison(self._old, self._new)
        fresh._seen = set(self._seen)
        yield from fresh.compare(old, new, path)


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
    return schema


def _types(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = _type_names(old), _type_names(new)
    if after and (not before or not before <= _widened(after)):
        yield f"{path}: type {sorted(before) or 'any'} became {sorted(after)}"
    if "enum" in new and not set(map(str, old.get("enum", ["\0"]))) <= set(map(str, new["enum"])):
        yield f"{path}: a value of the enumeration is gone"


def _type_names(schema: Schema) -> set[str]:
    named = schema.get("type", [])
    return {named} if isinstance(named, str) else set(named)


def _widened(types: set[str]) -> set[str]:
    return types | ({"integer"} if "number" in types else set())


def _limits(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for name in _LOWER_BOUNDS:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{path}: {name} is narrower"
    for name in _UPPER_BOUNDS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{path}: {name} is narrower"
    for name in _EXACT:
        if name in new and new[name] != old.get(name):
            yield f"{path}: {name} changed"
