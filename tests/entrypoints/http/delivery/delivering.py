"""What the tests of `/img` share: a service with signing keys and variants, and signed URLs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from PIL import Image

from app.core.delivery_settings import DeliveryAccess
from app.images.formats import ImageFormat
from app.images.records import Qualities, RenderPlan
from app.images.variants import Preset, VariantTable
from app.services.delivery_policy import DeliveryPolicy
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import ObjectStore
from tests.conftest import IMAGE_TYPES, make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, make_settings, run_api
from tests.pictures import make_jpeg

KEYS = (b"the newest of two keys and long enough to sign", b"the one before it and also long enough to sign")
SIGNED = DeliveryPolicy(access=DeliveryAccess.SIGNED, keys=KEYS)
PHOTO = make_jpeg(800, 600)
QUALITIES = Qualities(jpeg=80, webp=75, avif=60)
TABLE = VariantTable(
    widths=(160, 320),
    formats=(ImageFormat.AVIF, ImageFormat.JPEG),
    presets=(Preset("square", 100, 100),),
    qualities=((ImageFormat.JPEG, 80), (ImageFormat.AVIF, 60)),
)
PLAN = RenderPlan(max_side_pixels=640, qualities=QUALITIES, variants=TABLE.specs())


class CountingStore(MemoryStore):
    """A store in memory that knows what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []

    async def head(self, key: str) -> Any:
        self.calls.append(("head", key))
        return await super().head(key)

    async def get(self, key: str, byte_range: Any = None) -> Any:
        self.calls.append(("get", key))
        return await super().get(key, byte_range)

    async def create(self, new: Any) -> str:
        self.calls.append(("create", new.key))
        return await super().create(new)


def make_service(policy: DeliveryPolicy = SIGNED, store: ObjectStore | None = None, **changes: Any) -> ImageService:
    """An image service with two widths, a preset and fixed qualities for every type."""
    plans = dict.fromkeys(IMAGE_TYPES, PLAN)
    return make_image_service(store or CountingStore(), CONNECTION, **({"plans": plans, "delivery": policy} | changes))


@contextmanager
def delivering(policy: DeliveryPolicy = SIGNED, **changes: Any) -> Iterator[Api]:
    """The application on such a service; keywords change the policy."""
    service = make_service(replace(policy, **changes))
    apis = run_api(service, make_settings())
    try:
        yield next(apis)
    finally:
        apis.close()  # type: ignore[attr-defined]


def upload(
    api: Api, content: bytes = PHOTO, image_type: str = "user", user_id: str | None = "123", **options: Any
) -> str:
    """The key of a picture that was put there."""
    assert api.client.portal
    stored = api.client.portal.call(lambda: api.service.upload_image(content, image_type, user_id, **options))
    return stored["s3_key"]


def show(api: Api, s3_key: str, transform: str, *, accept: str = "*/*", **headers: str) -> Any:
    """The answer to the signed URL of a transform."""
    return api.client.get(api.service.img_url(s3_key, transform), headers={"accept": accept} | headers)


def calls_of(api: Api) -> list[tuple[str, str]]:
    """What the store was asked for, and forgotten with this."""
    store = api.service.parts.store
    assert isinstance(store, CountingStore)
    calls, store.calls = store.calls, []
    return calls


def picture_of(answer: Any) -> Image.Image:
    """The picture that was sent."""
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))
