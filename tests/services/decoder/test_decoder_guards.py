"""Guards behind the container checks: what is decoded is what was announced, whoever is wrong; libraries stay put."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.exceptions import ImageCorrupt, ImageFormatUnsupported, ImageTooComplex, ImageTruncated
from app.images.formats import ImageFormat
from app.images.inspection import inspect_image
from app.images.records import RenderedImage, Structure
from app.services.decoder.decoder_errors import error_of
from app.services.decoder.engine import render_picture
from app.services.protocols import ignore_variant
from tests.heic_pictures import make_heic
from tests.pictures import make_jpeg, make_png, make_webp, photo, quadrants
from tests.services.decoder.rendering import LIMITS, PLAN
from tests.services.decoder.sources import make_avif, make_gif, make_pillow_tiff, make_tiff

ROOT = Path(__file__).parents[3]
SOURCES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: make_jpeg(60, 40),
    "png": lambda: make_png(60, 40),
    "webp": lambda: make_webp(60, 40),
    "animated webp": lambda: make_webp(60, 40, frames=3),
    "gif": lambda: make_gif([photo(60, 40)]),
    "animated gif": lambda: make_gif([photo(60, 40, seed=seed) for seed in range(3)]),
    "avif": lambda: make_avif(photo(60, 40)),
    "tiff": lambda: make_tiff(photo(60, 40)),
    "heic": lambda: make_heic(quadrants(96, 64)),
}


def render_as(structure: Structure) -> RenderedImage:
    return render_picture(structure, file_size=10**6, plan=PLAN, emit=ignore_variant)


@pytest.mark.parametrize("name", SOURCES)
def test_a_picture_of_another_size_than_announced_is_refused(name: str) -> None:
    """Limits were checked against the announced size, so nothing larger is ever decoded."""
    structure = inspect_image(SOURCES[name](), LIMITS)
    render_as(structure)
    with pytest.raises(ImageCorrupt):
        render_as(replace(structure, width=structure.width - 1))
    with pytest.raises(ImageCorrupt):
        render_as(replace(structure, height=structure.height - 1))


@pytest.mark.parametrize("name", ["animated webp", "animated gif"])
def test_more_frames_than_announced_are_refused(name: str) -> None:
    """The number of frames that the limits were checked against is the most that is decoded."""
    structure = inspect_image(SOURCES[name](), LIMITS)
    with pytest.raises(ImageCorrupt):
        render_as(replace(structure, frames=2))


def test_numbers_that_are_no_colours_are_refused_by_the_decoder_too() -> None:
    """A TIFF of measurements is refused even where its container was taken for a picture."""
    content = make_pillow_tiff(photo(20, 10, mode="L").convert("F"))
    with pytest.raises(ImageFormatUnsupported):
        render_as(Structure(ImageFormat.TIFF, 20, 10, 1, False, content))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("VipsJpeg: Premature end of JPEG file", ImageTruncated),
        ("webp: truncated", ImageTruncated),
        ("vips_tracked: out of memory -- size == 6MB", ImageTooComplex),
        ("Insufficient memory (case 4)", ImageTooComplex),
        ("Memory allocation error", ImageTooComplex),
        ("pngload: libspng read error", ImageCorrupt),
        ("", ImageCorrupt),
    ],
)
def test_what_decoders_say_becomes_an_error_of_ours(said: str, expected: type[Exception]) -> None:
    """Cut short, broken and too large are told apart."""
    assert type(error_of(said)) is expected


def test_libraries_are_imported_without_being_used_and_all_at_once() -> None:
    """A process that has imported them may fork and lock itself in: rendering opens no file, imports nothing more."""
    program = """
        import os, sys
        from dataclasses import replace
        from app.services.decoder.vips_library import import_codecs, load_vips
        import_codecs()
        from app.images.inspection import inspect_image
        from app.services.decoder.engine import render_picture
        from app.services.protocols import ignore_variant
        from tests.services.decoder.rendering import LIMITS, PLAN
        from app.images.variants import VariantTable

        structures = [inspect_image(bytes.fromhex(line), LIMITS) for line in sys.stdin]
        child = os.fork()
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        load_vips()
        before, opened = set(sys.modules), []
        sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
        plan = replace(PLAN, variants=VariantTable().specs())
        for structure in structures:
            render_picture(structure, file_size=10**6, plan=plan, emit=ignore_variant)
        print(opened, sorted(set(sys.modules) - before), flush=True)
        os._exit(0)
    """
    lines = "\n".join(make().hex() for make in SOURCES.values())
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=lines,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.strip() == "[] []"
