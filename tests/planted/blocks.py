"""Blocks of metadata with a distinct canary in every field: EXIF, XMP, IPTC, Photoshop resources, colour profiles."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable

from tests.icc_profiles import display_p3
from tests.pictures import add_jpeg_segments, make_jpeg
from tests.planted.canaries import MARKED_NUMBER, canary
from tests.planted.directories import ASCII, BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Directory, Placed, tiff_of

# --- EXIF ---

_TEXT_TAGS = {
    "description": 0x010E, "make": 0x010F, "model": 0x0110, "software": 0x0131, "modified": 0x0132, "artist": 0x013B,
    "host computer": 0x013C, "copyright": 0x8298, "raw serial number": 0xC62F, "private": 0xE999,
}  # fmt: skip
_EXIF_TEXT_TAGS = {
    "taken": 0x9003, "digitised": 0x9004, "subseconds": 0x9290, "offset": 0x9010, "spectral": 0x8824,
    "image id": 0xA420, "owner": 0xA430, "serial number": 0xA431, "lens make": 0xA433, "lens model": 0xA434,
    "lens serial number": 0xA435, "title": 0xA436, "photographer": 0xA437, "editor": 0xA438, "firmware": 0xA439,
}  # fmt: skip
_WINDOWS_TAGS = {"title": 0x9C9B, "comment": 0x9C9C, "author": 0x9C9D, "keywords": 0x9C9E, "subject": 0x9C9F}
_GPS_TEXT_TAGS = {"satellites": 0x08, "map datum": 0x12, "date": 0x1D}


def exif_directory(name: str, *, orientation: int = 1, picture: Iterable[tuple[int, int, object]] = ()) -> Directory:
    """All tags of EXIF, with GPS, interoperability and a thumbnail; `picture` are further entries of the first."""

    def text(where: str) -> bytes:
        return canary(f"{name} {where}").encode()

    gps = Directory(
        [
            (0, BYTE, b"\2\3\0\0"),
            (1, ASCII, b"N"),
            (2, RATIONAL, MARKED_NUMBER * 3),
            (3, ASCII, b"E"),
            (4, RATIONAL, MARKED_NUMBER * 3),
            (6, RATIONAL, MARKED_NUMBER),
            (0x1B, UNDEFINED, b"ASCII\0\0\0" + text("gps method")),
            (0x1C, UNDEFINED, b"UNICODE\0" + text("gps area").decode().encode("utf-16-le")),
            *((tag, ASCII, text(f"gps {where}")) for where, tag in _GPS_TEXT_TAGS.items()),
        ]
    )
    inner = Directory(
        [
            *((tag, ASCII, text(where)) for where, tag in _EXIF_TEXT_TAGS.items()),
            (0x9286, UNDEFINED, b"UNICODE\0" + text("user comment").decode().encode("utf-16-be")),
            (0x927C, UNDEFINED, maker_note(name)),
            (0xA005, LONG, [Directory([(1, ASCII, text("interoperability"))])]),
        ]
    )
    thumbnail = add_jpeg_segments(make_jpeg(16, 16), [(0xFE, text("thumbnail comment"))])
    second = Directory(
        [(0x010F, ASCII, text("thumbnail make")), (0x0201, LONG, Placed(thumbnail)), (0x0202, LONG, [len(thumbnail)])]
    )
    entries = [
        *picture,
        (0x0112, SHORT, [orientation]),
        *((tag, ASCII, text(where)) for where, tag in _TEXT_TAGS.items()),
        *((tag, BYTE, text(f"windows {where}").decode().encode("utf-16-le")) for where, tag in _WINDOWS_TAGS.items()),
        (0x02BC, BYTE, xmp_packet(f"{name} xmp")),
        (0x83BB, UNDEFINED, iptc_records(f"{name} iptc")),
        (0x8649, UNDEFINED, photoshop_resources(f"{name} photoshop")),
        (0x8769, LONG, [inner]),
        (0x8825, LONG, [gps]),
    ]
    return Directory(entries, following=second)  # type: ignore[arg-type]


def exif_block(name: str, *, orientation: int = 1, order: str = ">") -> bytes:
    """An EXIF block from its TIFF header on, with bytes at its end that nothing points to."""
    unreferenced = canary(f"{name} unreferenced").encode()
    return tiff_of(exif_directory(name, orientation=orientation), order=order) + unreferenced


def maker_note(name: str) -> bytes:
    """A note of Canon's shape: number of tags, then owner and serial number inside it."""
    return b"Maker\0" + canary(f"{name} maker note").encode()


# --- XMP, IPTC, Photoshop, ICC ---


def xmp_packet(name: str) -> bytes:
    """Attributes, elements, arrays, a history and a depth map in base 64."""

    def text(where: str) -> str:
        return canary(f"{name} {where}")

    picture = base64.b64encode(make_jpeg(8, 8, comment=text("depth").encode())).decode()
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="{text("about")}"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/"
 xmlns:own="http://example.com/{text("namespace")}/" own:secret="{text("own")}" exif:GPSLatitude="{text("latitude")}"
 aux:SerialNumber="{text("serial number")}" aux:OwnerName="{text("owner")}" photoshop:City="{text("city")}"
 xmpMM:DocumentID="{text("document")}" GDepth:Data="{picture}">
<dc:creator><rdf:Seq><rdf:li>{text("creator")}</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{text("rights")}</rdf:li></rdf:Alt></dc:rights>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{text("title")}</rdf:li></rdf:Alt></dc:title>
</rdf:Description></rdf:RDF></x:xmpmeta><!-- {text("comment")} --><?xpacket end="w"?>""".encode()


def iptc_records(name: str) -> bytes:
    """Records of the application and of the envelope."""
    named = {"title": 5, "keyword": 25, "creator": 80, "city": 90, "copyright": 116, "contact": 118, "caption": 120}
    records = b"\x1c\x01\x5a\x00\x03\x1b%G"
    for where, number in named.items():
        value = canary(f"{name} {where}").encode()
        records += struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value
    return records


def photoshop_resources(name: str) -> bytes:
    """IPTC, a thumbnail, EXIF, XMP, a caption and a resource with a name, each in a block of its own."""
    thumbnail = struct.pack(">6IHH", 1, 16, 16, 48, 768, 0, 24, 1) + make_jpeg(
        16, 16, comment=canary(f"{name} thumbnail").encode()
    )
    blocks = [
        (0x0404, b"", iptc_records(f"{name} iptc")),
        (0x040C, b"", thumbnail),
        (0x03F0, b"", canary(f"{name} caption").encode()),
        (0x0424, b"", xmp_packet(f"{name} xmp")),
        (0x0BB7, canary(f"{name} path").encode(), b"path"),
    ]
    resources = b""
    for number, title, value in blocks:
        named = bytes([len(title)]) + title
        resources += b"8BIM" + struct.pack(">H", number) + named + bytes(len(named) % 2)
        resources += struct.pack(">I", len(value)) + value + bytes(len(value) % 2)
    return resources


def profile(name: str) -> bytes:
    """A colour profile whose description is a canary."""
    return display_p3(canary(f"{name} profile"))
