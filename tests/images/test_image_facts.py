"""Facts survive the trip through S3 metadata: ASCII, small, and read back without fuss."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.images.facts import Facts, clean_file_name, format_time
from app.images.formats import ImageFormat
from app.images.records import FocalPoint
from app.images.variant_lists import ListedVariant

# What S3 documents: names and values together, in bytes. Some stores count each name with its prefix.
S3_METADATA_BYTES = 2048
PREFIX_BYTES = len("x-amz-meta-")
WRITE_ID = {"write-id": "f" * 32}

counts = st.none() | st.integers(0, 10**18 - 1)
formats = st.none() | st.sampled_from(ImageFormat)
names = st.none() | st.lists(st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True), max_size=4).map(tuple)
fractions = st.integers(0, 10_000).map(lambda parts: parts / 10_000)
listed = st.builds(
    ListedVariant,
    file_name=st.from_regex(r"[a-z0-9][a-z0-9_]{0,10}-[0-9a-f]{8}\.(jpg|png|webp|avif)", fullmatch=True),
    width=st.integers(1, 8192),
    height=st.integers(1, 8192),
    file_size=st.integers(0, 10**9),
)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
all_facts = st.builds(
    Facts,
    image_type=st.none() | st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True),
    owner=texts,
    file_name=texts.map(clean_file_name),
    uploaded_at=st.none() | st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)),
    width=counts,
    height=counts,
    format=formats,
    has_alpha=st.none() | st.booleans(),
    is_animated=st.none() | st.booleans(),
    thumbhash=st.none() | st.text("abcXYZ019+/", min_size=20, max_size=34),
    blurhash=st.none() | st.text("abcXYZ019#$%*+,-.:;=?@[]^_{|}~", min_size=6, max_size=36),
    dominant_color=st.none() | st.from_regex(r"#[0-9a-f]{6}", fullmatch=True),
    dhash=st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    focal_point=st.none() | st.builds(FocalPoint, fractions, fractions),
    removed=names,
    kept=names,
    variants=st.none() | st.lists(listed, max_size=5).map(tuple),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    source_format=formats,
    source_width=counts,
    source_height=counts,
    source_file_size=counts,
    source_frames=counts,
)
NAMES = list(Facts().__dataclass_fields__)


def bytes_of(metadata: dict[str, str]) -> int:
    return sum(PREFIX_BYTES + len(name) + len(value) for name, value in (metadata | WRITE_ID).items())


@given(all_facts)
def test_facts_read_back_as_they_were_written(facts: Facts) -> None:
    """Names in any script and every number come back from the store unchanged, wherever there is room for them."""
    metadata = facts.to_metadata()
    missing = [name for name in NAMES if getattr(facts, name) is not None and name.replace("_", "-") not in metadata]
    assert Facts.from_metadata(metadata) == replace(facts, **dict.fromkeys(missing))
    assert not missing or bytes_of(metadata) > S3_METADATA_BYTES - 800
    assert Facts.from_metadata({name.title(): value for name, value in metadata.items()}) == Facts.from_metadata(
        metadata
    )


@given(all_facts)
def test_metadata_is_printable_ascii_without_outer_spaces(facts: Facts) -> None:
    """S3 takes only ASCII and trims spaces, so nothing else is ever sent."""
    for name, value in facts.to_metadata().items():
        assert name.isascii()
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


@given(st.dictionaries(st.sampled_from([name.replace("_", "-") for name in NAMES]) | st.text(), st.text()))
def test_foreign_metadata_is_read_without_complaint(metadata: dict[str, str]) -> None:
    """An object that someone else wrote is shown with what can be read of it."""
    facts = Facts.from_metadata(metadata)
    assert facts.sha256 is None or len(facts.sha256) == 64


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", "-1"),
        ("width", "１２"),
        ("width", "1" * 19),
        ("width", "12.0"),
        ("format", "bmp"),
        ("has-alpha", "maybe"),
        ("is-animated", "1"),
        ("thumbhash", "not base64"),
        ("blurhash", "<script>"),
        ("dominant-color", "red"),
        ("dominant-color", "#FFFFFF"),
        ("dhash", "0123"),
        ("focal-point", "0.5"),
        ("focal-point", "1.5,0"),
        ("focal-point", "-0,0"),
        ("focal-point", "nan,nan"),
        ("focal-point", "0.12345,0"),
        ("removed", "GPS"),
        ("removed", "gps,"),
        ("kept", ""),
        ("sha256", "no digest"),
        ("sha256", "F" * 64),
        ("uploaded-at", "yesterday"),
        ("uploaded-at", "2024-13-01T00:00:00.000000"),
    ],
)
def test_an_unreadable_fact_is_none(name: str, value: str) -> None:
    """A fact that makes no sense counts as not known."""
    assert getattr(Facts.from_metadata({name: value}), name.replace("-", "_")) is None


def test_times_are_shown_in_utc_with_microseconds() -> None:
    """An upload's time reads the same wherever the server stands."""
    moment = datetime(2024, 12, 1, 15, 30, 22, 123_456, tzinfo=timezone(timedelta(hours=1)))
    assert format_time(moment) == "2024-12-01T14:30:22.123456"
    assert format_time(moment.replace(microsecond=0)).endswith(".000000")


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (None, None),
        ("", None),
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("evil\0.jpg", "evil.jpg"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("Ünïcødé 日本.jpg", "Ünïcødé 日本.jpg"),
        ("a/", None),
        ("..", None),
        (".", None),
        ("\ud800.jpg", ".jpg"),
    ],
)
def test_a_claimed_file_name_is_reduced_to_a_name(claimed: str | None, expected: str | None) -> None:
    """A file name is kept to be shown; folders, control characters and tricks are not."""
    assert clean_file_name(claimed) == expected


@given(st.text())
def test_a_cleaned_file_name_is_short_plain_and_stays_as_it_is(claimed: str) -> None:
    """Whatever name is claimed, what is kept is at most 150 bytes and clean already."""
    name = clean_file_name(claimed)
    if name is not None:
        assert 1 <= len(name.encode()) <= 150
        assert not {"/", "\\", "\0", "\n", "\r"}.intersection(name)
    assert clean_file_name(name) == name
