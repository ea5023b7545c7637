"""The key grammar: what is built parses back exactly, and nothing else is a key."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import InvalidImageKey, InvalidUserId
from app.images.keys import (
    MAX_USER_ID_CHARACTERS,
    TOKEN_ALPHABET,
    TOKEN_LENGTH,
    ImageKey,
    folder_of,
    parse_image_key,
    parse_user_id,
)

PREFIXES = ("users", "properties", "rooms", "private/users", "private/properties", "private/rooms")
KEY = "users/123/20241201_143022_a1b2c3d4.jpg"


def _is_user_id(text: str) -> bool:
    try:
        return parse_user_id(text) == text
    except InvalidUserId:
        return False


user_ids = st.one_of(
    st.integers(0, 10**18).map(str),
    st.text("abcXYZ019-_.@+ ~!", min_size=1, max_size=MAX_USER_ID_CHARACTERS),
    st.text(min_size=1, max_size=20),
).filter(_is_user_id)
image_keys = st.builds(
    ImageKey,
    st.sampled_from(["users", "properties", "rooms"]),
    st.none() | user_ids,
    st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    st.text(TOKEN_ALPHABET, min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH),
    st.sampled_from(["jpg", "png", "webp"]),
    st.booleans(),
)


@given(image_keys)
def test_a_built_key_parses_back_to_its_parts(key: ImageKey) -> None:
    """Whatever key the service makes, it understands again, part by part."""
    assert parse_image_key(str(key), prefixes=PREFIXES) == key


@given(image_keys, st.data())
def test_a_mutated_key_fails_or_means_exactly_itself(key: ImageKey, data: st.DataObject) -> None:
    """A changed key is refused, or it is another key: two texts never mean the same image."""
    text = str(key)
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 3))
    mutated = (
        text[:at]
        + data.draw(st.text(max_size=3) | st.sampled_from(["/", "//", "..", "%2f", "\n", "\0"]))
        + text[at + length :]
    )
    _assert_refused_or_exact(mutated)


@given(st.text())
def test_any_text_fails_or_means_exactly_itself(text: str) -> None:
    """No text at all makes the parser fail in another way than by saying that it is no key."""
    _assert_refused_or_exact(text)


def _assert_refused_or_exact(text: str) -> None:
    with suppress(InvalidImageKey):
        assert str(parse_image_key(text, prefixes=PREFIXES)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "users",
        "users/",
        f"/{KEY}",
        f"{KEY}/",
        f"{KEY}\n",
        f" {KEY}",
        KEY.upper(),
        "users//20241201_143022_a1b2c3d4.jpg",
        "users/./20241201_143022_a1b2c3d4.jpg",
        "users/../20241201_143022_a1b2c3d4.jpg",
        "users/1/2/20241201_143022_a1b2c3d4.jpg",
        "users/%2e%2e/20241201_143022_a1b2c3d4.jpg",
        "users\\1\\20241201_143022_a1b2c3d4.jpg",
        "users/1\0/20241201_143022_a1b2c3d4.jpg",
        "users/\u202e1/20241201_143022_a1b2c3d4.jpg",
        "variants/users/123/20241201_143022_a1b2c3d4.jpg",
        "incoming/20241201_143022_a1b2c3d4.jpg",
        "user/123/20241201_143022_a1b2c3d4.jpg",
        "Users/123/20241201_143022_a1b2c3d4.jpg",
        "usersx/123/20241201_143022_a1b2c3d4.jpg",
        "users/123/20241301_143022_a1b2c3d4.jpg",
        "users/123/20240230_143022_a1b2c3d4.jpg",
        "users/123/20241201_243022_a1b2c3d4.jpg",
        "users/123/20241201_143060_a1b2c3d4.jpg",
        "users/123/２０２４1201_143022_a1b2c3d4.jpg",
        "users/123/20241201_143022_A1B2C3D4.jpg",
        "users/123/20241201_143022_a1b2c3d.jpg",
        "users/123/20241201_143022_a1b2c3d45.jpg",
        "users/123/20241201_143022_a1b2c3d４.jpg",
        "users/123/20241201_143022_a1b2c3d4.JPG",
        "users/123/20241201_143022_a1b2c3d4.jpeg",
        "users/123/20241201_143022_a1b2c3d4.heic",
        "users/123/20241201_143022_a1b2c3d4.jpg.html",
        "users/123/20241201_143022_a1b2c3d4",
        f"users/{'u' * 65}/20241201_143022_a1b2c3d4.jpg",
        f"users/{KEY}",
        f"private/private/{KEY}",
        f"private//{KEY}",
        f"/private/{KEY}",
        f"Private/{KEY}",
        f"variants/private/{KEY}",
        "private/documents/123/20241201_143022_a1b2c3d4.jpg",
        "private/20241201_143022_a1b2c3d4.jpg",
        "private/123/20241201_143022_a1b2c3d4.jpg",
    ],
)
def test_what_only_looks_like_a_key_is_refused(text: str) -> None:
    """Nothing but a key of a known image type can be read, presigned or deleted."""
    with pytest.raises(InvalidImageKey):
        parse_image_key(text, prefixes=PREFIXES)


def test_a_leap_second_is_not_a_time_of_ours() -> None:
    """Second 61, which some clocks accept and then write differently, is no key."""
    with pytest.raises(InvalidImageKey):
        parse_image_key("users/20161231_235961_a1b2c3d4.jpg", prefixes=PREFIXES)


def test_the_keys_of_the_contract_parse() -> None:
    """The keys that the documentation shows are keys."""
    for text in (KEY, "properties/20241201_143022_e5f6g7h8.jpg", "rooms/20241201_143022_i9j0k1l2.png"):
        assert str(parse_image_key(text, prefixes=PREFIXES)) == text


def test_a_users_folder_holds_no_neighbour() -> None:
    """Listing user 1 never shows what user 10 uploaded."""
    key = parse_image_key("users/10/20241201_143022_a1b2c3d4.jpg", prefixes=PREFIXES)
    assert not str(key).startswith(folder_of("users", "1"))
    assert str(key).startswith(folder_of("users", "10"))
    assert key.folder == "users/10/"


def test_variants_of_neighbours_lie_apart() -> None:
    """Deleting an image's variants never touches those of an image whose key begins alike."""
    key = parse_image_key(KEY, prefixes=PREFIXES)
    assert key.variants_prefix == "variants/users/123/20241201_143022_a1b2c3d4/"


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "a..b",
        "a/b",
        "a\\b",
        "/",
        "\0",
        "a\nb",
        "a\n",
        "\ta",
        "\u202eabc",
        "a\u2028b",
        "a\u00a0b",
        "a\ud800",
        " a",
        "a ",
        "%2e%2e",
        "a%2Fb",
        "%00",
        "u" * 65,
        "20241201_143022_a1b2c3d4.jpg",
        True,
    ],
)
def test_a_user_id_that_could_mean_something_else_is_refused(value: str | int) -> None:
    """A user id never steers where an image is stored."""
    with pytest.raises(InvalidUserId):
        parse_user_id(value)


@pytest.mark.parametrize(
    "value",
    [
        0,
        123,
        -5,
        10**18,
        "123",
        "u" * 64,
        "𝕌" * 64,
        "１２３",
        "Ünï çødé",
        "a.b@c.de",
        "auth0|5f7c",
        "100%",
        "a+b",
        "日本",
    ],
)
def test_an_ordinary_user_id_stands_in_the_key_as_it_is(value: str | int) -> None:
    """Numbers, e-mail addresses and names in any script may own images."""
    assert parse_user_id(value) == str(value)


@given(st.text(max_size=70))
def test_any_text_is_a_user_id_or_is_refused(text: str) -> None:
    """Checking a user id ends with the id itself or with one error, whatever was sent."""
    try:
        assert parse_user_id(text) == text
    except InvalidUserId:
        return
    assert not {"/", "\\", "\0", "\n"}.intersection(text)


def test_a_single_private_image_has_a_place_of_its_own() -> None:
    """A private image and all that is made of it lie under prefixes that no bucket policy opens."""
    key = parse_image_key(f"private/{KEY}", prefixes=PREFIXES)
    assert (key.is_private, key.prefix, key.root, key.user_id) == (True, "users", "private/users", "123")
    assert key.folder == "private/users/123/"
    assert key.variants_prefix == "variants/private/users/123/20241201_143022_a1b2c3d4/"


def test_a_private_key_is_none_where_only_public_ones_are_asked_for() -> None:
    """Code that names the prefixes of public images gets no private one."""
    with pytest.raises(InvalidImageKey):
        parse_image_key(f"private/{KEY}", prefixes=["users"])
