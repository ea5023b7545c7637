"""JPEGs with canaries in every segment that may hold metadata, in further pictures, and behind their end."""

from __future__ import annotations

import struct
from typing import Any

from tests.pictures import add_jpeg_segments, make_jpeg
from tests.planted.blocks import exif_block, photoshop_resources, profile, xmp_packet
from tests.planted.directories import LONG, UNDEFINED, Directory, tiff_of
from tests.planted.registry import FULL_EXIF_FACTS, HEIGHT, PHOTOSHOP_FACTS, WIDTH, XMP_FACTS, mark, plant

XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"


def jpeg_with(*segments: tuple[int, bytes], **options: Any) -> bytes:
    return add_jpeg_segments(make_jpeg(WIDTH, HEIGHT, **options), segments)


@plant("jpeg exif", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif_block(name)))


@plant("jpeg little endian exif", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif_block(name, order="<")))


@plant("jpeg turned", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif_block(name, orientation=6)))


@plant("jpeg progressive", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif_block(name)), progressive=True)


@plant("jpeg cmyk", "comments")
def _(name: str) -> bytes:
    return jpeg_with((0xFE, mark(name, "comment")), mode="CMYK")


@plant("jpeg squeezed", "comments", "trailing_bytes")
def _(name: str) -> bytes:
    """So small that coding it again gains nothing, and its own pixels are kept."""
    return jpeg_with((0xFE, mark(name, "comment")), quality=12) + mark(name, "end")


@plant("jpeg xmp", also=XMP_FACTS)
def _(name: str) -> bytes:
    return jpeg_with((0xE1, XMP_HEADER + xmp_packet(name)))


@plant("jpeg wide xmp", also=XMP_FACTS)
def _(name: str) -> bytes:
    return jpeg_with((0xE1, XMP_HEADER + xmp_packet(name).decode().encode("utf-16-be")))


@plant("jpeg extended xmp", also=XMP_FACTS)
def _(name: str) -> bytes:
    packet = xmp_packet(name)
    header = b"http://ns.adobe.com/xmp/extension/\0" + b"0123456789ABCDEF" * 2
    middle = packet.index(b"<dc:creator")
    parts = [(0, packet[:middle]), (middle, packet[middle:])]
    return jpeg_with(*((0xE1, header + struct.pack(">II", len(packet), at) + part) for at, part in parts))


@plant("jpeg photoshop", also=PHOTOSHOP_FACTS)
def _(name: str) -> bytes:
    """In two segments, divided in the middle of a resource."""
    resources = photoshop_resources(name)
    return jpeg_with(*((0xED, b"Photoshop 3.0\0" + part) for part in (resources[:700], resources[700:])))


@plant("jpeg comments", "comments")
def _(name: str) -> bytes:
    wide = mark(name, "wide").decode().encode("utf-16-le")
    return jpeg_with((0xFE, mark(name, "first")), (0xFE, wide))


@plant("jpeg applications", "application_data")
def _(name: str) -> bytes:
    return jpeg_with(*((0xE0 + at, mark(name, letter)) for at, letter in enumerate("abcdefghijklmnop")))


@plant("jpeg content credentials", "application_data")
def _(name: str) -> bytes:
    return jpeg_with((0xEB, b"JP\0\1\0\0\0\1\0\0\0\x40jumb\0\0\0\x38jumd" + mark(name, "manifest")))


@plant("jpeg profile", "icc_profile")
def _(name: str) -> bytes:
    return jpeg_with(icc=profile(name))


@plant("jpeg thumbnails", "thumbnail")
def _(name: str) -> bytes:
    """Of both kinds of JFIF: plain samples, and a JPEG."""
    jfif = b"JFIF\0\1\1\0\0\1\0\1\5\5" + mark(name, "samples").ljust(75, b".")
    return jpeg_with((0xE0, jfif), (0xE0, b"JFXX\0\x10" + make_jpeg(16, 16, comment=mark(name, "coded"))))


@plant("jpeg adobe", "application_data")
def _(name: str) -> bytes:
    """More than the twelve bytes that say how colours are coded."""
    return jpeg_with((0xEE, b"Adobe\0\x64\0\0\0\0\1" + mark(name, "rest")))


@plant("jpeg second picture", "second_pictures", "comments")
def _(name: str) -> bytes:
    """As cameras with two lenses write it: an index (CIPA DC-007), then both."""
    second = make_jpeg(WIDTH, HEIGHT, seed=9, comment=mark(name, "comment"))
    index = Directory(
        [
            (0xB000, UNDEFINED, b"0100"),
            (0xB001, LONG, [2]),
            (0xB002, UNDEFINED, bytes(32)),
            (0xB003, UNDEFINED, mark(name, "index")),
        ]
    )
    return jpeg_with((0xE2, b"MPF\0" + tiff_of(index))) + bytes(6) + second


@plant("jpeg gain map", "application_data", also=XMP_FACTS)
def _(name: str) -> bytes:
    """Ultra HDR: how much brighter the highlights are is a second picture."""
    container = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><Container:Directory ' + mark(name, "directory") + b"/>"
    gain_map = make_jpeg(WIDTH // 4, HEIGHT // 4, mode="L", xmp=xmp_packet(name))
    version = b"urn:iso:std:iso:ts:21496:-1\0" + mark(name, "version")
    return jpeg_with((0xE1, XMP_HEADER + container), (0xE2, version)) + gain_map


@plant("jpeg motion photo", "video", "trailing_bytes")
def _(name: str) -> bytes:
    return jpeg_with() + video(name)


@plant("jpeg motion photo of samsung", "video", "trailing_bytes")
def _(name: str) -> bytes:
    before = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data"
    return jpeg_with() + before + video(name) + b"SEFH" + mark(name, "trailer") + b"SEFT"


@plant("jpeg trailing bytes", "trailing_bytes")
def _(name: str) -> bytes:
    return jpeg_with() + mark(name, "end")


@plant("jpeg unused tables")
def _(name: str) -> bytes:
    """A quantisation table and a Huffman table that no component refers to."""
    quantisation = (0xDB, b"\3" + mark(name, "quantisation").ljust(64, b"."))
    symbols = mark(name, "huffman")[:32].ljust(32, b".")
    huffman = (0xC4, b"\x13" + bytes([0] * 5 + [32] + [0] * 10) + symbols)
    return jpeg_with(quantisation, huffman, quality=12)


@plant("jpeg lines")
def _(name: str) -> bytes:
    """A segment for a number of lines that is not known in advance, which decoders pass over."""
    return jpeg_with((0xDC, mark(name, "lines")), quality=12)


@plant("jpeg undefined segments", "application_data")
def _(name: str) -> bytes:
    """A segment of an extension that no one has defined."""
    return jpeg_with((0xF0, mark(name, "extension")), (0xFD, mark(name, "last")))


def video(name: str) -> bytes:
    """The boxes of a video: brands, samples, and where it was taken."""

    def box(kind: bytes, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload) + 8) + kind + payload

    place = box(b"udta", box(b"\xa9xyz", mark(name, "place")))
    return box(b"ftyp", b"mp42\0\0\0\0isom") + box(b"mdat", mark(name, "samples")) + box(b"moov", place)
