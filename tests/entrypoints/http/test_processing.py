"""Processing over HTTP: too many uploads at once, and a start without the confinement that was asked for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from functools import partial

import httpx2
import pytest

from app.bootstrap import Services
from app.core.exceptions import ProcessingOverloaded, SandboxUnavailable
from app.core.sandbox_mode import Sandbox
from app.entrypoints.http.app import create_app
from app.services.decoder import confined_processor
from app.services.decoder.fork_server_client import ServerOrders
from app.services.memory_store import MemoryStore
from app.services.slots import Slots
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, PHOTO, ServicesOf, make_settings
from tests.entrypoints.http.raw_uploads import PATH, Target, form, head
from tests.running_service import run_service
from tests.services.emitting import EmittingProcessor

CLIENTS = 60
PACE_SECONDS = 0.2


async def pause(_: int) -> None:
    await asyncio.sleep(PACE_SECONDS)


@pytest.fixture
def busy() -> Iterator[Target]:
    """A service with two workers that take a fifth of a second for a picture; nobody waits longer than one."""
    store = MemoryStore()
    slots = Slots(2, max_wait_seconds=1)
    service = make_image_service(store, CONNECTION, processor=EmittingProcessor(pause=pause), slots=slots)
    with run_service(create_app(ServicesOf(service, make_settings()))) as served:
        yield Target(served.port, store)


def upload_at_once(port: int, count: int) -> list[tuple[int, float, httpx2.Response]]:
    """Status, seconds taken, and answer of as many uploads that begin together."""
    answers: list[tuple[int, float, httpx2.Response]] = []
    gate = threading.Barrier(count)

    def upload() -> None:
        with httpx2.Client(timeout=20) as client:
            gate.wait(20)
            asked_at = time.monotonic()
            answer = client.post(
                f"http://127.0.0.1:{port}/api/v1/images", files={"file": PHOTO}, data={"image_type": "user"}
            )
            answers.append((answer.status_code, time.monotonic() - asked_at, answer))

    threads = [threading.Thread(target=upload) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def test_overload(busy: Target) -> None:
    """Most of many clients at once are told quickly to come again; those that were let in are served meanwhile."""
    upload_at_once(busy.port, 6)
    answers = upload_at_once(busy.port, CLIENTS)

    served = [seconds for status, seconds, _ in answers if status == 201]
    refused = [(seconds, answer) for status, seconds, answer in answers if status == 503]
    assert len(served) + len(refused) == CLIENTS
    assert 4 <= len(served) <= 20
    assert max(served) < 5
    assert sorted(seconds for seconds, _ in refused)[len(refused) // 2] < 1.5
    for _, answer in refused:
        assert answer.json()["code"] == "PROCESSING_OVERLOADED"
        assert answer.json()["retryable"]
        assert int(answer.headers["Retry-After"]) >= 1


class NoRoom(Slots):
    """Places for which as many wait as may."""

    def check_room(self) -> None:
        raise ProcessingOverloaded


@pytest.mark.parametrize("path", [PATH, f"{PATH}/batch"])
def test_refused_before_the_body_is_read(path: str) -> None:
    """A client that asks before it sends is told of the overload at once, and need not send its picture."""
    store = MemoryStore()
    service = make_image_service(store, CONNECTION, slots=NoRoom(1))
    with run_service(create_app(ServicesOf(service, make_settings()))) as served:
        answer = Target(served.port, store).send(head(len(form(PHOTO)), "Expect: 100-continue", path=path))
    assert (answer.interim, answer.status, answer.problem["code"]) == (False, 503, "PROCESSING_OVERLOADED")


async def test_strict_confinement_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """With SANDBOX=strict the application does not start on a system that lacks a measure; it says which."""
    orders = partial(ServerOrders, entry="tests.services.workers.unconfinable")
    monkeypatch.setattr(confined_processor, "ServerOrders", orders)
    services = Services(make_settings(s3_bucket_name="photos", sandbox=Sandbox.STRICT))
    app = create_app(services)
    try:
        with pytest.raises(SandboxUnavailable, match="landlock"):
            async with app.router.lifespan_context(app):
                pass
    finally:
        services.close()
