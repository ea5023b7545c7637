"""What a JPEG holds beside its pixels: in its segments (ITU-T T.81, annex B), and behind its end."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from app.core.exceptions import ImageError
from app.images.containers.jpeg import jpeg_segments
from app.images.metadata.blocks import Blocks
from app.images.metadata.findings import Finding, PrivacyFact

MAX_PICTURES = 8
# A video is looked for in so many bytes behind the picture.
_TAIL_BYTES = 4 * 1024 * 1024

_COMMENT, _JFIF, _EXIF, _PROFILE, _PHOTOSHOP, _ADOBE = 0xFE, 0xE0, 0xE1, 0xE2, 0xED, 0xEE
_APPLICATION = range(0xE0, 0xF0)
# JPGn and RES: no one uses them, so whatever stands there is no part of the picture (T.81, table B.1).
_RESERVED = frozenset({*range(0xF0, 0xFE), *range(0x02, 0xC0), 0xC8})
_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP_HEADER = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENDED_XMP_FIELDS_BYTES = 40
_ADOBE_BYTES = 12
_THUMBNAIL_SIZE = slice(12, 14)
_PICTURE_START = re.compile(rb"\x00*(?=\xff\xd8\xff)")
_VIDEO_BRAND_AT = 4


def find_in_jpeg(content: bytes) -> Iterator[Finding]:
    """The findings of every picture in the file; those of the first come first."""
    blocks = Blocks()
    end = yield from _find_in_segments(content, blocks)
    for _ in range(MAX_PICTURES):
        following = _PICTURE_START.match(content, end)
        if not following:
            break
        yield Finding(PrivacyFact.SECOND_PICTURES)
        try:
            end = following.end() + (yield from _find_in_segments(content[following.end() :], blocks))
        except ImageError:
            return
    if end < len(content):
        yield from _find_in_tail(content, end)


def _find_in_segments(content: bytes, blocks: Blocks) -> Generator[Finding, None, int]:
    """Returns the offset of the picture's end."""
    resources = []
    end = 0
    for marker, start, end in jpeg_segments(content):
        if marker in _APPLICATION:
            payload = content[start + 4 : end]
            if marker == _PHOTOSHOP and payload.startswith(b"Photoshop 3.0\0"):
                resources.append(payload[14:])
            else:
                yield from _find_in_application(marker, payload, blocks)
        elif marker == _COMMENT and end > start + 4:
            yield Finding(PrivacyFact.COMMENTS)
        elif marker in _RESERVED:
            yield Finding(PrivacyFact.APPLICATION_DATA)
    # Resources longer than a segment go on in the next.
    if resources:
        yield from blocks.photoshop(b"".join(resources))
    return end


def _find_in_application(marker: int, payload: bytes, blocks: Blocks) -> Iterator[Finding]:
    if marker == _JFIF and payload.startswith(b"JFIF\0"):
        if any(payload[_THUMBNAIL_SIZE]):
            yield Finding(PrivacyFact.THUMBNAIL)
    elif marker == _JFIF and payload.startswith(b"JFXX\0"):
        yield Finding(PrivacyFact.THUMBNAIL)
    elif marker == _EXIF and payload.startswith(b"Exif\0"):
        yield from blocks.exif(payload)
    elif marker == _EXIF and payload.startswith(_XMP_HEADER):
        yield from blocks.xmp(payload.removeprefix(_XMP_HEADER))
    elif marker == _EXIF and payload.startswith(_EXTENDED_XMP_HEADER):
        yield from blocks.xmp(payload[len(_EXTENDED_XMP_HEADER) + _EXTENDED_XMP_FIELDS_BYTES :])
    elif marker == _PROFILE and payload.startswith(b"ICC_PROFILE\0"):
        yield Finding(PrivacyFact.ICC_PROFILE)
    elif marker == _PROFILE and payload.startswith(b"MPF\0"):
        yield Finding(PrivacyFact.SECOND_PICTURES)
    elif marker != _ADOBE or not payload.startswith(b"Adobe") or len(payload) > _ADOBE_BYTES:
        yield Finding(PrivacyFact.APPLICATION_DATA)


def _find_in_tail(content: bytes, end: int) -> Iterator[Finding]:
    """Phones hang the video of a motion photo behind it, some with words of their own before."""
    yield Finding(PrivacyFact.TRAILING_BYTES)
    if content.find(b"ftyp", end + _VIDEO_BRAND_AT, end + _TAIL_BYTES) >= 0:
        yield Finding(PrivacyFact.VIDEO)
    if content.find(b"\xff\xd8\xff", end, end + _TAIL_BYTES) >= 0:
        yield Finding(PrivacyFact.SECOND_PICTURES)
