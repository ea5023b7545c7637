"""Facts of an image as S3 user metadata: ASCII values, well under the 2 KB that S3 allows in all.

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

MAX_METADATA_BYTES = 2048
_MAX_FILE_NAME_BYTES = 150
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '%"\\')


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a stored image. Objects that others wrote lack some: those are None.

    Sizes are in pixels and bytes; `sha256` is the hex digest of the stored bytes.
    """

    image_type: str | None = None
    owner: str | None = None
    file_name: str | None = None
    uploaded_at: datetime | None = None
    width: int | None = None
    height: int | None = None
    format: ImageFormat | None = None
    has_alpha: bool | None = None
    sha256: str | None = None
    source_format: ImageFormat | None = None
    source_width: int | None = None
    source_height: int | None = None
    source_file_size: int | None = None
    source_frames: int | None = None

    def to_metadata(self) -> dict[str, str]:
        """S3 user metadata, without the facts that are None."""
        texts = {
            "image-type": self.image_type,
            "owner": _encode(self.owner),
            "file-name": _encode(self.file_name),
            "uploaded-at": self.uploaded_at and format_time(self.uploaded_at),
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "has-alpha": None if self.has_alpha is None else str(self.has_alpha).lower(),
            "sha256": self.sha256,
            "source-format": self.source_format,
            "source-width": self.source_width,
            "source-height": self.source_height,
            "source-file-size": self.source_file_size,
            "source-frames": self.source_frames,
        }
        return {name: str(value) for name, value in texts.items() if value is not None}

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
            has_alpha={"true": True, "false": False}.get(found.get("has-alpha", "")),
            sha256=_find_digest(found.get("sha256")),
            source_format=_find_format(found.get("source-format")),
            source_width=_find_int(found.get("source-width")),
            source_height=_find_int(found.get("source-height")),
            source_file_size=_find_int(found.get("source-file-size")),
            source_frames=_find_int(found.get("source-frames")),
        )


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


def _encode(text: str | None) -> str | None:
    return None if text is None else quote(text, safe=_SAFE)


def _decode(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _find_int(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _find_digest(text: str | None) -> str | None:
    return text if text and re.fullmatch(r"[0-9a-f]{64}", text) else None


def _find_format(text: str | None) -> ImageFormat | None:
    return ImageFormat(text) if text in {member.value for member in ImageFormat} else None


def _find_time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None
