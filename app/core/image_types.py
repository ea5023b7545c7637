"""The table of image types: which exist, under which prefix, who may see them, how large they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.core.engine_settings import (
    PresetSizes,
    VariantFormat,
    check_formats,
    check_presets,
    check_variant_count,
    check_widths,
)
from app.core.setting_checks import NamedFault, parse_json_object

PREFIX_PATTERN = r"^[a-z][a-z0-9_-]{0,31}$"
NAME_PATTERN = PREFIX_PATTERN

# Prefixes of the bucket that are not image types and must never become one.
RESERVED_PREFIXES = frozenset({"variants", "incoming", "private", "pending"})


class Visibility(StrEnum):
    """Who may fetch an image of this type: anyone, or its owner and admins."""

    PUBLIC = "public"
    PRIVATE = "private"


class ImageType(BaseModel):
    """One kind of image. Limits and variants left out fall back to the service's own; empty ones mean none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str = Field(pattern=PREFIX_PATTERN)
    visibility: Visibility = Visibility.PUBLIC
    max_upload_bytes: int | None = Field(default=None, ge=1)
    max_stored_side_pixels: int | None = Field(default=None, ge=16, le=16_383)
    variant_widths: tuple[int, ...] | None = None
    variant_formats: tuple[VariantFormat, ...] | None = None
    variant_presets: PresetSizes | None = None

    @field_validator("variant_widths")
    @classmethod
    def _check_widths(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None:
            check_widths(value)
        return value

    @field_validator("variant_formats")
    @classmethod
    def _check_formats(cls, value: tuple[VariantFormat, ...] | None) -> tuple[VariantFormat, ...] | None:
        if value is not None:
            check_formats(value)
        return value

    @field_validator("variant_presets", mode="before")
    @classmethod
    def _check_presets(cls, value: object) -> object:
        return check_presets(value) if isinstance(value, dict) else value


ImageTypes = Mapping[str, ImageType]

_VARIANT_PARTS = ("variant_widths", "variant_presets", "variant_formats")

# The plural is written down, never derived: property → properties.
DEFAULT_IMAGE_TYPES: ImageTypes = MappingProxyType(
    {
        "user": ImageType(prefix="users"),
        "property": ImageType(prefix="properties"),
        "room": ImageType(prefix="rooms"),
    }
)


def find_table_fault(types: ImageTypes) -> str | None:
    """What is wrong with the table as a whole, or None: prefixes are distinct and not reserved."""
    prefixes = [image_type.prefix for image_type in types.values()]
    if reserved := sorted(RESERVED_PREFIXES.intersection(prefixes)):
        return f"prefix {reserved[0]!r} is reserved"
    if repeated := sorted({prefix for prefix in prefixes if prefixes.count(prefix) > 1}):
        return f"prefix {repeated[0]!r} belongs to more than one type"
    return None


def check_variants_of_types(types: ImageTypes, settings: Mapping[str, Any]) -> None:
    """Returns when no type makes too many variants, its own widths, formats and presets before those of the settings.

    Settings that are missing had a fault of their own.

    Raises:
        ValueError: a type makes too many; a `NamedFault` where that is the settings' doing alone.
    """
    for name, kind in types.items():
        own = {part: getattr(kind, part) for part in _VARIANT_PARTS}
        used = [settings.get(part) if mine is None else mine for part, mine in own.items()]
        counts = [len(values) for values in used if values is not None]
        if len(counts) < len(_VARIANT_PARTS):
            continue
        try:
            check_variant_count(*counts)
        except ValueError as error:
            if all(mine is None for mine in own.values()):
                raise NamedFault("VARIANT_WIDTHS", str(error)) from None
            raise ValueError(f"type {name!r} {error}") from None


def parse_image_types(text: str) -> dict[str, ImageType]:
    """The built-in types with those of a JSON object added or changed.

    Raises:
        ValueError: the text is not such an object; the message says where.
    """
    entries = parse_json_object(text, "type name → prefix, visibility, limits")
    types = dict(DEFAULT_IMAGE_TYPES)
    faults: list[str] = []
    for name, entry in entries.items():
        try:
            types[name] = _parse_image_type(name, entry, types.get(name))
        except ValueError as error:
            faults.append(str(error))
    if table_fault := find_table_fault(types):
        faults.append(table_fault)
    if faults:
        raise ValueError("; ".join(faults))
    return types


def _parse_image_type(name: str, entry: object, known: ImageType | None) -> ImageType:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"type name {name!r} must match {NAME_PATTERN}")
    if not isinstance(entry, dict):
        raise ValueError(f"type {name!r} must be a JSON object")
    try:
        return ImageType.model_validate((known.model_dump() if known else {}) | entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        fault = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"type {name!r}: {'.'.join(map(str, first['loc']))}: {fault}") from None
