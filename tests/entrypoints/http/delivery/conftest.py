"""The delivery API, signed, with one photo in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.entrypoints.http.conftest import Api
from tests.entrypoints.http.delivery.delivering import delivering, upload


@pytest.fixture
def api() -> Iterator[Api]:
    """The application with signed delivery, on a store in memory that counts."""
    with delivering() as started:
        yield started


@pytest.fixture
def photo_key(api: Api) -> str:
    """A photo of 640 × 480 stored, with variants of 320 and 160 and a square of 100."""
    return upload(api)
