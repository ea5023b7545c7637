"""What a PNG holds beside its pixels: in its chunks (https://www.w3.org/TR/png-3/#11Chunks), and behind its end.

"Raw profile type" texts are ImageMagick's: EXIF, IPTC and XMP as hexadecimal digits.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from app.images.containers.png import png_chunks
from app.images.metadata.blocks import MAX_BLOCKS, Blocks
from app.images.metadata.findings import Finding, PrivacyFact
from app.images.metadata.texts import decode_text

MAX_TEXT_BYTES = 256 * 1024

# What makes up the picture, its colours and its size on paper.
_PICTURE = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT cICP mDCV cLLI bKGD hIST pHYs sTER acTL".split())
_FRAMES = frozenset({b"fcTL", b"fdAT"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_XMP_KEYWORDS = frozenset({b"XML:com.adobe.xmp", b"Raw profile type xmp"})
_RAW_PROFILE = b"Raw profile type "
_RAW_PROFILE_LINES = 3
_KEYWORDS = {
    b"author": PrivacyFact.CREATOR,
    b"artist": PrivacyFact.CREATOR,
    b"copyright": PrivacyFact.COPYRIGHT,
    b"comment": PrivacyFact.COMMENTS,
    b"creation time": PrivacyFact.DATES,
    b"description": PrivacyFact.DESCRIPTIONS,
    b"title": PrivacyFact.DESCRIPTIONS,
    b"software": PrivacyFact.SOFTWARE,
    b"source": PrivacyFact.CAMERA,
}


def find_in_png(content: bytes) -> Iterator[Finding]:
    """The findings of every chunk in the order of the file; of texts beyond `MAX_BLOCKS` only that they are there."""
    blocks = Blocks()
    texts = 0
    end = 0
    for kind, start, end in png_chunks(content):
        if kind in _PICTURE:
            continue
        if kind in _TEXTS:
            yield Finding(PrivacyFact.TEXT)
            texts += 1
            if texts <= MAX_BLOCKS:
                yield from _find_in_text(kind, content[start + 8 : end - 4], blocks)
        elif kind == b"eXIf":
            yield from blocks.exif(content[start + 8 : end - 4])
        else:
            yield Finding(_fact_of(kind))
    if end < len(content):
        yield Finding(PrivacyFact.TRAILING_BYTES)


def _fact_of(kind: bytes) -> PrivacyFact:
    if kind == b"iCCP":
        return PrivacyFact.ICC_PROFILE
    if kind == b"tIME":
        return PrivacyFact.DATES
    return PrivacyFact.SECOND_PICTURES if kind in _FRAMES else PrivacyFact.APPLICATION_DATA


def _find_in_text(kind: bytes, payload: bytes, blocks: Blocks) -> Iterator[Finding]:
    keyword, _, rest = payload.partition(b"\0")
    text = _unpack(kind, rest)
    if keyword in _XMP_KEYWORDS:
        yield from blocks.xmp(_raw_profile(text) if keyword.startswith(_RAW_PROFILE) else text)
    elif keyword.startswith(_RAW_PROFILE):
        yield from _find_in_raw_profile(keyword.removeprefix(_RAW_PROFILE), _raw_profile(text), blocks)
    elif (fact := _KEYWORDS.get(keyword.lower())) and text.strip():
        yield Finding(fact, decode_text(text) if fact in {PrivacyFact.CREATOR, PrivacyFact.COPYRIGHT} else "")


def _find_in_raw_profile(kind: bytes, profile: bytes, blocks: Blocks) -> Iterator[Finding]:
    if kind in {b"exif", b"APP1"}:
        yield from blocks.exif(profile)
    elif kind in {b"iptc", b"8bim"}:
        yield from blocks.iptc(profile)
    elif kind in {b"icc", b"icm"}:
        yield Finding(PrivacyFact.ICC_PROFILE)


def _unpack(kind: bytes, rest: bytes) -> bytes:
    """The first `MAX_TEXT_BYTES` of a chunk's text, whatever they would unpack to."""
    if kind == b"tEXt":
        return rest[:MAX_TEXT_BYTES]
    if kind == b"zTXt":
        return _inflate(rest[1:])
    is_compressed = rest[:1] == b"\1"
    # Language and translated keyword end with a NUL each.
    text = b"".join(rest[2:].split(b"\0", 2)[2:])
    return _inflate(text) if is_compressed else text[:MAX_TEXT_BYTES]


def _inflate(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, MAX_TEXT_BYTES)
    except zlib.error:
        return b""


def _raw_profile(text: bytes) -> bytes:
    """A name and a length, each in a line, then digits; nothing when they are no digits."""
    lines = text.lstrip(b"\n").split(b"\n", _RAW_PROFILE_LINES - 1)
    try:
        return bytes.fromhex(lines[-1].decode("ascii")) if len(lines) == _RAW_PROFILE_LINES else b""
    except ValueError:
        return b""
