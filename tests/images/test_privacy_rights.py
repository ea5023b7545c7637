"""Copyright and creator: found wherever they are told, and written into what is stored, with nothing else."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.images.formats import ImageFormat, sniff_format
from app.images.privacy import read_receipt
from app.images.rights import MAX_RIGHTS_CHARACTERS, NO_RIGHTS, Rights, add_rights, find_rights
from app.images.structure import read_structure
from tests.pictures import add_jpeg_segments, make_jpeg, make_png, make_webp, photo
from tests.planted.directories import ASCII, BYTE, Directory, tiff_of
from tests.planted.heif_boxes import HeifItem, coded_picture, heif_of
from tests.planted.tiffs import plain

XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
ARTIST, COPYRIGHT = 0x013B, 0x8298
ZOE = Rights(copyright="© 2024 Zoë Müller, all rights reserved", creator="Zoë Müller")


def rights_of(content: bytes) -> Rights:
    image_format = sniff_format(content)
    assert image_format is not None
    return find_rights(image_format, content)


def exif_of(*entries: tuple[int, int, Any]) -> bytes:
    return b"Exif\0\0" + tiff_of(Directory(list(entries)))


def jpeg_with(*segments: tuple[int, bytes]) -> bytes:
    return add_jpeg_segments(make_jpeg(24, 16), segments)


def xmp_of(properties: str, attributes: str = "") -> bytes:
    return f"<rdf:RDF><rdf:Description {attributes}>{properties}</rdf:Description></rdf:RDF>".encode()


XMP = xmp_of(
    "<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob &amp; Co</rdf:li></rdf:Seq></dc:creator>"
    '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">(c) Ann</rdf:li>'
    '<rdf:li xml:lang="de">Ann!</rdf:li></rdf:Alt></dc:rights>'
)
TEXTS = [(b"tEXt", b"Author\0Tom"), (b"zTXt", b"Copyright\0\0" + zlib.compress(b"(c) Tom"))]
EXIF = exif_of((ARTIST, ASCII, b"Eve"), (COPYRIGHT, ASCII, b"(c) Eve"))
IPTC = b"\x1c\x02\x50\x00\x03Ida\x1c\x02\x74\x00\x07(c) Ida"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (jpeg_with((0xE1, EXIF)), Rights("(c) Eve", "Eve")),
        (jpeg_with((0xE1, XMP_HEADER + XMP)), Rights("(c) Ann", "Ann; Bob & Co")),
        (make_jpeg(24, 16, iptc=IPTC), Rights("(c) Ida", "Ida")),
        (make_png(24, 16, chunks=TEXTS), Rights("(c) Tom", "Tom")),
        (make_png(24, 16, chunks=[(b"eXIf", EXIF[6:])]), Rights("(c) Eve", "Eve")),
        (make_webp(24, 16, xmp=XMP), Rights("(c) Ann", "Ann; Bob & Co")),
        (tiff_of(plain((ARTIST, ASCII, b"Eve"), (COPYRIGHT, ASCII, b"(c) Eve"))), Rights("(c) Eve", "Eve")),
        (heif_of("heic", [coded_picture("heic"), HeifItem(b"Exif", b"\0\0\0\6" + EXIF)]), Rights("(c) Eve", "Eve")),
        (make_jpeg(24, 16), NO_RIGHTS),
    ],
    ids=["exif", "xmp", "iptc", "png text", "png exif", "webp", "tiff", "heic", "none"],
)
def test_rights_are_found_wherever_they_are_told(content: bytes, expected: Rights) -> None:
    """It does not matter which program wrote the copyright, and where."""
    assert rights_of(content) == expected


def test_what_stands_in_exif_is_believed_first() -> None:
    """Where the places contradict one another EXIF wins, then XMP, then IPTC, whatever their order in the file."""
    xmp, iptc = (0xE1, XMP_HEADER + XMP), (0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\0\0\0\x14" + IPTC)
    assert rights_of(jpeg_with(iptc, xmp, (0xE1, EXIF))) == Rights("(c) Eve", "Eve")
    assert rights_of(jpeg_with(iptc, xmp)) == Rights("(c) Ann", "Ann; Bob & Co")
    only_artist = exif_of((ARTIST, ASCII, b"Eve"), (COPYRIGHT, ASCII, b"   "))
    assert rights_of(jpeg_with(iptc, (0xE1, only_artist))) == Rights("(c) Ida", "Eve")


@pytest.mark.parametrize(
    ("tag", "kind", "value", "expected"),
    [
        (ARTIST, ASCII, "Zoë".encode(), "Zoë"),
        (ARTIST, ASCII, "Zoë".encode("latin-1"), "Zoë"),
        (ARTIST, ASCII, b"Eve\r\n\tEx\x07ample\x1b[31m", "Eve Example[31m"),
        (ARTIST, ASCII, "Eve\u202eelpmaxE\u200b".encode(), "EveelpmaxE"),
        (ARTIST, ASCII, b"E" * 5000, "E" * MAX_RIGHTS_CHARACTERS),
        (0x9C9D, BYTE, "Zoë\0".encode("utf-16-le"), "Zoë"),
    ],
)
def test_the_text_is_one_clean_line(tag: int, kind: int, value: bytes, expected: str) -> None:
    """Control and direction characters, line breaks and novels do not get through."""
    assert rights_of(jpeg_with((0xE1, exif_of((tag, kind, value))))).creator == expected


def test_photographer_and_editor_both_have_the_copyright() -> None:
    """EXIF has two in one field."""
    content = jpeg_with((0xE1, exif_of((COPYRIGHT, ASCII, b"(c) Ann\0(c) Bob"))))
    assert rights_of(content).copyright == "(c) Ann, (c) Bob"


def test_markup_that_is_none_tells_nothing() -> None:
    """Empty and broken properties are no rights."""
    for packet in (
        b"<dc:rights/>",
        b"<dc:creator><rdf:li>",
        b"<dc:rights><rdf:li></rdf:li></dc:rights>",
        b"dc:creator",
    ):
        assert rights_of(make_webp(24, 16, xmp=packet)) == NO_RIGHTS
    assert rights_of(make_webp(24, 16, xmp=xmp_of("", 'dc:creator="Ann"'))) == Rights(creator="Ann")


def encoded(image_format: str, mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    picture = photo(60, 44, mode=mode)
    picture.save(target, image_format, **options)
    return target.getvalue()


BODIES = {
    "jpeg": encoded("JPEG"),
    "progressive jpeg": encoded("JPEG", progressive=True),
    "grey jpeg": encoded("JPEG", "L"),
    "png": encoded("PNG"),
    "palette png": encoded("PNG", "P"),
    "alpha png": encoded("PNG", "RGBA"),
    "webp": encoded("WEBP"),
    "alpha webp": encoded("WEBP", "RGBA"),
    "lossless webp": encoded("WEBP", lossless=True),
    "lossless alpha webp": encoded("WEBP", "RGBA", lossless=True),
    "animated webp": make_webp(60, 44, frames=3),
    "avif": encoded("AVIF", speed=10),
    "alpha avif": encoded("AVIF", "RGBA", speed=10),
}


@pytest.mark.parametrize(
    "rights", [ZOE, Rights(creator="Zoë"), Rights(copyright="Z")], ids=["both", "creator", "short"]
)
@pytest.mark.parametrize("name", BODIES)
def test_rights_are_added_and_nothing_else(name: str, rights: Rights) -> None:
    """The stored picture has the same pixels, and these two fields as another program reads them."""
    body = BODIES[name]
    image_format = sniff_format(body)
    assert image_format is not None
    with_rights = add_rights(image_format, body, rights)

    assert find_rights(image_format, with_rights) == rights
    structure, before = read_structure(image_format, with_rights), read_structure(image_format, body)
    assert (structure.width, structure.height, structure.frames) == (before.width, before.height, before.frames)
    told = {"copyright": rights.copyright, "creator": rights.creator}
    assert set(read_receipt(image_format, with_rights).removed) == {"exif", *(name for name in told if told[name])}
    with Image.open(io.BytesIO(body)) as plain_image, Image.open(io.BytesIO(with_rights)) as image:
        expected = {ARTIST: rights.creator, COPYRIGHT: rights.copyright}
        # Pillow reads texts of EXIF as Latin-1, and takes 72 dpi for granted where there is EXIF.
        seen = {tag: text.encode("latin-1").decode() for tag, text in image.getexif().items()}
        assert seen == {tag: text for tag, text in expected.items() if text}
        assert set(image.info) - set(plain_image.info) <= {"exif", "dpi"}
        np.testing.assert_array_equal(np.asarray(image), np.asarray(plain_image))


@pytest.mark.parametrize("name", BODIES)
def test_without_rights_a_picture_stays_as_it_is(name: str) -> None:
    """Nothing is written where nothing is kept."""
    body = BODIES[name]
    image_format = sniff_format(body)
    assert image_format is not None
    assert add_rights(image_format, body, NO_RIGHTS) is body
    assert add_rights(image_format, body, Rights("", "")) is body


@pytest.mark.parametrize("image_format", [ImageFormat.GIF, ImageFormat.TIFF, ImageFormat.HEIC])
def test_formats_that_are_never_stored_take_no_rights(image_format: ImageFormat) -> None:
    """A mistake of ours is an error, not a picture without its copyright."""
    with pytest.raises(ValueError, match="never stored"):
        add_rights(image_format, b"", ZOE)


def test_an_avif_of_another_shape_stays_as_it_is() -> None:
    """Where a table says what no encoder of ours writes, nothing is written that might break the picture."""
    body = bytearray(heif_of("avif", [coded_picture("avif"), HeifItem(b"ownk", b"")]))
    assert len(add_rights(ImageFormat.AVIF, bytes(body), ZOE)) > len(body)
    locations = body.index(b"iloc") + 10
    body[locations : locations + 2] = b"\0\1"
    read_structure(ImageFormat.AVIF, bytes(body))
    assert add_rights(ImageFormat.AVIF, bytes(body), ZOE) == body
