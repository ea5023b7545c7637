"""Signed URLs and cookies: what CloudFront would verify, verified here with the public key by other means."""

from __future__ import annotations

import base64
import random
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.signers import CloudFrontSigner as BotoSigner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.services.cloudfront.private_keys import PrivateKey
from app.services.cloudfront.signing import CloudFrontSigner
from app.services.s3_presign import encode_key

ID = "K2JCJMDEHXQW5F"
UNTIL = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
EPOCH = 1893553445
URL = "https://cdn.example.com/users/1/a.jpg"
PATTERN = "https://cdn.example.com/variants/users/1/a/*"
URLS = [
    URL,
    f"{URL}?size=large",
    f"{URL}?a=1&b=2",
    "https://cdn.example.com/media/~tilde/a+b%2Bc/%C3%A9.jpg",
    f"https://cdn.example.com/{encode_key('users/ä ~+%/x.webp')}",
]


@pytest.fixture(params=["rsa", "ec"])
def key(request: pytest.FixtureRequest, rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> PrivateKey:
    return rsa_key if request.param == "rsa" else ec_key


def canned_policy(url: str, epoch: int = EPOCH) -> str:
    """As the developer guide writes it down, without a space."""
    return (
        '{"Statement":[{"Resource":"' + url + '","Condition":{"DateLessThan":{"AWS:EpochTime":' + str(epoch) + "}}}]}"
    )


def decode(text: str) -> bytes:
    """AWS's base64, undone by hand: - is +, _ is =, ~ is /."""
    return base64.b64decode(text.replace("-", "+").replace("_", "=").replace("~", "/"), validate=True)


def verify(key: PrivateKey, signature: bytes, policy: bytes) -> None:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, policy, padding.PKCS1v15(), hashes.SHA1())
    else:
        public.verify(signature, policy, ec.ECDSA(hashes.SHA256()))


def is_open(key: PrivateKey, signed: str) -> bool:
    """Whether CloudFront would take this URL with a canned policy, which it rebuilds from the URL itself."""
    base, _, query = signed.partition("?")
    own = [part for part in query.split("&") if part.partition("=")[0] not in OWN_PARAMETERS]
    fields = parse_qs(query)
    try:
        url = f"{base}?{'&'.join(own)}" if own else base
        policy = canned_policy(url, int(fields["Expires"][0]))
        verify(key, decode(fields["Signature"][0]), policy.encode())
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


OWN_PARAMETERS = {"Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"}


@pytest.mark.parametrize("url", URLS)
def test_a_canned_url_verifies_with_the_public_key(key: PrivateKey, url: str) -> None:
    """Whoever holds the public key can check a signed URL, whatever its path and query hold."""
    signed = CloudFrontSigner(key, ID).signed_url(url, expires_at=UNTIL)

    assert signed.startswith(f"{url}{'&' if '?' in url else '?'}Expires={EPOCH}&Signature=")
    assert is_open(key, signed)
    assert signed.endswith(f"&Key-Pair-Id={ID}" if isinstance(key, rsa.RSAPrivateKey) else "&Hash-Algorithm=SHA256")


def test_openssl_verifies_both_kinds_of_signatures(key: PrivateKey, tmp_path: Path) -> None:
    """A program that is not ours and has only the public key finds the signature good."""
    signed = CloudFrontSigner(key, ID).signed_url(URL, expires_at=UNTIL)
    (tmp_path / "key.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "signature").write_bytes(decode(parse_qs(urlsplit(signed).query)["Signature"][0]))
    (tmp_path / "policy").write_text(canned_policy(URL))
    digest = "-sha1" if isinstance(key, rsa.RSAPrivateKey) else "-sha256"

    command = ["openssl", "dgst", digest, "-verify", "key.pem", "-signature", "signature", "policy"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.stdout.strip() == "Verified OK", run.stderr


@pytest.mark.parametrize("url", URLS)
def test_rsa_urls_are_those_of_botocore(rsa_key: rsa.RSAPrivateKey, url: str) -> None:
    """Byte for byte what AWS's own library makes, with a canned and with a custom policy."""
    boto = BotoSigner(ID, lambda message: rsa_key.sign(message, padding.PKCS1v15(), hashes.SHA1()))
    ours = CloudFrontSigner(rsa_key, ID)

    assert ours.signed_url(url, expires_at=UNTIL) == boto.generate_presigned_url(url, date_less_than=UNTIL)
    policy = boto.build_policy(PATTERN, UNTIL)
    assert ours.signed_pattern(url, PATTERN, expires_at=UNTIL) == boto.generate_presigned_url(url, policy=policy)


def test_equal_arguments_give_equal_urls(key: PrivateKey) -> None:
    """Browsers find a picture in their cache again: nothing random is in its URL, also with ECDSA."""
    signer = CloudFrontSigner(key, ID)
    elsewhere = UNTIL.astimezone(timezone(timedelta(hours=5)))
    assert len({signer.signed_url(URL, expires_at=moment) for moment in (UNTIL, UNTIL, elsewhere)}) == 1
    assert len({signer.signed_pattern(URL, PATTERN, expires_at=UNTIL) for _ in range(3)}) == 1


def test_mutated_urls_do_not_verify(key: PrivateKey) -> None:
    """Nobody gets another picture, or the same for longer, by changing a signed URL anywhere."""
    signed = CloudFrontSigner(key, ID).signed_url(f"{URL}?v=1", expires_at=UNTIL)
    end = signed.index("&Key-Pair-Id")
    generator = random.Random(4)
    assert is_open(key, signed)

    for _ in range(1000):
        place = generator.randrange(end)
        changed = signed[:place] + generator.choice("abcXYZ019-_~/.%") + signed[place + 1 :]
        # Bits of base64 that stand for nothing may change; they open nothing else.
        is_same = changed == signed or _signs_the_same(changed, signed)
        assert is_same or not is_open(key, changed), changed


def _signs_the_same(changed: str, signed: str) -> bool:
    one, other = parse_qs(urlsplit(changed).query), parse_qs(urlsplit(signed).query)
    try:
        is_same_signature = decode(one.pop("Signature")[0]) == decode(other.pop("Signature")[0])
    except (KeyError, ValueError):
        return False
    return is_same_signature and one == other and changed.partition("?")[0] == signed.partition("?")[0]


def test_a_pattern_and_its_cookies_carry_their_policy(key: PrivateKey) -> None:
    """One signature opens all sizes of an image, in a URL or as cookies, until it expires."""
    signer = CloudFrontSigner(key, ID)
    fields = parse_qs(urlsplit(signer.signed_pattern(URL, PATTERN, expires_at=UNTIL)).query)
    cookies = signer.cookies(PATTERN, expires_at=UNTIL)

    for policy, signature in (
        (fields["Policy"][0], fields["Signature"][0]),
        (cookies["CloudFront-Policy"], cookies["CloudFront-Signature"]),
    ):
        assert decode(policy).decode() == canned_policy(PATTERN)
        verify(key, decode(signature), decode(policy))
    assert fields["Key-Pair-Id"] == [cookies["CloudFront-Key-Pair-Id"]] == [ID]
    algorithm = None if isinstance(key, rsa.RSAPrivateKey) else "SHA256"
    assert cookies.get("CloudFront-Hash-Algorithm") == algorithm
    assert fields.get("Hash-Algorithm", [None]) == [algorithm]
    # No character that a cookie or a query would have to escape.
    assert all(c.isalnum() or c in "-_~" for value in cookies.values() for c in value)


@pytest.mark.parametrize("url", [f"{URL}#top", f"{URL} x", 'https://cdn.example.com/"', "https://cdn.example.com/é"])
def test_a_url_that_is_not_encoded_is_not_signed(rsa_key: rsa.RSAPrivateKey, url: str) -> None:
    """What a browser would change before it asks, CloudFront would refuse: it is refused here, at once."""
    signer = CloudFrontSigner(rsa_key, ID)
    with pytest.raises(ValueError, match="percent-encoded"):
        signer.signed_url(url, expires_at=UNTIL)
    with pytest.raises(ValueError, match="percent-encoded"):
        signer.cookies(url, expires_at=UNTIL)


def test_an_expiry_without_a_time_zone_is_refused(rsa_key: rsa.RSAPrivateKey) -> None:
    """A time is not read as that of whatever zone the machine is in."""
    with pytest.raises(ValueError, match="time zone"):
        CloudFrontSigner(rsa_key, ID).signed_url(URL, expires_at=UNTIL.replace(tzinfo=None))


def test_nothing_of_the_key_is_shown(key: PrivateKey) -> None:
    """A signer can be logged."""
    assert repr(CloudFrontSigner(key, ID)) == f"CloudFrontSigner(key_pair_id='{ID}')"
