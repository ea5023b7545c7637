"""Signatures of delivery URLs: what was signed passes, everything else does not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.exceptions import InvalidSignature, UrlExpired
from app.images.signatures import SignedPicture, sign_picture, verify_picture

OLD, NEW = b"an old key that is long enough, really", b"a new key that is long enough too, really"
KEY = "users/123/20241201_143022_a1b2c3d4.jpg"
MUTATIONS = 10_000


def verify(segment: str, transform: str = "w:640", s3_key: str = KEY, *, now: float = 0.0) -> SignedPicture:
    return verify_picture(segment, transform, s3_key, keys=[NEW, OLD], now=now)


def test_the_signature_is_the_documented_one() -> None:
    """Another program can sign URLs from the documentation alone: HMAC-SHA256 in base64url without padding."""
    message = f"heaven-img-v1\n1800000000\nw:640\n{KEY}".encode()
    digest = hmac.new(NEW, message, hashlib.sha256).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=") + ".1800000000"
    assert sign_picture(SignedPicture("w:640", KEY, 1_800_000_000), NEW) == expected


@pytest.mark.parametrize("key", [OLD, NEW], ids=["old key", "new key"])
def test_every_listed_key_verifies(key: bytes) -> None:
    """URLs that were signed with a key stay good for as long as the key is listed, so keys can be rotated."""
    assert verify(sign_picture(SignedPicture("w:640", KEY), key)) == SignedPicture("w:640", KEY)


def test_a_key_taken_off_the_list_verifies_nothing() -> None:
    """Taking a key off the list ends every URL that it signed."""
    segment = sign_picture(SignedPicture("w:640", KEY), OLD)
    with pytest.raises(InvalidSignature):
        verify_picture(segment, "w:640", KEY, keys=[NEW], now=0)
    with pytest.raises(InvalidSignature):
        verify_picture(segment, "w:640", KEY, keys=[], now=0)


def test_a_url_ends_at_its_expiry() -> None:
    """A signed URL is good until the second it names, and never after."""
    segment = sign_picture(SignedPicture("w:640", KEY, 1000), NEW)
    assert verify(segment, now=999.9).expires_at == 1000
    with pytest.raises(UrlExpired):
        verify(segment, now=1000)


def test_a_wrong_signature_is_refused_whatever_its_expiry() -> None:
    """Who did not sign does not learn that a URL has expired."""
    segment = sign_picture(SignedPicture("w:640", KEY, 1000), b"a key of somebody else, long enough too")
    with pytest.raises(InvalidSignature):
        verify(segment, now=5000)


def test_ten_thousand_mutations_are_refused() -> None:
    """No change to signature, expiry, transform or key passes, a changed last bit of the base64 included."""
    draw = random.Random(20241201)
    for number in range(MUTATIONS):
        expires_at = draw.choice([None, 2_000_000_000])
        segment = sign_picture(SignedPicture("w:640,f:webp", KEY, expires_at), draw.choice([OLD, NEW]))
        parts = [segment, "w:640,f:webp", KEY]
        at = number % 3
        mutated = list(parts)
        while mutated == parts:
            mutated[at] = mutate(draw, parts[at])
        with pytest.raises((InvalidSignature, UrlExpired)) as refusal:
            verify(*mutated, now=1_900_000_000)
        assert refusal.type is InvalidSignature, mutated


def mutate(draw: random.Random, text: str) -> str:
    """The text with one character changed, added, taken away or two of them swapped."""
    letters = string.ascii_letters + string.digits + "-_./:,~\n\0é"
    at = draw.randrange(len(text))
    match draw.randrange(4):
        case 0:
            return text[:at] + draw.choice(letters) + text[at + 1 :]
        case 1:
            return text[:at] + draw.choice(letters) + text[at:]
        case 2:
            return text[:at] + text[at + 1 :]
        case _:
            other = draw.randrange(len(text))
            swapped = list(text)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            return "".join(swapped)


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_the_check(segment: str, transform: str, s3_key: str) -> None:
    """Whatever stands in a URL is refused as an invalid signature, never by another error."""
    with pytest.raises(InvalidSignature):
        verify(segment, transform, s3_key)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n")), st.text(st.characters(exclude_characters="\n")))
def test_parts_cannot_be_shifted(transform: str, s3_key: str) -> None:
    """What moves from the transform into the key, or back, needs another signature."""
    whole = transform + s3_key
    segment = sign_picture(SignedPicture(transform, s3_key), NEW)
    for cut in range(len(whole) + 1):
        if cut != len(transform):
            with pytest.raises(InvalidSignature):
                verify(segment, whole[:cut], whole[cut:])
