"""Whatever the transform and the picture: a whole clean file of exactly the size that the recipe says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.geometry import covers
from app.images.inspection import inspect_image
from app.images.recipes import needed_size
from app.images.transforms import Transform
from app.images.verification import accept_transformed
from app.services.decoder import decoding
from app.services.decoder.transforming import transform_picture
from tests.images.test_transform_text import transforms
from tests.pictures import make_jpeg, make_png, make_webp, photo
from tests.services.decoder.sources import make_avif
from tests.services.decoder.transforming import FORMATS, LIMITS, opened, recipe_for, transform

SOURCES = {
    "jpeg": make_jpeg(96, 64),
    "odd jpeg": make_jpeg(97, 61),
    "png with alpha": make_png(50, 70, mode="RGBA"),
    "grey png": make_png(33, 20, mode="L"),
    "webp": make_webp(64, 64),
    "narrow webp": make_webp(1, 90),
    "avif": make_avif(photo(40, 30)),
    "animation": make_webp(32, 24, frames=3),
}
MARK = inspect_image(make_png(20, 10, mode="RGBA"), LIMITS)


@settings(max_examples=150, deadline=None)
@given(transforms(), st.sampled_from([*SOURCES]), st.sampled_from(FORMATS))
def test_the_size_is_exact(asked: Transform, source: str, image_format: ImageFormat) -> None:
    """Each transform of each picture is what its recipe promised, and what the service would believe."""
    structure = inspect_image(SOURCES[source], LIMITS)
    overlay = MARK if asked.watermark else None
    recipe = recipe_for(asked, structure, image_format=image_format, has_alpha=True, overlay_size=(20, 10))
    made = transform_picture(structure, recipe, overlay=overlay)
    assert accept_transformed(made, structure, recipe) == made
    if made.width * made.height < 1_000_000:
        opened(made)


@pytest.mark.parametrize("size", [(96, 64), (97, 64), (96, 63), (100, 50)])
@pytest.mark.parametrize("width", [12, 24, 47, 48, 90])
def test_stored_jpegs_of_any_size(size: tuple[int, int], width: int) -> None:
    """Decoding to fewer pixels, where both sides can be divided, changes neither the size nor the edges."""
    made = opened(transform(make_jpeg(*size), f"w:{width}"))
    whole = opened(transform(make_png(*size), f"w:{width}"))
    assert made.size == whole.size
    differences = [abs(a - b) for a, b in zip(made.tobytes(), whole.tobytes(), strict=True)]
    assert sum(differences) / len(differences) < 4


def test_no_more_pixels_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a stored JPEG is decoded as a quarter, not as a whole."""
    shrinks: list[int] = []
    load = decoding._load_jpeg

    def watched(content: bytes, *, shrink: int) -> object:
        shrinks.append(shrink)
        return load(content, shrink=shrink)

    monkeypatch.setattr(decoding, "_load_jpeg", watched)
    transform(make_jpeg(640, 480), "w:160")
    assert shrinks[-1] == 4


@given(transforms(), st.tuples(st.integers(1, 3000), st.integers(1, 3000)))
def test_what_is_needed_is_there(asked: Transform, stored: tuple[int, int]) -> None:
    """The original is always enough."""
    assert covers(stored, needed_size(asked, preset=None, stored=stored))
