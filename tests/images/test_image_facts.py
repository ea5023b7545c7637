"""Facts survive the trip through S3 metadata: ASCII, small, and read back without fuss."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.images.facts import MAX_METADATA_BYTES, Facts, clean_file_name, format_time
from app.images.formats import ImageFormat
from app.images.keys import MAX_USER_ID_CHARACTERS, parse_user_id

counts = st.none() | st.integers(0, 10**18 - 1)
formats = st.none() | st.sampled_from(ImageFormat)
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
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    source_format=formats,
    source_width=counts,
    source_height=counts,
    source_file_size=counts,
    source_frames=counts,
)
NAMES = list(Facts(*[None] * 14).__dataclass_fields__)


@given(all_facts)
def test_facts_read_back_as_they_were_written(facts: Facts) -> None:
    """Names in any script and every number come back from the store unchanged."""
    metadata = facts.to_metadata()
    assert Facts.from_metadata(metadata) == facts
    assert Facts.from_metadata({name.title(): value for name, value in metadata.items()}) == facts


@given(all_facts)
def test_metadata_is_printable_ascii_without_outer_spaces(facts: Facts) -> None:
    """S3 takes only ASCII and trims spaces, so nothing else is ever sent."""
    for name, value in facts.to_metadata().items():
        assert name.isascii()
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


def test_the_longest_facts_fit_into_the_metadata_of_an_object() -> None:
    """The longest user id and file name, four bytes per character, leave room for a store's own entries."""
    most = 10**18 - 1
    facts = Facts(
        image_type="t" * 32,
        owner=parse_user_id("𝕌" * MAX_USER_ID_CHARACTERS),
        file_name=clean_file_name("𝕌" * 500),
        uploaded_at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        width=most,
        height=most,
        format=ImageFormat.JPEG,
        has_alpha=False,
        sha256="f" * 64,
        source_format=ImageFormat.JPEG,
        source_width=most,
        source_height=most,
        source_file_size=most,
        source_frames=most,
    )
    metadata = facts.to_metadata() | {"write-id": "f" * 32}
    assert len(metadata) == len(NAMES) + 1
    assert sum(len(name) + len(value) for name, value in metadata.items()) <= MAX_METADATA_BYTES


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
        ("format", "gif"),
        ("has-alpha", "maybe"),
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
