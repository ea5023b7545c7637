"""Every file made to cost, to break or to deceive ends as it must, or reaches a decoder without what made it so."""

from __future__ import annotations

import time

import pytest

from app.core.exceptions import ImageError
from app.images.inspection import inspect_image
from app.images.limits import PixelLimits, check_file_size
from tests.hostile_pictures import RENDERED, HostilePicture, hostile_pictures

PICTURES = list(hostile_pictures())
MOST_SECONDS = 2


def outcome_of(content: bytes) -> str:
    """What becomes of a file before any decoder: `RENDERED` where one is asked."""
    try:
        check_file_size(len(content), max_bytes=25_000_000)
        inspect_image(content, PixelLimits())
    except ImageError as error:
        return str(error.code.value)
    return RENDERED


@pytest.mark.parametrize("picture", PICTURES, ids=[picture.name for picture in PICTURES])
def test_a_hostile_picture_ends_as_it_must(picture: HostilePicture) -> None:
    """Bombs and lies are refused for the right reason within moments, or lose what made them so."""
    content = picture.make()
    assert len(content) < 4_000_000
    started = time.process_time()
    outcome = outcome_of(content)
    assert time.process_time() - started < MOST_SECONDS
    assert outcome in (picture.outcomes | {RENDERED} if picture.needs_decoder else picture.outcomes)


def test_names_are_unique_and_files_always_the_same() -> None:
    """Whoever posts them at a service knows which one an answer belongs to."""
    assert len({picture.name for picture in PICTURES}) == len(PICTURES)
    assert all(picture.make() == picture.make() for picture in PICTURES[::7])
