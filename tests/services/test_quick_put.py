"""Later writes of a client take a shorter way than its first one, and nobody can tell."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from app.core.config import ChecksumMode
from app.core.exceptions import S3BucketNotFound
from app.services.protocols import NewObject
from app.services.s3_session import S3Session
from tests.conftest import BucketFactory

METADATA = {"owner": "ren%C3%A9", "file-name": "a  b.jpg"}


def an_object(key: str) -> NewObject:
    return NewObject(key, b"body of " + key.encode(), "image/jpeg", "private, no-cache", METADATA)


@pytest.mark.parametrize("mode", [ChecksumMode.WHEN_SUPPORTED, ChecksumMode.WHEN_REQUIRED])
def test_stored_alike(make_bucket: BucketFactory, mode: ChecksumMode) -> None:
    """What is stored by the short way has the same type, caching and metadata as what boto stores."""
    connection = make_bucket(checksum_mode=mode)
    session = S3Session(lambda: connection)
    session.create(an_object("users/1/first.jpg"), "1" * 32)
    session.create(an_object("users/a b/é+&.jpg"), "1" * 32)

    first, later = described(session, "users/1/first.jpg"), described(session, "users/a b/é+&.jpg")

    assert first == later
    session.close()


def test_boto_is_not_asked_again(make_bucket: BucketFactory) -> None:
    """Only the first write of a client goes through boto."""
    connection = make_bucket()
    session = S3Session(lambda: connection)
    asked: list[str] = []
    session._client.meta.events.register("before-call.s3.PutObject", lambda **_: asked.append("PutObject"))
    for number in range(5):
        session.create(an_object(f"users/1/{number}.jpg"), "1" * 32)
    assert asked == ["PutObject"]
    session.close()


def test_a_write_that_failed_teaches_nothing(make_bucket: BucketFactory) -> None:
    """A write that was refused shows nobody the way: the next one goes through boto again."""
    connection = replace(make_bucket(), bucket="no-such-bucket")
    session = S3Session(lambda: connection)
    asked: list[str] = []
    session._client.meta.events.register("before-call.s3.PutObject", lambda **_: asked.append("PutObject"))
    for number in range(2):
        with pytest.raises(S3BucketNotFound):
            session.create(an_object(f"users/1/{number}.jpg"), "1" * 32)
    assert asked == ["PutObject"] * 2
    session.close()


def test_threads_write_at_once(make_bucket: BucketFactory) -> None:
    """Sixteen threads that begin at the same time, the first write among them, each store their own object."""
    connection = make_bucket()
    session = S3Session(lambda: connection)
    keys = [f"users/1/{number}.jpg" for number in range(16)]
    threads = [
        threading.Thread(target=session.create, args=(an_object(key), f"{i:032x}")) for i, key in enumerate(keys)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.key for entry in session.list("users/", "", 100)] == sorted(keys)
    session.close()


def described(session: S3Session, key: str) -> dict[str, Any]:
    stored = session.head(key)
    assert stored is not None
    return {"type": stored.content_type, "caching": stored.cache_control, "metadata": stored.metadata}
