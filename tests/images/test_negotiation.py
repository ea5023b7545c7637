"""Negotiation: the format that a picture gets is one that the client has named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.images.formats import ImageFormat
from app.images.negotiation import Accepted, formats_for, parse_accept

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI_13 = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (CHROME, Accepted(avif=True, webp=True)),
        ("image/webp,*/*", Accepted(webp=True)),
        (SAFARI_13, Accepted()),
        ("*/*", Accepted()),
        ("image/*", Accepted()),
        ("", Accepted()),
        ("IMAGE/AVIF", Accepted(avif=True)),
        (" image/avif ; q=0.5 , image/webp;q=1.000", Accepted(avif=True, webp=True)),
        ("image/avif;q=0,image/webp;q=0.0", Accepted()),
        ("image/avif;q=2", Accepted()),
        ("image/avifx,ximage/webp", Accepted()),
        ("image/avif;v=b3", Accepted()),
    ],
)
def test_only_what_is_named_counts(header: str, expected: Accepted) -> None:
    """AVIF and WebP go to clients that name them with a weight over 0; wildcards come from old clients too."""
    assert parse_accept(header) == expected


@given(st.text(max_size=3000))
def test_no_header_breaks_it(header: str) -> None:
    """Whatever a client sends has an answer, one of four: so caches keep four copies at most."""
    assert parse_accept(header) in [Accepted(avif, webp) for avif in (False, True) for webp in (False, True)]


def offered(accepted: Accepted, **changes: object) -> list[str]:
    known = {"stored": ImageFormat.JPEG, "has_alpha": False, "is_animated": False} | changes
    return [each.value for each in formats_for(accepted, **known)]  # type: ignore[arg-type]


def test_the_best_format_comes_first_and_the_last_suits_all() -> None:
    """AVIF before WebP before JPEG, and PNG in place of JPEG where that would lose something."""
    everything = Accepted(avif=True, webp=True)
    assert offered(everything) == ["avif", "webp", "jpeg"]
    assert offered(Accepted()) == ["jpeg"]
    assert offered(Accepted(), has_alpha=True) == ["png"]
    assert offered(Accepted(webp=True), stored=ImageFormat.PNG) == ["webp", "png"]


def test_an_animation_is_never_an_avif() -> None:
    """Animations go as WebP, which keeps them moving."""
    assert offered(Accepted(avif=True, webp=True), is_animated=True) == ["webp", "jpeg"]
