"""Of a palette only the colours that are in the picture are kept."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from app.services.decoder.palettes import without_unused_colours
from tests.pictures import PNG_SIGNATURE, make_png, photo, pixels_of, png_header, png_of

TEXT = b"HcCanary" * 30


def palette_png(*, alphas: bytes = b"") -> bytes:
    """Two rows of three colours out of 80; the other colours spell a text."""
    colours = bytes([10, 20, 30, 200, 0, 0, 0, 0, 255]) + TEXT[: 3 * 77]
    rows = b"\0\0\1\2\0\2\1\0"
    chunks = [(b"IHDR", png_header(3, 2, colour_type=3)), (b"PLTE", colours)]
    chunks += [(b"tRNS", alphas)] if alphas else []
    return png_of([*chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])


def decoded(content: bytes) -> Any:
    return pyvips.Image.pngload_buffer(content).copy_memory()


@pytest.mark.parametrize("alphas", [b"", b"\xff\x80\x00", b"\xff\x80\x00" + TEXT[:50]])
def test_colours_that_no_pixel_has_go(alphas: bytes) -> None:
    """A text spelled in colours, or in how transparent they are, is not kept; the picture looks the same."""
    content = palette_png(alphas=alphas)
    cleaned = without_unused_colours(content, decoded(content))
    assert b"HcCanary" in content
    assert b"Hc" not in cleaned
    assert len(cleaned) == len(content)
    np.testing.assert_array_equal(pixels_of(cleaned, mode="RGBA"), pixels_of(content, mode="RGBA"))


@pytest.mark.parametrize(
    "content",
    [
        make_png(70, 600, picture=photo(70, 600).quantize(8)),
        make_png(30, 20),
        make_png(30, 20, mode="LA"),
        make_png(30, 20, picture=Image.new("1", (30, 20), 1)),
    ],
    ids=["full palette", "no palette", "grey", "bits"],
)
def test_a_png_without_unused_colours_stays_as_it_is(content: bytes) -> None:
    """Nothing else is touched."""
    assert content.startswith(PNG_SIGNATURE)
    assert without_unused_colours(content, decoded(content)) == content
