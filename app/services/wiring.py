"""The parts that the image service works with."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.core.image_types import ImageTypes
from app.images.keys import TOKEN_ALPHABET, TOKEN_LENGTH
from app.images.limits import PixelLimits
from app.images.records import RenderPlan
from app.services.cdn_protocols import CdnInvalidator, CdnSigner
from app.services.delivery_policy import DeliveryPolicy
from app.services.protocols import ImageProcessor, ObjectStore, UrlSigner
from app.services.slots import Slots


def draw_token() -> str:
    """The random part of a key: 8 of a-z0-9, about 41 bits."""
    return "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(TOKEN_LENGTH))


def read_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wiring:
    """Stores, engines and limits of one image service; sizes in bytes and pixels, times in seconds."""

    store: ObjectStore
    urls: UrlSigner
    processor: ImageProcessor
    types: ImageTypes
    max_upload_bytes: int
    pixel_limits: PixelLimits
    plans: Mapping[str, RenderPlan]
    slots: Slots
    keeps_copyright: bool = False
    source_timeout_seconds: float = 120.0
    store_timeout_seconds: float = 10.0
    delivery: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    cdn: CdnSigner | None = None
    invalidator: CdnInvalidator | None = None
    new_token: Callable[[], str] = draw_token
    now: Callable[[], datetime] = read_clock
