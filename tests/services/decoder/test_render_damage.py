"""Damaged and malicious pictures end in an error of ours, quickly and in little memory, never in half a picture."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from app.core.exceptions import ImageCorrupt, ImageError, ImageTooManyPixels, ImageTruncated
from app.images.structure import jpeg_segments
from app.services.decoder.thread_processor import ThreadProcessor
from tests.pictures import decode, make_jpeg, make_png, make_webp, photo, pixels_of, png_header, png_of, text_bomb_png
from tests.services.decoder.rendering import LIMITS, PLAN, render
from tests.services.decoder.sources import make_avif, make_gif, make_tiff

FILES = {
    "jpeg": make_jpeg(160, 120),
    "progressive jpeg": make_jpeg(160, 120, progressive=True),
    "png": make_png(160, 120),
    "interlaced png": make_png(80, 60, interlaced=True),
    "palette png": make_png(160, 120, mode="P"),
    "webp": make_webp(320, 240),
    "lossless webp": make_webp(80, 60, lossless=True),
    "webp with transparency": make_webp(160, 120, mode="RGBA"),
    "animated webp": make_webp(80, 60, frames=3),
    "apng": make_png(80, 60, frames=3),
    "gif": make_gif([photo(80, 60)]),
    "animated gif": make_gif([photo(80, 60, seed=seed) for seed in range(3)]),
    "avif": make_avif(photo(160, 120)),
    "avif with transparency": make_avif(photo(80, 60, mode="RGBA")),
    "tiff": make_tiff(photo(80, 60), compression="lzw"),
    "tiled tiff": make_tiff(photo(80, 60), compression="deflate", tile=True),
}


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.parametrize("name", FILES)
def test_a_cut_picture_is_refused(name: str, tenths: int) -> None:
    """A photo of which only a part arrived is refused, never stored with grey rows."""
    content = FILES[name]
    with pytest.raises((ImageTruncated, ImageCorrupt)):
        render(content[: len(content) * tenths // 10])


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "webp", "lossless webp", "png"])
def test_a_cut_picture_in_a_whole_container_is_refused(name: str, tenths: int) -> None:
    """Mending the container's end around missing pixels does not get half a photo past the decoder."""
    content = FILES[name]
    with pytest.raises(ImageError):
        render(_cut_pixels(name, content, tenths))


def _cut_pixels(name: str, content: bytes, tenths: int) -> bytes:
    """The picture without the last part of its coded pixels, in a container that claims to be complete."""
    if "jpeg" in name:
        *_, (_, scan, end) = (part for part in jpeg_segments(content) if part[0] == 0xDA)
        cut = scan + 20 + (end - scan - 20) * tenths // 10
        return content[:cut].rstrip(b"\xff") + b"\xff\xd9"
    if "webp" in name:
        body = content[20 : 20 + (len(content) - 20) * tenths // 10 // 2 * 2]
        chunk = content[12:16] + len(body).to_bytes(4, "little") + body
        return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
    size = decode(content).size
    pixels = zlib.compress(b"".join(bytes(1 + 3 * size[0]) for _ in range(size[1] * tenths // 10)))
    return png_of([(b"IHDR", png_header(*size)), (b"IDAT", pixels), (b"IEND", b"")])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"\x02\x11\x03\x11\x00\x3f\x00", b"\x02\x11\x03\x11\x00\x00\x00"),
        (b"JFIF\0\1", b"JFIF\0\7"),
    ],
    ids=["scan parameters", "JFIF version"],
)
def test_harmless_faults_of_phones_are_forgiven_but_missing_rows_are_not(right: bytes, wrong: bytes) -> None:
    """Photos of phones that write a needless number wrongly are stored; when they are also cut, they are refused."""
    content = make_jpeg(160, 120).replace(right, wrong)
    assert wrong in content
    np.testing.assert_array_equal(pixels_of(render(content).body), pixels_of(render(make_jpeg(160, 120)).body))
    with pytest.raises(ImageTruncated):
        render(_cut_pixels("jpeg", content, 5))


def test_padding_before_the_end_of_a_jpeg_is_forgiven() -> None:
    """Some cameras pad the end of a photo with zeros; all its pixels are there."""
    content = make_jpeg(160, 120)
    assert render(content[:-2] + bytes(5) + content[-2:]).width == 160


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_gives_a_whole_picture_or_an_error_of_ours(name: str) -> None:
    """Damage on the way is refused as such, or leaves a picture with all its rows; nothing else ever happens."""
    whole = FILES[name]
    dice = random.Random(name)
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(dice.choice([1, 1, 3, 20])):
            content[dice.randrange(12, len(whole))] ^= 1 << dice.randrange(8)
        try:
            rendered = render(bytes(content))
        except ImageError:
            continue
        assert decode(rendered.body).size == (rendered.width, rendered.height)
        assert len(rendered.body) <= len(content)


def test_wrong_checksums_in_a_png_are_refused() -> None:
    """A PNG whose pixels do not match their own checksum was damaged on its way."""
    content = make_png(40, 30)
    idat = content.index(b"IDAT")
    end = idat + 4 + int.from_bytes(content[idat - 4 : idat], "big")
    with pytest.raises(ImageCorrupt):
        render(content[:end] + b"\0\0\0\0" + content[end + 4 :])


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"IHDR", png_header(8, 8)), (b"IDAT", b""), (b"IEND", b"")],
        [(b"IHDR", png_header(8, 8)), (b"IDAT", b"not zlib"), (b"IEND", b"")],
        [(b"IHDR", png_header(8, 8, colour_type=3)), (b"IDAT", zlib.compress(bytes(72))), (b"IEND", b"")],
        [(b"IHDR", png_header(8, 8, colour_type=7)), (b"IDAT", zlib.compress(bytes(72))), (b"IEND", b"")],
        [(b"IHDR", png_header(8, 8, bit_depth=3)), (b"IDAT", zlib.compress(bytes(72))), (b"IEND", b"")],
        [(b"IHDR", png_header(8, 8, interlace=9)), (b"IDAT", zlib.compress(bytes(72))), (b"IEND", b"")],
    ],
)
def test_a_png_that_cannot_be_is_refused(chunks: list[tuple[bytes, bytes]]) -> None:
    """Headers that the format does not know, and no pixels at all, are damage."""
    with pytest.raises(ImageError):
        render(png_of(chunks))


def test_a_one_frame_animation_is_stored_as_its_picture() -> None:
    """A WebP animation of a single frame comes out as that frame, not as an empty file."""
    still = make_webp(64, 48)[12:]
    side = (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    chunks = {b"VP8X": b"\x02\0\0\0" + side, b"ANIM": bytes(6), b"ANMF": bytes(6) + side + bytes(4) + still}
    body = b"WEBP" + b"".join(kind + len(part).to_bytes(4, "little") + part for kind, part in chunks.items())
    rendered = render(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert decode(rendered.body).size == (64, 48)


def test_a_header_of_900_megapixels_is_refused_at_once() -> None:
    """A few bytes that claim 30,000 × 30,000 pixels cost nothing."""
    header = [(b"IHDR", png_header(30_000, 30_000)), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    started = time.process_time()
    with pytest.raises(ImageTooManyPixels):
        render(png_of(header))
    assert time.process_time() - started < 0.5


def test_twenty_thousand_scans_are_refused_at_once() -> None:
    """A JPEG that asks for twenty thousand passes over its pixels never reaches the decoder."""
    content = make_jpeg(16, 16, progressive=True)
    *_, (_, start, end), _ = (part for part in jpeg_segments(content) if part[0] in {0xDA, 0xD9})
    started = time.process_time()
    with pytest.raises(ImageCorrupt, match="scans"):
        render(content[:end] + content[start:end] * 20_000 + content[end:])
    assert time.process_time() - started < 0.5


def test_a_text_bomb_costs_no_memory(tmp_path: Path) -> None:
    """An 0.8 MB file whose comments unpack to 800 MB is stored like any other small picture."""
    (tmp_path / "bomb.png").write_bytes(text_bomb_png())
    program = """
        import resource, sys
        from tests.pictures import make_png
        from tests.services.decoder.rendering import render
        render(make_png(8, 8))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rendered = render(open(sys.argv[1], "rb").read())
        grown_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(rendered.width, rendered.height, grown_kilobytes)
    """
    root = Path(__file__).parents[3]
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "bomb.png")],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    width, height, grown_kilobytes = map(int, run.stdout.split())
    assert (width, height) == (8, 8)
    assert grown_kilobytes < 20_000


async def test_many_pictures_at_once_leave_the_event_loop_free() -> None:
    """While sixteen photos are rendered the service goes on answering, and each gets its own picture."""
    from app.images.inspection import inspect_image

    processor = ThreadProcessor(threads=2)
    contents = [make_jpeg(1200 + 10 * at, 900, seed=at % 3) for at in range(16)]
    structures = [inspect_image(content, LIMITS) for content in contents]
    longest_pause = 0.0

    async def watch() -> None:
        nonlocal longest_pause
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            longest_pause = max(longest_pause, time.perf_counter() - asked)

    watching = asyncio.create_task(watch())
    jobs = [
        processor.render(structure, file_size=len(content), plan=PLAN)
        for structure, content in zip(structures, contents, strict=True)
    ]
    rendered = await asyncio.gather(*jobs)
    watching.cancel()
    assert [picture.width for picture in rendered] == [1200 + 10 * at for at in range(16)]
    assert longest_pause < 0.5


async def test_errors_in_parallel_do_not_touch_good_pictures() -> None:
    """A damaged file among others fails alone."""
    from app.images.inspection import inspect_image

    processor = ThreadProcessor(threads=4)
    good, bad = make_jpeg(200, 150), _cut_pixels("jpeg", make_jpeg(200, 150), 5)
    contents = [good, bad] * 10
    jobs = [processor.render(inspect_image(content, LIMITS), file_size=len(content), plan=PLAN) for content in contents]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    for content, outcome in zip(contents, outcomes, strict=True):
        assert isinstance(outcome, ImageError) is (content is bad)
