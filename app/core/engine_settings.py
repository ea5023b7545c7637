"""Settings of the image engine: limits on what is sent, what is made of it, and how its decoders are confined."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

from app.core.sandbox_mode import Sandbox as Sandbox
from app.core.setting_checks import parse_json_object

MAX_VARIANT_SIDE = 8192
MAX_WIDTHS = 12
# As many as fit into the 2 KB of facts beside everything else that is kept of an ordinary image.
MAX_VARIANTS = 36
_PRESET_NAME = r"^[a-z][a-z0-9_]{0,31}$"
_SECONDS_MAX = 600.0


class Animation(StrEnum):
    """What becomes of an animation."""

    KEEP = "keep"
    STILL = "still"


class VariantFormat(StrEnum):
    """Formats that variants can have."""

    AVIF = "avif"
    WEBP = "webp"
    JPEG = "jpeg"


class PresetSize(BaseModel):
    """A named size in pixels; `crop` is `none` (fit inside), `centre` or `attention`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(ge=1, le=MAX_VARIANT_SIDE)
    height: int = Field(ge=1, le=MAX_VARIANT_SIDE)
    crop: Literal["none", "centre", "attention"] = "attention"


PresetSizes = dict[str, PresetSize]
Quality = Literal["auto"] | Annotated[int, Field(ge=1, le=100)]

_DEFAULT_PRESETS = {
    "thumb": PresetSize(width=320, height=320),
    "card": PresetSize(width=640, height=480),
    "cover": PresetSize(width=1600, height=900),
}


class EngineSettings(BaseSettings):
    """The part of the settings that the image engine reads. It is loaded as part of `Settings`."""

    max_image_pixels: int = Field(100_000_000, ge=1, le=1_000_000_000, description="Most pixels of a picture sent.")
    max_costly_pixels: int = Field(
        50_000_000,
        ge=1,
        le=1_000_000_000,
        description="The same for progressive JPEG, interlaced PNG, lossless WebP, GIF and HEIC.",
    )
    max_avif_pixels: int = Field(40_000_000, ge=1, le=1_000_000_000, description="The same for AVIF.")
    max_image_side_pixels: int = Field(30_000, ge=1, le=65_535, description="Longest side of a picture sent.")
    max_frames: int = Field(1_000, ge=1, le=100_000, description="Most frames of an animation sent.")
    max_animation_pixels: int = Field(
        100_000_000, ge=1, le=1_000_000_000, description="Most pixels of an animation, all frames together."
    )
    animation: Animation = Field(
        Animation.KEEP, description="`keep`: animations become animated WebP. `still`: their first frame."
    )
    keep_copyright: bool = Field(
        False, description="Keeps copyright and creator of what is sent in the optimised original. All else goes."
    )
    max_stored_side_pixels: int = Field(2560, ge=16, le=16_383, description="Longest side of a picture stored.")
    jpeg_quality: Quality = Field("auto", description="Quality of JPEGs: `auto` or 1 to 100.")
    webp_quality: Quality = Field("auto", description="Quality of lossy WebPs: `auto` or 1 to 100.")
    avif_quality: Quality = Field("auto", description="Quality of AVIFs: `auto` or 1 to 100.")
    quality_target: float = Field(
        75.0, ge=30, le=95, description="SSIMULACRA2 score that `auto` aims at: 70 is high, 80 very high."
    )
    variant_widths: Annotated[tuple[int, ...], NoDecode] = Field(
        (320, 640, 1280, 1920), description="Widths of the variants, comma-separated, or `none`."
    )
    variant_formats: Annotated[tuple[VariantFormat, ...], NoDecode] = Field(
        (VariantFormat.AVIF, VariantFormat.JPEG), description="Formats of the variants, comma-separated."
    )
    variant_presets: Annotated[PresetSizes, NoDecode] = Field(
        default_factory=lambda: dict(_DEFAULT_PRESETS),
        description=(
            "JSON object: named sizes beside the widths, in place of the built-in ones, e.g. "
            '`{"square": {"width": 200, "height": 200, "crop": "centre"}}`. Image types may have their own.'
        ),
    )
    variant_effort: int = Field(0, ge=0, le=9, description="Work per variant: 0 fast, 9 slow and fewer bytes.")
    processing_workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=128,
        description="Worker processes, one picture each at a time. Unset: cores.",
    )
    processing_timeout_seconds: float = Field(
        9.0, gt=0, le=_SECONDS_MAX, description="Longest duration of processing one picture, its wait included."
    )
    processing_max_wait_seconds: float = Field(
        3.0, gt=0, le=_SECONDS_MAX, description="Longest wait for a worker; beyond it the answer is 503."
    )
    processing_memory_bytes: int = Field(
        1024**3, ge=256 * 1024**2, le=64 * 1024**3, description="Most memory of one worker process."
    )
    worker_max_pictures: int = Field(
        300, ge=1, le=1_000_000, description="Pictures after which a worker process is replaced."
    )
    sandbox: Sandbox = Field(
        Sandbox.AUTO,
        description="`strict`: full confinement or no start; `auto`: what the system has; `off`: development only.",
    )

    @field_validator("variant_widths", "variant_formats", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _split(value)

    @field_validator("variant_widths")
    @classmethod
    def _check_widths(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        check_widths(value)
        return value

    @field_validator("variant_formats")
    @classmethod
    def _check_formats(cls, value: tuple[VariantFormat, ...]) -> tuple[VariantFormat, ...]:
        check_formats(value)
        return value

    @field_validator("variant_presets", mode="before")
    @classmethod
    def _parse_presets(cls, value: object) -> object:
        return parse_presets(value) if isinstance(value, str) else value

    @field_validator("jpeg_quality", "webp_quality", "avif_quality", mode="before")
    @classmethod
    def _parse_quality(cls, value: object) -> object:
        text = str(value).strip().lower()
        if text == "auto":
            return text
        if not re.fullmatch(r"\d{1,3}", text, re.ASCII) or not 1 <= int(text) <= 100:
            raise ValueError("must be auto or a whole number from 1 to 100")
        return int(text)

    @field_validator("processing_max_wait_seconds")
    @classmethod
    def _check_wait(cls, value: float, info: ValidationInfo) -> float:
        if value > info.data.get("processing_timeout_seconds", _SECONDS_MAX):
            raise ValueError("must not be longer than PROCESSING_TIMEOUT_SECONDS")
        return value


def check_widths(widths: tuple[int, ...]) -> None:
    """Returns when these can be the widths of variants, in pixels.

    Raises:
        ValueError: too many, the same one twice, or out of range.
    """
    if len(set(widths)) != len(widths) or len(widths) > MAX_WIDTHS:
        raise ValueError(f"must be up to {MAX_WIDTHS} different widths")
    if any(not 1 <= width <= MAX_VARIANT_SIDE for width in widths):
        raise ValueError(f"must be widths from 1 to {MAX_VARIANT_SIDE} pixels")


def check_formats(formats: tuple[VariantFormat, ...]) -> None:
    """Returns when these can be the formats of variants.

    Raises:
        ValueError: none, or the same one twice.
    """
    if not formats or len(set(formats)) != len(formats):
        raise ValueError("must be one or more different formats")


def check_variant_count(widths: int, presets: int, formats: int) -> None:
    """Returns when an image's facts have room to list all its variants.

    Raises:
        ValueError: they are too many.
    """
    count = (widths + presets) * formats
    if count > MAX_VARIANTS:
        raise ValueError(f"makes {count} variants of an image, with presets and formats; {MAX_VARIANTS} are the most")


def parse_presets(text: str) -> dict[str, Any]:
    """The presets of a JSON object, each checked.

    Raises:
        ValueError: the text is not such an object; the message says where.
    """
    return check_presets(parse_json_object(text, "preset name → width, height, crop"))


def check_presets(entries: dict[str, Any]) -> dict[str, PresetSize]:
    """The same presets, as values.

    Raises:
        ValueError: a name or an entry is wrong; the message says which.
    """
    presets: dict[str, PresetSize] = {}
    for name, entry in entries.items():
        if not re.fullmatch(_PRESET_NAME, name):
            raise ValueError(f"preset name {name!r} must match {_PRESET_NAME}")
        try:
            presets[name] = PresetSize.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ValueError(f"preset {name!r}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return presets


def _split(value: object) -> object:
    """The parts of a comma-separated text; none of the text `none`."""
    if not isinstance(value, str):
        return value
    return () if value.strip().lower() == "none" else tuple(part.strip() for part in value.split(",") if part.strip())
