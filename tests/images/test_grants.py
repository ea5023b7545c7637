"""Grants: what they open, until when, and that no other text passes for one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.exceptions import ImageNotFound, InvalidGrant
from app.images.grants import (
    MAX_GRANT_CHARACTERS,
    GrantScope,
    check_grant,
    check_owner,
    make_image_grant,
    make_owner_grant,
)
from app.images.keys import ImageKey, parse_image_key
from app.images.signatures import SignedPicture, sign_picture

KEYS = (b"the first key, with enough bytes in it", b"the second key, with enough bytes too")
ROOTS = ("users", "private/users", "documents")
NOW = datetime(2024, 12, 1, 14, 30, 22, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
NAME = "20241201_143022_a1b2c3d4.jpg"


def key(text: str) -> ImageKey:
    return parse_image_key(text, prefixes=ROOTS)


MINE = key(f"private/users/123/{NAME}")
FOR_IMAGE = make_image_grant(MINE, expires_at=LATER, signing_key=KEYS[0])
FOR_OWNER = make_owner_grant("users", "123", expires_at=LATER, signing_key=KEYS[0])


def opens(token: str, image: ImageKey, *, keys: tuple[bytes, ...] = KEYS, now: datetime = NOW) -> bool:
    try:
        check_grant(token, image, signing_keys=keys, now=now)
    except InvalidGrant:
        return False
    return True


@pytest.mark.parametrize(
    ("other", "by_image", "by_owner"),
    [
        (f"private/users/123/{NAME}", True, True),
        (f"users/123/{NAME}", False, True),
        (f"private/users/123/{NAME.replace('jpg', 'png')}", False, True),
        (f"private/users/123/{NAME.replace('a1b2', 'a1b3')}", False, True),
        (f"private/users/1234/{NAME}", False, False),
        (f"private/users/12/{NAME}", False, False),
        (f"private/users/{NAME}", False, False),
        (f"documents/123/{NAME}", False, False),
    ],
)
def test_what_a_grant_opens(other: str, by_image: bool, by_owner: bool) -> None:
    """A grant opens its one image, or its owner's images of its type wherever these lie, and nothing beside."""
    assert (opens(FOR_IMAGE, key(other)), opens(FOR_OWNER, key(other))) == (by_image, by_owner)


def test_grant_ends() -> None:
    """A grant is good until the second in which it expires ends."""
    assert opens(FOR_IMAGE, MINE, now=LATER + timedelta(milliseconds=999))
    assert not opens(FOR_IMAGE, MINE, now=LATER + timedelta(seconds=1))


def test_keys_can_be_rotated() -> None:
    """A grant stays good while its key is among the keys, in whatever place; without keys none is."""
    assert opens(FOR_IMAGE, MINE, keys=tuple(reversed(KEYS)))
    assert not opens(FOR_IMAGE, MINE, keys=KEYS[1:])
    assert not opens(FOR_IMAGE, MINE, keys=())


@settings(max_examples=2500, deadline=None)
@given(
    token=st.sampled_from([FOR_IMAGE, FOR_OWNER]),
    at=st.integers(0, 60),
    removed=st.integers(0, 4),
    added=st.text("abcxyzAZ0189-_.=+/ \n%", max_size=4) | st.text(max_size=2),
)
def test_changed_grant_opens_nothing(token: str, at: int, removed: int, added: str) -> None:
    """Whatever is changed in a grant, however little, it is none any more."""
    changed = token[:at] + added + token[at + removed :]
    assert opens(changed, MINE) == (changed == token)


def test_there_is_one_text_per_grant() -> None:
    """The last letter of a base64 text has bits that nothing reads: they make no second grant."""
    head, _, digest = FOR_IMAGE.partition(".")
    meant = base64.urlsafe_b64decode(digest + "=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    alike = [digest[:-1] + last for last in alphabet if base64.urlsafe_b64decode(digest[:-1] + last + "=") == meant]
    assert len(alike) == 4
    assert [text for text in alike if opens(f"{head}.{text}", MINE)] == [digest]
    assert not opens(f"{FOR_IMAGE}=", MINE)


def test_scopes_do_not_pass_for_one_another() -> None:
    """A grant for an image is none for a folder whose name is that image's, and the other way round."""
    assert not opens(f"o{FOR_IMAGE[1:]}", MINE)
    assert not opens(f"i{FOR_OWNER[1:]}", MINE)


def test_url_signature_is_no_grant() -> None:
    """What signs the URL of a picture opens nothing else, though the keys are the same."""
    expires_at = int(LATER.timestamp())
    signed = sign_picture(SignedPicture("w:640", str(MINE), expires_at), KEYS[0]).partition(".")[0]
    assert not opens(f"i{expires_at}.{signed}", MINE)


def test_grant_needs_no_encoding_in_urls() -> None:
    """A grant stands in a URL, a header or a file name as it is."""
    for token in (FOR_IMAGE, FOR_OWNER):
        assert token.isascii()
        assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()
        assert len(token) < MAX_GRANT_CHARACTERS


@pytest.mark.parametrize(("owner", "is_opened"), [("123", True), ("9", False), (None, False)])
def test_folder_holds_an_image_of_somebody_else(owner: str | None, is_opened: bool) -> None:
    """A grant for a user's images does not open one that lies in their folder and belongs to another."""
    scope = check_grant(FOR_OWNER, MINE, signing_keys=KEYS, now=NOW)
    if is_opened:
        check_owner(scope, MINE, owner)
    else:
        with pytest.raises(ImageNotFound):
            check_owner(scope, MINE, owner)
    check_owner(GrantScope.IMAGE, MINE, owner)
