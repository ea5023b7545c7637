"""PNGs with canaries in every chunk that may hold metadata, in frames of animations, and behind their end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.pictures import make_png, png_chunk, png_header, png_of
from tests.planted.blocks import exif_block, iptc_records, photoshop_resources, profile, xmp_packet
from tests.planted.registry import FULL_EXIF_FACTS, HEIGHT, WIDTH, XMP_FACTS, mark, plant

END = png_chunk(b"IEND", b"")


def png_with(*chunks: tuple[bytes, bytes], **options: Any) -> bytes:
    return make_png(WIDTH, HEIGHT, chunks=chunks, **options)


@plant("png texts", "text", "creator", "copyright", "comments", "descriptions", "software")
def _(name: str) -> bytes:
    packed, packed_title = zlib.compress(mark(name, "packed")), zlib.compress(mark(name, "packed title"))
    title = b"\0".join([b"Title", b"\0", mark(name, "language"), mark(name, "translated"), mark(name, "title")])
    return png_with(
        *((b"tEXt", key + b"\0" + mark(name, key.decode())) for key in (b"Author", b"Copyright", b"Software")),
        (b"tEXt", mark(name, "keyword") + b"\0 "),
        (b"zTXt", b"Comment\0\0" + packed),
        (b"iTXt", title),
        (b"iTXt", b"Description\0\1\0\0\0" + packed_title),
    )


@plant("png alpha with texts", "text", "comments")
def _(name: str) -> bytes:
    return png_with((b"tEXt", b"Comment\0" + mark(name, "comment")), mode="RGBA")


@plant("png palette with texts", "text", "comments")
def _(name: str) -> bytes:
    return png_with((b"tEXt", b"Comment\0" + mark(name, "comment")), mode="P")


@plant("png xmp", "text", also=XMP_FACTS)
def _(name: str) -> bytes:
    return png_with((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_packet(name)))


@plant("png packed xmp", "text", also=XMP_FACTS)
def _(name: str) -> bytes:
    return png_with((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp_packet(name))))


@plant("png raw profiles", "text", "icc_profile", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return png_with(
        raw_profile(b"exif", b"Exif\0\0" + exif_block(name)),
        raw_profile(b"iptc", photoshop_resources(f"{name} resources")),
        raw_profile(b"8bim", iptc_records(f"{name} records")),
        raw_profile(b"xmp", xmp_packet(f"{name} packet")),
        raw_profile(b"icc", profile(name)),
    )


def raw_profile(kind: bytes, block: bytes) -> tuple[bytes, bytes]:
    """A block as ImageMagick writes it: hexadecimal digits in lines of 72, deflated."""
    digits = block.hex().encode()
    lines = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = b"\n%s\n%8d\n%s\n" % (kind, len(block), lines)
    return b"zTXt", b"Raw profile type " + kind + b"\0\0" + zlib.compress(text)


@plant("png exif", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return png_with((b"eXIf", exif_block(name)))


@plant("png turned", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return png_with((b"eXIf", exif_block(name, orientation=8)))


@plant("png profile", "icc_profile")
def _(name: str) -> bytes:
    return png_with((b"iCCP", mark(name, "name") + b"\0\0" + zlib.compress(profile(name))))


@plant("png chunks", "application_data", "dates")
def _(name: str) -> bytes:
    return png_with(
        (b"prVt", mark(name, "private")),
        (b"caBX", mark(name, "credentials")),
        (b"sPLT", mark(name, "palette") + b"\0\x08" + mark(name, "colours").ljust(60, b".")),
        (b"pCAL", mark(name, "calibration") + b"\0" + bytes(10)),
        (b"tIME", b"\x07\xe8\x0c\x01\x0e\x1e\x16"),
    )


@plant("png late chunks", "application_data", "text", "comments")
def _(name: str) -> bytes:
    """Behind the pixels."""
    late = png_chunk(b"tEXt", b"Comment\0" + mark(name, "comment")) + png_chunk(b"mkBT", mark(name, "private"))
    return png_with().removesuffix(END) + late + END


@plant("png animation", "second_pictures")
def _(name: str) -> bytes:
    """A frame that the first one hides, its pixels spelling a text."""
    content = make_png(WIDTH, HEIGHT, frames=2).removesuffix(END)
    pixels = mark(name, "pixels").ljust(WIDTH * 3, b".")
    frame = png_chunk(b"fdAT", b"\0\0\0\3" + zlib.compress((b"\0" + pixels) * HEIGHT) + mark(name, "frame"))
    return content + frame + END


@plant("png trailing bytes", "trailing_bytes")
def _(name: str) -> bytes:
    return png_with() + mark(name, "end")


@plant("png trailing chunk", "trailing_bytes")
def _(name: str) -> bytes:
    return png_with() + png_chunk(b"tEXt", b"Comment\0" + mark(name, "end")) + END


@plant("png unused colours")
def _(name: str) -> bytes:
    """Entries of the palette that no pixel uses, spelling a text; packed better than our encoders would."""
    chance = np.random.default_rng(1)
    used = 32
    indices = np.clip(chance.normal(used / 2, used / 8, (HEIGHT, WIDTH)), 0, used - 1).astype(np.uint8)
    indices[0, :used] = range(used)
    colours = chance.integers(0, 256, 3 * used, np.uint8).tobytes() + mark(name, "palette").ljust(3 * 20, b".")
    packing = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    pixels = packing.compress(b"".join(b"\0" + row.tobytes() for row in indices)) + packing.flush()
    header = png_header(WIDTH, HEIGHT, colour_type=3)
    return png_of([(b"IHDR", header), (b"PLTE", colours), (b"IDAT", pixels), (b"IEND", b"")])


@plant("png suggested colours")
def _(name: str) -> bytes:
    """A palette in a picture that has none to use."""
    content = png_with()
    at = content.index(b"IDAT") - 4
    return content[:at] + png_chunk(b"PLTE", mark(name, "palette").ljust(60, b".")) + content[at:]


@plant("png behind its pixels")
def _(name: str) -> bytes:
    """Bytes that follow the deflated pixels inside their chunk."""
    content = png_with().removesuffix(END)
    return content + png_chunk(b"IDAT", mark(name, "pixels")) + END


@plant("png more rows")
def _(name: str) -> bytes:
    """Rows below the last one that is shown, deflated with the others."""
    content = png_with()
    at = content.index(b"IDAT") - 4
    rows = zlib.decompress(b"".join(payloads_of(content, b"IDAT")))
    more = b"\0" + mark(name, "row").ljust(3 * WIDTH, b".")
    return content[:at] + png_chunk(b"IDAT", zlib.compress(rows + more, 9)) + END


@plant("png long transparency")
def _(name: str) -> bytes:
    """More than the three numbers that say which colour is transparent."""
    content = png_with()
    at = content.index(b"IDAT") - 4
    return content[:at] + png_chunk(b"tRNS", bytes(6) + mark(name, "colour")) + content[at:]


@plant("png end")
def _(name: str) -> bytes:
    """An end that is not empty."""
    return png_with().removesuffix(END) + png_chunk(b"IEND", mark(name, "end"))


def payloads_of(content: bytes, wanted: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == wanted:
            yield content[at + 8 : at + 8 + size]
        at += 12 + size
