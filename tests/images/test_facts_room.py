"""Facts in the 2 KB that a store gives them: what goes when there is too much, and what never goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.images.facts import Facts, clean_file_name
from app.images.formats import ImageFormat
from app.images.keys import MAX_USER_ID_CHARACTERS, parse_user_id
from app.images.records import FocalPoint
from app.images.variant_lists import ListedVariant

S3_METADATA_BYTES = 2048
PREFIX_BYTES = len("x-amz-meta-")
# Of these the docstring of `Facts.to_metadata` promises that they go in this order, before any variant.
LEAST_NEEDED_FIRST = ["blurhash", "file-name", "kept", "removed", "dhash", "focal-point", "dominant-color", "thumbhash"]
MOST = 10**18 - 1
FULL = Facts(
    image_type="user",
    owner="123",
    file_name="IMG_2041.jpg",
    uploaded_at=datetime(2024, 12, 1, 14, 30, 22, 123_456, tzinfo=UTC),
    width=2560,
    height=1920,
    format=ImageFormat.JPEG,
    has_alpha=False,
    is_animated=False,
    sha256="f" * 64,
    thumbhash="1QcSHQRnh493V4dIh4eXh1h4kJUI",
    blurhash="LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    dominant_color="#7a8c99",
    dhash="3c3e0e1a3a1e1e1e",
    focal_point=FocalPoint(0.5, 0.3),
    removed=("camera", "exif", "gps", "icc_profile", "maker_notes", "serial_numbers", "thumbnail"),
    kept=(),
    source_format=ImageFormat.JPEG,
    source_width=4032,
    source_height=3024,
    source_file_size=4_194_304,
    source_frames=1,
    variants=(),
)
LONGEST = replace(
    FULL,
    image_type="t" * 32,
    owner=parse_user_id("𝕌" * MAX_USER_ID_CHARACTERS),
    file_name=clean_file_name("𝕌" * 500),
    width=MOST,
    height=MOST,
    source_width=MOST,
    source_height=MOST,
    source_file_size=MOST,
    source_frames=MOST,
)


def variants(count: int) -> tuple[ListedVariant, ...]:
    return tuple(ListedVariant(f"{1920 - at}-2b9db108.avif", 1920 - at, 1440, 183_920) for at in range(count))


def bytes_of(metadata: dict[str, str]) -> int:
    """As the strictest stores count: each name with its prefix, and the id that is added to each write."""
    return sum(PREFIX_BYTES + len(name) + len(value) for name, value in (metadata | {"write-id": "f" * 32}).items())


def test_ordinary_facts_fit_whole() -> None:
    """With the default number of variants nothing of a phone's photo is dropped."""
    facts = replace(FULL, variants=variants(14))
    assert Facts.from_metadata(facts.to_metadata()) == facts
    assert len(facts.to_metadata()) == len(Facts.__dataclass_fields__)


def test_the_most_variants_that_settings_allow_are_listed() -> None:
    """Thirty-six variants fit beside an ordinary owner."""
    facts = replace(FULL, owner="0123456789abcdef0123456789abcdef0123", variants=variants(36))
    read = Facts.from_metadata(facts.to_metadata())
    assert read.variants == facts.variants
    assert bytes_of(facts.to_metadata()) <= S3_METADATA_BYTES


@pytest.mark.parametrize("count", range(0, 60, 3))
@pytest.mark.parametrize("facts", [FULL, LONGEST], ids=["ordinary", "longest"])
def test_the_least_needed_goes_first(facts: Facts, count: int) -> None:
    """Whatever goes, everything that is needed less went before, and what an image cannot be told without stays."""
    whole = set(facts.to_metadata())
    metadata = replace(facts, variants=variants(count)).to_metadata()
    read = Facts.from_metadata(metadata)

    assert bytes_of(metadata) <= S3_METADATA_BYTES
    gone = [name for name in LEAST_NEEDED_FIRST if name not in metadata]
    assert gone == LEAST_NEEDED_FIRST[: len(gone)]
    assert whole - metadata.keys() <= set(LEAST_NEEDED_FIRST)
    assert (read.owner, read.sha256, read.uploaded_at) == (facts.owner, facts.sha256, facts.uploaded_at)
    listed = read.variants or ()
    assert listed == variants(count)[: len(listed)]
    assert len(listed) == count or gone == LEAST_NEEDED_FIRST


def test_nothing_goes_that_there_is_room_for() -> None:
    """One variant fewer than fits drops nothing more than the next one needs."""
    kept = [len(replace(FULL, variants=variants(count)).to_metadata()) for count in range(60)]
    assert kept == sorted(kept, reverse=True)
    listed = [
        len(Facts.from_metadata(replace(LONGEST, variants=variants(count)).to_metadata()).variants or ())
        for count in range(60)
    ]
    assert listed == sorted(listed)
    full = replace(LONGEST, variants=variants(59)).to_metadata()
    one_more = len(" 1899-2b9db108.avif:1899x1440:183920")
    assert S3_METADATA_BYTES - 64 - one_more < bytes_of(full) <= S3_METADATA_BYTES


@given(st.integers(0, 80), st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_whatever_is_known_fits(count: int, name: str) -> None:
    """No file name and no number of variants makes metadata that a store would refuse."""
    metadata = replace(LONGEST, file_name=clean_file_name(name), variants=variants(count)).to_metadata()
    assert bytes_of(metadata) <= S3_METADATA_BYTES
    assert all(value.isascii() and value.isprintable() and value == value.strip() for value in metadata.values())
