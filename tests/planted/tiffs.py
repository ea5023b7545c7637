"""TIFFs with canaries in every tag, in further pages and smaller pictures, and behind all that is pointed at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tests.pictures import add_jpeg_segments, make_jpeg, photo
from tests.planted.blocks import exif_directory, profile
from tests.planted.directories import ASCII, BYTE, LONG, SHORT, UNDEFINED, Directory, Placed, tiff_of
from tests.planted.registry import FULL_EXIF_FACTS, HEIGHT, WIDTH, mark, plant

Entries = list[tuple[int, int, Any]]


def picture_entries(width: int, height: int, *, seed: int = 0) -> Entries:
    """Those of a whole RGB picture in one strip, not compressed."""
    samples = np.asarray(photo(width, height, seed=seed)).tobytes()
    return [
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [8, 8, 8]),
        (259, SHORT, [1]),
        (262, SHORT, [2]),
        (273, LONG, Placed(samples)),
        (277, SHORT, [3]),
        (278, LONG, [height]),
        (279, LONG, [len(samples)]),
    ]


def plain(*entries: tuple[int, int, Any], following: Directory | None = None) -> Directory:
    return Directory([*picture_entries(WIDTH, HEIGHT), *entries], following=following)


@plant("tiff tags", "icc_profile", "application_data", also=FULL_EXIF_FACTS)
def _(name: str) -> bytes:
    picture: Iterable[tuple[int, int, Any]] = [*picture_entries(WIDTH, HEIGHT), (0x8773, UNDEFINED, profile(name))]
    directory = exif_directory(name, picture=picture)
    directory.following = None
    return tiff_of(directory)


@plant("tiff little endian", "creator", "copyright")
def _(name: str) -> bytes:
    tags = [(0x013B, ASCII, mark(name, "artist")), (0x8298, ASCII, mark(name, "copyright"))]
    return tiff_of(plain(*tags), order="<")


@plant("tiff private tags", "application_data")
def _(name: str) -> bytes:
    return tiff_of(plain((0xE001, BYTE, mark(name, "bytes")), (0xFDE8, ASCII, mark(name, "text"))))


@plant("tiff names", "descriptions")
def _(name: str) -> bytes:
    """Of the document and the page, as scanners write them."""
    return tiff_of(plain((269, ASCII, mark(name, "document")), (285, ASCII, mark(name, "page"))))


@plant("tiff second page", "second_pictures", "descriptions")
def _(name: str) -> bytes:
    second = Directory([*picture_entries(WIDTH, HEIGHT, seed=5), (0x010E, ASCII, mark(name, "description"))])
    return tiff_of(plain(following=second))


@plant("tiff smaller picture", "thumbnail", "descriptions")
def _(name: str) -> bytes:
    small = Directory([*picture_entries(32, 24), (254, LONG, [1]), (0x010E, ASCII, mark(name, "description"))])
    return tiff_of(plain((0x014A, LONG, [small])))


@plant("tiff old thumbnail", "second_pictures")
def _(name: str) -> bytes:
    """A JPEG beside the strips, as the old way of compressing had it."""
    coded = add_jpeg_segments(make_jpeg(16, 16), [(0xFE, mark(name, "comment"))])
    second = Directory([(513, LONG, Placed(coded)), (514, LONG, [len(coded)]), (256, LONG, [16]), (257, LONG, [16])])
    return tiff_of(plain(following=second))


@plant("tiff trailing bytes", "trailing_bytes")
def _(name: str) -> bytes:
    return tiff_of(plain()) + mark(name, "end")
