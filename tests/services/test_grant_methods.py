"""Grants of the service: what they say, what a CDN is to open, and what cannot be granted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.core.exceptions import InvalidExpiry, InvalidImageKey, InvalidImageType, InvalidRequest, InvalidUserId
from app.services.delivery_policy import DeliveryPolicy
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from tests.services.image_services import KEY, NOW, service_on

KEYS = (b"the key that signs, long enough for all", b"the key of the day before, long enough")
STEM = "20241201_143022_a1b2c3d4"
BASE = "https://photos.s3.eu-central-1.amazonaws.com"


class Signer:
    """Implements `CdnSigner` without signing."""

    def signed_url(self, url: str, *, expires_at: datetime) -> str:
        return f"{url}?until={expires_at:%H%M%S%f}"

    def signed_pattern(self, url: str, pattern: str, *, expires_at: datetime) -> str:
        return f"{url}?until={expires_at:%H%M%S%f}&opens={pattern}"

    def cookies(self, pattern: str, *, expires_at: datetime) -> Mapping[str, str]:
        return {"opens": pattern, "until": f"{expires_at:%H%M%S%f}"}


def granting(**changes: Any) -> ImageService:
    return service_on(MemoryStore(), **({"delivery": DeliveryPolicy(keys=KEYS)} | changes))


def opened_by(grant: Any, url: str) -> bool:
    """Whether some pattern matches the URL, as CloudFront means it: `*` is any characters, query strings too."""
    return any(re.fullmatch(re.escape(part["pattern"]).replace(r"\*", ".*"), url, re.DOTALL) for part in grant["cdn"])


def test_grant_tells_what_it_opens_and_until_when() -> None:
    """A grant names its image or folder and its end; without a CDN there is nothing else."""
    service = granting()
    image = service.create_grant(s3_key=f"private/{KEY}", expires_in=60)
    folder = service.create_grant(owner=("user", 123), expires_in=604_800)
    assert (image["opens"], image["expires_at"], image["cdn"]) == (f"private/{KEY}", "2024-12-01T14:31:22.000000", [])
    assert (folder["opens"], folder["expires_at"]) == ("users/123/", "2024-12-08T14:30:22.000000")
    for made in (image, folder):
        service.check_grant(made["token"], service.parse_key(f"private/{KEY}"))


@pytest.mark.parametrize("asked", [{"s3_key": "private/users/123/" + STEM + ".jpg"}, {"owner": ("user", "123")}])
def test_cdn_opens_what_was_granted_and_nothing_beside(asked: dict[str, Any]) -> None:
    """With the CDN's signature the image opens in all sizes; other owners' images do not, whatever is put in a URL."""
    grant = granting(cdn=Signer()).create_grant(**asked)
    inside = [f"private/users/123/{STEM}.jpg", f"variants/private/users/123/{STEM}/640.avif"]
    outside = [
        f"private/users/1234/{STEM}.jpg",
        f"private/users/12/{STEM}.jpg",
        f"private/rooms/123/{STEM}.jpg",
        f"documents/123/{STEM}.jpg",
        f"variants/private/users/9/{STEM}/640.avif",
        f"documents/9/{STEM}.jpg?private/users/123/{STEM}.jpg",
        f"documents/9/{STEM}.jpg?{BASE}/private/users/123/{STEM}.",
    ]
    assert all(opened_by(grant, f"{BASE}/{key}") for key in inside)
    assert not any(opened_by(grant, f"{BASE}/{key}") for key in outside)
    assert len(grant["cdn"]) == 2
    for part in grant["cdn"]:
        assert part["query"] == f"until=153022000000&opens={part['pattern']}"
        assert part["cookies"] == {"opens": part["pattern"], "until": "153022000000"}


def test_cookies_of_several_grants_live_side_by_side() -> None:
    """Each part has a cookie path of its own, which holds that part alone."""
    service = granting(cdn=Signer())
    image = service.create_grant(s3_key=f"private/{KEY}")
    folder = service.create_grant(owner=("user", "rené"))
    assert [part["path"] for grant in (image, folder) for part in grant["cdn"]] == [
        f"/private/users/123/{STEM}.jpg",
        f"/variants/private/users/123/{STEM}",
        "/private/users/ren%C3%A9",
        "/variants/private/users/ren%C3%A9",
    ]


def test_owner_whose_name_is_a_pattern() -> None:
    """A user who is called `*` opens no other user's images."""
    grant = granting(cdn=Signer()).create_grant(owner=("user", "*"))
    assert opened_by(grant, f"{BASE}/private/users/%2A/{STEM}.jpg")
    assert not opened_by(grant, f"{BASE}/private/users/123/{STEM}.jpg")


def test_grant_of_a_private_type() -> None:
    """A private type's images are opened where they are."""
    grant = granting(cdn=Signer()).create_grant(owner=("document", "123"))
    assert [part["pattern"] for part in grant["cdn"]] == [
        f"{BASE}/documents/123/*",
        f"{BASE}/variants/documents/123/*",
    ]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, InvalidRequest),
        ({"s3_key": KEY, "owner": ("user", 1)}, InvalidRequest),
        ({"s3_key": "nonsense"}, InvalidImageKey),
        ({"owner": ("castle", 1)}, InvalidImageType),
        ({"owner": ("user", "a/b")}, InvalidUserId),
        ({"s3_key": KEY, "expires_in": 0}, InvalidExpiry),
        ({"s3_key": KEY, "expires_in": 604_801}, InvalidExpiry),
        ({"s3_key": KEY, "expires_in": True}, InvalidExpiry),
        ({"s3_key": KEY, "expires_in": 60.0}, InvalidExpiry),
    ],
)
def test_what_cannot_be_granted(asked: dict[str, Any], error: type[Exception]) -> None:
    """A grant is for one image or one owner that can exist, for 1 second to 7 days."""
    with pytest.raises(error):
        granting().create_grant(**asked)


def test_no_keys() -> None:
    """Without DELIVERY_KEYS none is made."""
    with pytest.raises(InvalidRequest, match="DELIVERY_KEYS"):
        service_on(MemoryStore()).create_grant(s3_key=KEY)


def test_grant_of_a_moment_ago_is_good_for_all_of_its_time() -> None:
    """Whole seconds in a token take nothing from its time."""
    service = granting()
    token = service.create_grant(s3_key=KEY, expires_in=1)["token"]
    later = granting(now=lambda: NOW + timedelta(seconds=0.99))
    later.check_grant(token, later.parse_key(KEY))
