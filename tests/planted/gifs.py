"""GIFs with canaries in every extension, among the pixels' blocks, and behind their end."""

from __future__ import annotations

import io

from tests.pictures import photo
from tests.planted.blocks import profile, xmp_packet
from tests.planted.registry import HEIGHT, WIDTH, XMP_FACTS, mark, plant

TRAILER = b";"


def make_gif(*, frames: int = 1) -> bytes:
    pictures = [photo(WIDTH, HEIGHT, seed=at).quantize(32) for at in range(frames)]
    target = io.BytesIO()
    pictures[0].save(target, "GIF", save_all=frames > 1, append_images=pictures[1:], duration=80, loop=0)
    return target.getvalue()


def with_extensions(content: bytes, *extensions: bytes) -> bytes:
    """The GIF with extensions before its first frame."""
    at = 13 + (3 << (content[10] & 7) + 1)
    return content[:at] + b"".join(extensions) + content[at:]


def sub_blocks(payload: bytes) -> bytes:
    parts = [payload[at : at + 255] for at in range(0, len(payload), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def comment(text: bytes) -> bytes:
    return b"!\xfe" + sub_blocks(text)


def application(name: bytes, payload: bytes) -> bytes:
    return b"!\xff\x0b" + name + payload


@plant("gif comments", "comments")
def _(name: str) -> bytes:
    content = with_extensions(make_gif(), comment(mark(name, "first")))
    return content.removesuffix(TRAILER) + comment(mark(name, "last")) + TRAILER


@plant("gif plain text", "text")
def _(name: str) -> bytes:
    grid = b"\x0c" + bytes(8) + b"\x08\x08\x01\x00"
    return with_extensions(make_gif(), b"!\x01" + grid + sub_blocks(mark(name, "text")))


@plant("gif applications", "application_data", "icc_profile")
def _(name: str) -> bytes:
    return with_extensions(
        make_gif(),
        application(b"OWNPROG1.00", sub_blocks(mark(name, "own"))),
        application(b"ICCRGBG1012", sub_blocks(profile(name))),
        b"!\x99" + sub_blocks(mark(name, "unknown")),
    )


@plant("gif xmp", also=XMP_FACTS)
def _(name: str) -> bytes:
    ramp = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    return with_extensions(make_gif(), application(b"XMP DataXMP", xmp_packet(name) + ramp))


@plant("gif animation", "comments")
def _(name: str) -> bytes:
    return with_extensions(make_gif(frames=3), comment(mark(name, "comment")))


@plant("gif trailing bytes", "trailing_bytes")
def _(name: str) -> bytes:
    return make_gif() + mark(name, "end")


@plant("gif behind its pixels")
def _(name: str) -> bytes:
    """A block that follows the coded pixels of the only frame."""
    content = make_gif()
    assert content.endswith(b"\0" + TRAILER)
    return content[:-2] + sub_blocks(mark(name, "pixels")) + TRAILER


@plant("gif unused colours")
def _(name: str) -> bytes:
    """Entries of the table of colours that no pixel uses, spelling a text."""
    content = make_gif()
    colours = content[13 : 13 + 3 * 32] + mark(name, "table").ljust(3 * 32, b".")
    flags = content[10] & ~7 | 5
    return content[:10] + bytes([flags]) + content[11:13] + colours + content[13 + 3 * 32 :]
