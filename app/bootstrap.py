"""The composition root: settings → concrete services."""

from __future__ import annotations

import atexit
import threading
from functools import cache

from app.core.config import Settings
from app.images.limits import PixelLimits
from app.images.records import RenderOptions
from app.services.bucket_setup import prepare_embedded_bucket
from app.services.decoder.vips_processor import VipsProcessor
from app.services.embedded_s3 import EmbeddedS3
from app.services.image_service import ImageService
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from app.services.slots import Slots
from app.services.wiring import Wiring

EMBEDDED_BUCKET = "heaven-images"


class Services:
    """Everything made from one set of settings, each part once. Nothing connects or starts before its first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.embedded = EmbeddedS3(settings.heaven_home / "s3") if settings.uses_embedded_store else None
        self.store = S3Service(self.connect)
        self.urls = S3UrlSigner(self.connect)
        self.image_service = ImageService(self._wire)
        self._lock = threading.Lock()
        self._connection: S3Connection | None = None

    def connect(self) -> S3Connection:
        """The connection to the configured bucket, or to the embedded store, started and with its bucket prepared.

        Raises:
            EmbeddedS3Unavailable: it could not be started.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._start_embedded() if self.embedded else self._configured()
            return self._connection

    def close(self) -> None:
        """Frees threads and connections and stops the embedded store, if this process was its last user."""
        self.store.close()
        with self._lock:
            self._connection = None
        if self.embedded:
            self.embedded.stop()

    def _configured(self) -> S3Connection:
        bucket = self.settings.s3_bucket_name
        assert bucket is not None  # noqa: S101 - Settings made sure
        return S3Connection.from_settings(self.settings, bucket=bucket)

    def _start_embedded(self) -> S3Connection:
        assert self.embedded is not None  # noqa: S101 - the caller looked
        started = self.embedded.start()
        plain = S3Connection.from_settings(self.settings, bucket=EMBEDDED_BUCKET)
        connection = plain.at_embedded_store(
            endpoint_url=started.endpoint_url,
            region=started.region,
            access_key_id=started.access_key_id,
            secret_access_key=started.secret_access_key,
        )
        prepare_embedded_bucket(connection, self.settings)
        return connection

    def _wire(self) -> Wiring:
        settings = self.settings
        return Wiring(
            store=self.store,
            urls=self.urls,
            processor=VipsProcessor(threads=settings.processing_threads),
            types=settings.image_types,
            max_upload_bytes=settings.max_upload_bytes,
            pixel_limits=PixelLimits(settings.max_image_pixels, settings.max_image_side_pixels),
            render_options=RenderOptions(settings.max_stored_side_pixels, settings.jpeg_quality, settings.webp_quality),
            # One more than is rendered at once: the next file is read meanwhile.
            slots=Slots(settings.processing_threads + 1),
        )


@cache
def default_services() -> Services:
    """The services of this process, from the environment and `.env`; closed when the interpreter ends.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    services = Services(Settings.load())
    atexit.register(services.close)
    return services


def wire_default() -> Wiring:
    """The parts of the module-level `image_service`."""
    return default_services().image_service.parts
