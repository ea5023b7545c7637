"""`/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio

import pytest

from app.core.exceptions import S3ConnectionFailed
from app.entrypoints.http import health_routes
from app.entrypoints.http.health_routes import Readiness
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, assert_problem, make_settings, run_api


class MoodyStore(MemoryStore):
    """A store that counts how often it is asked, and may be down."""

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False
        self.asked = 0

    async def check_bucket(self) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise S3ConnectionFailed(cause={"operation": "ListObjectsV2"})


def test_health_and_readiness() -> None:
    """The process lives whether the store does or not; it is ready only with its store."""
    store = MoodyStore()
    for api in run_api(make_image_service(store, CONNECTION), make_settings()):
        assert api.client.get("/readyz").json() == {"status": "ready"}
    store.is_down = True
    for api in run_api(make_image_service(store, CONNECTION), make_settings()):
        assert api.client.get("/healthz").json() == {"status": "alive"}
        answer = api.client.get("/readyz")
        assert "cause" not in assert_problem(answer, 503, "S3_CONNECTION_FAILED")
        assert answer.headers["retry-after"]


async def test_many_probes_ask_the_store_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes in a crowd, and those of the next seconds, share one question to the store; then it is asked anew."""
    store = MoodyStore()
    readiness = Readiness(make_image_service(store, CONNECTION))

    assert await asyncio.gather(*(readiness.find_fault() for _ in range(20))) == [None] * 20
    store.is_down = True
    assert await readiness.find_fault() is None
    assert store.asked == 1

    monkeypatch.setattr(health_routes, "CACHE_SECONDS", 0.0)
    fresh = Readiness(make_image_service(store, CONNECTION))
    assert await fresh.find_fault() is not None
    store.is_down = False
    assert await fresh.find_fault() is None


async def test_probe_that_leaves_does_not_end_the_question_of_others() -> None:
    """A probe that is cancelled takes nobody with it."""
    store = MoodyStore()
    readiness = Readiness(make_image_service(store, CONNECTION))
    first = asyncio.create_task(readiness.find_fault())
    second = asyncio.create_task(readiness.find_fault())
    await asyncio.sleep(0)
    first.cancel()

    assert await second is None
    assert store.asked == 1
