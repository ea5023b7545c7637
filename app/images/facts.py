"""Facts of an image as S3 user metadata: ASCII values, within the 2 KB that S3 allows in all.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from app.images.formats import ImageFormat
from app.images.records import FocalPoint
from app.images.variant_lists import ListedVariant, format_variants, parse_variants

MAX_METADATA_BYTES = 2048
# Some stores count each name as it goes over the wire.
NAME_PREFIX = "x-amz-meta-"
# The store adds an id of its own to each write.
RESERVED_BYTES = 64
# What goes first when there is too much, the least needed first: the thumbhash tells what the blurhash does, a name of
# its own shows as the key's. After all of these, variants go from the end of their list.
DROPPED_IN_ORDER = (
    "blurhash", "file-name", "kept", "removed", "dhash", "focal-point", "dominant-color", "thumbhash",
)  # fmt: skip
_MAX_FILE_NAME_BYTES = 150
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '%"\\')
_NOTHING = "-"
_THUMBHASH = r"[A-Za-z0-9+/]{4,48}"
_BLURHASH = r"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,100}"
_NAMES = r"[a-z0-9_]{1,32}(,[a-z0-9_]{1,32})*"
_FRACTION = r"(?:0(?:\.\d{1,4})?|1)"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a stored image. Objects that others wrote, or that are older, lack some: those are None.

    Sizes are in pixels and bytes; `sha256` is the hex digest of the stored bytes. `removed` and `kept` are the privacy
    receipt. The placeholders are as in `PictureFacts`.
    """

    image_type: str | None = None
    owner: str | None = None
    file_name: str | None = None
    uploaded_at: datetime | None = None
    width: int | None = None
    height: int | None = None
    format: ImageFormat | None = None
    has_alpha: bool | None = None
    is_animated: bool | None = None
    sha256: str | None = None
    thumbhash: str | None = None
    blurhash: str | None = None
    dominant_color: str | None = None
    dhash: str | None = None
    focal_point: FocalPoint | None = None
    removed: tuple[str, ...] | None = None
    kept: tuple[str, ...] | None = None
    source_format: ImageFormat | None = None
    source_width: int | None = None
    source_height: int | None = None
    source_file_size: int | None = None
    source_frames: int | None = None
    variants: tuple[ListedVariant, ...] | None = None

    def to_metadata(self) -> dict[str, str]:
        """S3 user metadata, without the facts that are None, and without the least needed ones where it would not fit.

        What goes is `DROPPED_IN_ORDER`, then the last of the variants. What an image cannot be told without stays.
        """
        texts: dict[str, object] = {
            "image-type": self.image_type,
            "owner": _encode(self.owner),
            "file-name": _encode(self.file_name),
            "uploaded-at": self.uploaded_at and format_time(self.uploaded_at),
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "has-alpha": _format_bool(self.has_alpha),
            "is-animated": _format_bool(self.is_animated),
            "sha256": self.sha256,
            "thumbhash": self.thumbhash,
            "blurhash": self.blurhash,
            "dominant-color": self.dominant_color,
            "dhash": self.dhash,
            "focal-point": self.focal_point and _format_point(self.focal_point),
            "removed": _format_names(self.removed),
            "kept": _format_names(self.kept),
            "source-format": self.source_format,
            "source-width": self.source_width,
            "source-height": self.source_height,
            "source-file-size": self.source_file_size,
            "source-frames": self.source_frames,
            "variants": None if self.variants is None else format_variants(self.variants) or _NOTHING,
        }
        return _fit({name: str(value) for name, value in texts.items() if value is not None})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Facts:
        """The facts that some metadata holds; what is missing or unreadable is None, never an error."""
        found = {name.lower(): value for name, value in metadata.items()}
        return cls(
            image_type=found.get("image-type"),
            owner=_decode(found.get("owner")),
            file_name=clean_file_name(_decode(found.get("file-name"))),
            uploaded_at=_find_time(found.get("uploaded-at")),
            width=_find_int(found.get("width")),
            height=_find_int(found.get("height")),
            format=_find_format(found.get("format")),
            has_alpha=_find_bool(found.get("has-alpha")),
            is_animated=_find_bool(found.get("is-animated")),
            sha256=_find(r"[0-9a-f]{64}", found.get("sha256")),
            thumbhash=_find(_THUMBHASH, found.get("thumbhash")),
            blurhash=_find(_BLURHASH, found.get("blurhash")),
            dominant_color=_find(r"#[0-9a-f]{6}", found.get("dominant-color")),
            dhash=_find(r"[0-9a-f]{16}", found.get("dhash")),
            focal_point=_find_point(found.get("focal-point")),
            removed=_find_names(found.get("removed")),
            kept=_find_names(found.get("kept")),
            source_format=_find_format(found.get("source-format")),
            source_width=_find_int(found.get("source-width")),
            source_height=_find_int(found.get("source-height")),
            source_file_size=_find_int(found.get("source-file-size")),
            source_frames=_find_int(found.get("source-frames")),
            variants=parse_variants(found["variants"]) if "variants" in found else None,
        )


def metadata_bytes(metadata: Mapping[str, str]) -> int:
    """What a store counts, at most: names with their prefix, and values, all ASCII."""
    return sum(len(NAME_PREFIX) + len(name) + len(value) for name, value in metadata.items())


def format_time(moment: datetime) -> str:
    """UTC with microseconds and no zone, as the API shows it: "2024-12-01T14:30:22.123456"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def clean_file_name(claimed: str | None) -> str | None:
    """The last path segment of a claimed file name without control and direction characters, cut to 150 UTF-8 bytes."""
    if not claimed:
        return None
    segment = re.split(r"[/\\]", claimed)[-1]
    plain = "".join(character for character in segment if unicodedata.category(character)[0] != "C").strip()
    short = plain.encode()[:_MAX_FILE_NAME_BYTES].decode(errors="ignore").strip()
    return None if short in {"", ".", ".."} else short


def _fit(metadata: dict[str, str]) -> dict[str, str]:
    room = MAX_METADATA_BYTES - RESERVED_BYTES
    for name in DROPPED_IN_ORDER:
        if metadata_bytes(metadata) <= room:
            return metadata
        metadata.pop(name, None)
    while (excess := metadata_bytes(metadata) - room) > 0 and metadata.get("variants", _NOTHING) != _NOTHING:
        listed = metadata["variants"]
        # One character more: when that is a space, what stands before it is whole.
        metadata["variants"] = listed[: max(0, len(listed) - excess + 1)].rpartition(" ")[0] or _NOTHING
    return metadata


def _encode(text: str | None) -> str | None:
    return None if text is None else quote(text, safe=_SAFE)


def _decode(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _format_bool(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _format_names(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else ",".join(names) or _NOTHING


def _format_point(point: FocalPoint) -> str:
    return f"{round(point.x, 4):g},{round(point.y, 4):g}"


def _find(pattern: str, text: str | None) -> str | None:
    return text if text and re.fullmatch(pattern, text, re.ASCII) else None


def _find_int(text: str | None) -> int | None:
    return int(text) if _find(r"\d{1,18}", text) and text else None


def _find_bool(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get(text or "")


def _find_names(text: str | None) -> tuple[str, ...] | None:
    if text == _NOTHING:
        return ()
    return tuple(text.split(",")) if _find(_NAMES, text) and text else None


def _find_point(text: str | None) -> FocalPoint | None:
    if not text or not _find(rf"{_FRACTION},{_FRACTION}", text):
        return None
    x, _, y = text.partition(",")
    return FocalPoint(float(x), float(y))


def _find_format(text: str | None) -> ImageFormat | None:
    return ImageFormat(text) if text in {member.value for member in ImageFormat} else None


def _find_time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None
