"""GIF: its blocks, and what they say of the picture (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTooManyFrames, ImageTruncated
from app.images.containers.reading import MAX_READABLE_FRAMES, TOO_MANY_PARTS, Kept, Reading

# Kinds of blocks, and labels of extensions (their second byte).
IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B
CONTROL, COMMENT, PLAIN_TEXT, APPLICATION = 0xF9, 0xFE, 0x01, 0xFF
# An animation has two blocks per frame.
MAX_GIF_BLOCKS = 3 * MAX_READABLE_FRAMES
_SCREEN_BYTES, _DESCRIPTOR_BYTES = 13, 10
_SCREEN = struct.Struct("<6xHH")
# A screen cannot be larger.
_MAX_SIDE = 0xFFFF
_DESCRIPTOR = struct.Struct("<xHHHH")
# Old writers put the size of their own monitor here. libnsgif does not believe these, nor larger ones.
_MISTRUSTED_SCREENS = frozenset({(640, 480), (640, 512), (800, 600), (1024, 768), (1280, 1024), (1600, 1200)})
_MAX_TRUSTED_SIDE = 2048
_MAX_SIDE = 0xFFFF
_TABLE_FOLLOWS = 0x80
# The one application that plays a part: how often the animation repeats.
_LOOPS = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")
_PADDING = re.compile(rb"\x00*")
# A chain of sub-blocks and its terminator. Whole ones first: they are most. Possessive, so that nothing is remembered
# for going back; millions of sub-blocks take a tenth of a second.
_SUB_BLOCKS = re.compile(
    b"(?s:%s)*+\\x00" % b"|".join(b"\\x%02x.{%d}" % (size, size) for size in (255, *range(1, 255)))
)


def gif_blocks(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Each block behind the screen's colours, up to and with the trailer, as (kind, start, end) with its sub-blocks.

    Kinds are `IMAGE`, `EXTENSION` and `TRAILER`; the label of an extension is the byte at `start` + 1. Zero bytes
    between blocks, which some writers leave, are passed over.

    Raises:
        ImageTruncated: the bytes end before the trailer.
        ImageCorrupt: something else stands where a block must, or there are more than `MAX_GIF_BLOCKS`.
    """
    at = _screen_end(content)
    for _ in range(MAX_GIF_BLOCKS):
        kind = content[at : at + 1]
        if kind == b"!":
            chain_start = at + 2
        elif kind == b",":
            flags = content[at + 9] if at + 9 < len(content) else 0
            chain_start = at + _DESCRIPTOR_BYTES + _table_bytes(flags) + 1
        elif kind == b"\0":
            at = _PADDING.match(content, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            continue
        elif kind == b";":
            yield TRAILER, at, at + 1
            return
        else:
            raise ImageCorrupt if kind else ImageTruncated
        chain = _SUB_BLOCKS.match(content, chain_start)
        if not chain:
            raise ImageTruncated
        yield kind[0], at, chain.end()
        at = chain.end()
    raise ImageCorrupt(TOO_MANY_PARTS)


def _screen_end(content: bytes) -> int:
    """Where the first block begins: behind the screen's size and its table of colours."""
    if len(content) < _SCREEN_BYTES:
        raise ImageTruncated
    return _SCREEN_BYTES + _table_bytes(content[10])


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & _TABLE_FOLLOWS else 0


def read_gif(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Comments, text and applications are dropped, but for the loop.

    The canvas is the screen, or reaches to the edges of the first frame where they lie outside, as browsers have it.
    """
    kept = Kept(content)
    kept.keep(0, _screen_end(content))
    width = height = frames = 0
    for kind, start, end in gif_blocks(content):
        if kind == IMAGE:
            left, top, across, down = _DESCRIPTOR.unpack_from(content, start)
            if not frames:
                width, height = _canvas(content, left + across, top + down)
            is_outside = left + across > width or top + down > height or max(width, height) > _MAX_SIDE
            if not across or not down or is_outside:
                raise ImageCorrupt
            frames += 1
            if frames > MAX_READABLE_FRAMES:
                raise ImageTooManyFrames
        elif kind == EXTENSION and not _is_extension_kept(content, start):
            continue
        kept.keep(start, end)
    if not frames:
        raise ImageCorrupt
    decodable = kept.joined()
    if _SCREEN.unpack_from(content) != (width, height):
        decodable = decodable[:6] + struct.pack("<HH", width, height) + decodable[10:]
    return Reading(width, height, frames=frames, is_costly=True, decodable=decodable)


def _canvas(content: bytes, right: int, bottom: int) -> tuple[int, int]:
    """Width and height of the whole animation; `right` and `bottom` are the edges of its first frame.

    Decoders that take some screens for a mistake would cut the later frames down to the first: such a screen becomes
    one pixel wider, or is refused where nothing helps.
    """
    width, height = _SCREEN.unpack_from(content)
    if max(right, bottom) > _MAX_SIDE:
        raise ImageCorrupt
    if not width or not height:
        return right, bottom
    is_covered = right >= width and bottom >= height
    width, height = max(width, right), max(height, bottom)
    if is_covered:
        return width, height
    if max(width, height) > _MAX_TRUSTED_SIDE:
        raise ImageFormatUnsupported("The file is a large GIF whose first frame is smaller, which is not accepted.")
    return (width + 1 if (width, height) in _MISTRUSTED_SCREENS else width), height


def _is_extension_kept(content: bytes, start: int) -> bool:
    label = content[start + 1]
    return label == CONTROL or (label == APPLICATION and content.startswith(_LOOPS, start + 2))
