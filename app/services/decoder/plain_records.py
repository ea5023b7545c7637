"""Records as plain JSON values and back, checked by their own type hints: what comes from a worker may be anything."""

from __future__ import annotations

import dataclasses
import types
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


class NotSuchRecord(ValueError):
    """The plain value is no such record."""


def to_plain(value: Any) -> Any:
    """A record, or a value in one, without its bytes: those travel beside it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    named = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {name: to_plain(each) for name, each in named if not isinstance(each, bytes)}


def from_plain(kind: type[Record], plain: Any, body: bytes = b"") -> Record:
    """The record of this kind; the field that holds bytes, if it has one, becomes `body`.

    Raises:
        NotSuchRecord: a field is missing, unknown, or of another type.
    """
    if not isinstance(plain, dict):
        raise NotSuchRecord
    record: Any = kind
    hints = _hints(record)
    expected = {name for name, hint in hints.items() if hint is not bytes}
    if plain.keys() != expected:
        raise NotSuchRecord
    values = {name: body if hint is bytes else _value(hint, plain[name]) for name, hint in hints.items()}
    return kind(**values)


def _value(hint: Any, plain: Any) -> Any:
    if isinstance(hint, types.UnionType) or get_origin(hint) is Union:
        kind, absent = get_args(hint)
        assert absent is types.NoneType  # noqa: S101 - records have no other unions
        return None if plain is None else _value(kind, plain)
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint), plain)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_plain(hint, plain)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint, plain)
    if hint is float and type(plain) is int:
        return float(plain)
    # A bool is an int to isinstance.
    if type(plain) is not hint:
        raise NotSuchRecord
    return plain


def _tuple(kinds: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        raise NotSuchRecord
    if kinds[1:] == (Ellipsis,):
        return tuple(_value(kinds[0], each) for each in plain)
    if len(kinds) != len(plain):
        raise NotSuchRecord
    return tuple(_value(kind, each) for kind, each in zip(kinds, plain, strict=True))


def _member(kind: type[Enum], plain: Any) -> Enum:
    try:
        return kind(plain)
    except ValueError:
        raise NotSuchRecord from None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
