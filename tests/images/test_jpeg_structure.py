"""JPEG: only the first picture reaches a decoder, without what hangs on it; codings that nothing decodes are named."""

from __future__ import annotations

import struct

import pytest

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTruncated
from tests.icc_profiles import display_p3
from tests.images.containers import read
from tests.pictures import CANARY, add_jpeg_segments, exif, make_jpeg

PLAIN = make_jpeg(24, 16)
SECRET = CANARY.encode()
ORIENTED = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)


def test_the_second_picture_of_an_mpo_is_cut_off() -> None:
    """Phones put several pictures into one JPEG; only the first one, which people see, is kept."""
    structure = read(make_jpeg(24, 16, second_picture=make_jpeg(48, 32, seed=1)))
    assert (structure.width, structure.height) == (24, 16)
    assert structure.decodable == PLAIN


def test_a_thumbnail_inside_exif_is_not_the_picture() -> None:
    """The small picture that cameras hide in EXIF neither ends the file early, nor gives its size, nor is decoded."""
    content = add_jpeg_segments(PLAIN, [(0xE1, b"Exif\0\0" + exif(orientation=6) + make_jpeg(8, 8))])
    assert read(content).width == 24
    assert read(content).decodable == add_jpeg_segments(PLAIN, [(0xE1, ORIENTED)])


def test_segments_that_change_nothing_about_the_pixels_never_reach_a_decoder() -> None:
    """Comments, XMP, IPTC, gain maps, second EXIF blocks and thumbnails in JFIF are left out."""
    places = [(marker, SECRET) for marker in (*range(0xE0, 0xF0), 0xFE, 0xF0, 0xFD, 0x02, 0xBF, 0xDE, 0xDF, 0xDC)]
    named = [(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET), (0xE2, b"MPF\0" + SECRET), (0xE0, b"JFXX\0" + SECRET)]
    assert read(add_jpeg_segments(PLAIN, [*places, *named])).decodable == PLAIN
    thumbnailed = PLAIN.replace(PLAIN[2:20], b"\xff\xe0\x00\x13JFIF\0\1\2\1\0\x48\0\x48\1\1" + SECRET[:3])
    assert read(thumbnailed).decodable == PLAIN
    twice = add_jpeg_segments(PLAIN, [(0xE1, ORIENTED), (0xE1, b"Exif\0\0" + exif(text=CANARY))])
    assert read(twice).decodable == add_jpeg_segments(PLAIN, [(0xE1, ORIENTED)])


def test_what_says_how_the_colours_are_coded_reaches_the_decoder() -> None:
    """CMYK pictures of Adobe keep their marker, without what follows it."""
    content = make_jpeg(24, 16, mode="CMYK")
    at = content.index(b"\xff\xee")
    loaded = content[: at + 2] + struct.pack(">H", 14 + len(SECRET)) + content[at + 4 : at + 16] + SECRET
    assert read(loaded + content[at + 16 :]).decodable == content


def profile_pieces(profile: bytes, *numbers: int, count: int) -> list[tuple[int, bytes]]:
    """APP2 segments with these pieces of a profile."""
    size = -(-len(profile) // count)
    return [
        (0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + profile[(number - 1) * size : number * size])
        for number in numbers
    ]


def test_a_profile_in_pieces_is_kept_in_order() -> None:
    """Long colour profiles come in pieces, in whatever order."""
    profile = display_p3("Display P3")
    content = add_jpeg_segments(PLAIN, profile_pieces(profile, 3, 1, 2, count=3))
    assert read(content).decodable == add_jpeg_segments(PLAIN, profile_pieces(profile, 1, 2, 3, count=3))


@pytest.mark.parametrize(
    "pieces",
    [
        profile_pieces(bytes(600), 1, 3, count=3),
        profile_pieces(bytes(600), 1, 1, 2, count=2),
        profile_pieces(bytes(600), 0, 1, count=2),
        profile_pieces(bytes(600), 2, count=1),
        profile_pieces(bytes(100), 1, count=1),
        profile_pieces(bytes(5 * 1024 * 1024), *range(1, 101), count=100),
        [(0xE2, b"ICC_PROFILE\0")],
    ],
)
def test_a_profile_that_is_incomplete_or_absurd_is_dropped(pieces: list[tuple[int, bytes]]) -> None:
    """Pieces that make no profile never reach a decoder."""
    assert read(add_jpeg_segments(PLAIN, pieces)).decodable == PLAIN


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x01\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x02garbage",
        b"\xff\xd8\xff\xd8" + PLAIN[2:],
        PLAIN[:2] + PLAIN[2:-2] * 2 + b"\xff\xd9",
        PLAIN.replace(b"\xff\xc0\x00\x11\x08\x00\x10", b"\xff\xc0\x00\x11\x08\x00\x00"),
        PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x05\x08"),
    ],
)
def test_a_jpeg_that_contradicts_itself_is_refused(content: bytes) -> None:
    """A JPEG without a picture, with two headers or none, with a height of zero, is not a picture."""
    with pytest.raises((ImageCorrupt, ImageTruncated)):
        read(content)


@pytest.mark.parametrize(
    ("marker", "name"),
    [(0xC3, "lossless"), (0xC9, "arithmetic-coded"), (0xC5, "hierarchical"), (0xCD, "hierarchical"), (0xF7, "JPEG-LS")],
)
def test_a_coding_that_nothing_decodes_is_named(marker: int, name: str) -> None:
    """Rare kinds of JPEG, which browsers do not show either, are refused by name."""
    with pytest.raises(ImageFormatUnsupported, match=name):
        read(PLAIN.replace(b"\xff\xc0", bytes([0xFF, marker])))


def test_a_jpeg_of_twelve_bits_is_named() -> None:
    """More bits per sample than decoders have are refused by name."""
    with pytest.raises(ImageFormatUnsupported, match="12 bits"):
        read(PLAIN.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"))


@pytest.mark.parametrize("components", [0, 2, 5])
def test_a_jpeg_of_an_odd_number_of_components_is_named(components: int) -> None:
    """Grey, colour and CMYK have one, three and four; nothing shows what has two or five."""
    at = PLAIN.index(b"\xff\xc0") + 9
    with pytest.raises(ImageFormatUnsupported, match=f"{components} components"):
        read(PLAIN[:at] + bytes([components]) + PLAIN[at + 1 :])


def test_components_in_scans_of_their_own_are_costly() -> None:
    """A decoder keeps all of a picture whose colours come one after the other, however it is coded."""
    start = PLAIN.index(b"\xff\xda")
    one_component = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    assert read(PLAIN[:start] + one_component + PLAIN[start + 14 :]).is_costly
    assert not read(PLAIN).is_costly


@pytest.mark.parametrize("stray", [b"\0", b"\0\0\0\0", b"\xff\0stray", SECRET])
def test_stray_bytes_between_segments_are_passed_over(stray: bytes) -> None:
    """What some cameras leave between segments costs nobody a photo."""
    assert read(PLAIN[:20] + stray + PLAIN[20:]).decodable == PLAIN


def test_a_wrong_but_harmless_scan_header_is_mended() -> None:
    """Many phones write parameters that mean nothing; they are put right, so that every warning left is damage."""
    wrong = PLAIN.replace(b"\x03\x11\x00\x3f\x00", b"\x03\x11\x00\x00\x00")
    assert wrong != PLAIN
    assert read(wrong).decodable == PLAIN
