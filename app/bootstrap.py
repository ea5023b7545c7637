"""The composition root: settings → concrete services."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from contextlib import AbstractAsyncContextManager
from functools import cache

from app.core.config import Settings
from app.services.bucket_setup import prepare_embedded_bucket
from app.services.cloudfront.service import CdnInvalidation, make_signer, running
from app.services.decoder.confined_processor import ConfinedProcessor
from app.services.delivery_policy import DeliveryPolicy
from app.services.embedded_s3 import EmbeddedS3
from app.services.engine_plans import pixel_limits_of, plans_of
from app.services.image_service import ImageService
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner
from app.services.s3_service import S3Service
from app.services.sandbox.measures import Confinement
from app.services.slots import Slots
from app.services.wiring import Wiring

EMBEDDED_BUCKET = "heaven-images"


# Those that a forked child finds.
_living: weakref.WeakSet[Services] = weakref.WeakSet()


class Services:
    """Everything made from one set of settings, each part once. Nothing connects or starts before its first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.embedded = EmbeddedS3(settings.embedded_store_folder) if settings.uses_embedded_store else None
        self.store = S3Service(self.connect)
        self.urls = S3UrlSigner(self.connect)
        self.processor = ConfinedProcessor.from_settings(settings)
        # One more than is rendered at once: the next file is read meanwhile.
        self.slots = Slots(settings.processing_workers + 1, max_wait_seconds=settings.processing_max_wait_seconds)
        self.cdn = make_signer(settings)
        self.cdn_invalidation = CdnInvalidation.from_settings(settings, self.store)
        self.image_service = ImageService(self._wire)
        self._lock = threading.Lock()
        self._connection: S3Connection | None = None
        _living.add(self)

    def connect(self) -> S3Connection:
        """The connection to the configured bucket, or to the embedded store, started and with its bucket prepared.

        Raises:
            EmbeddedS3Unavailable: it could not be started.
        """
        # Asked for every URL, also on the event loop: once connected, it waits for nobody.
        if connection := self._connection:
            return connection
        with self._lock:
            if self._connection is None:
                self._connection = self._start_embedded() if self.embedded else self._configured()
            return self._connection

    def start_workers(self) -> Confinement:
        """Starts what the first upload would start, so that a failure is seen at once; how far workers are confined.

        Raises:
            SandboxUnavailable: they do not start on this system, or not confined as `SANDBOX` asks.
        """
        return self.processor.start()

    def invalidating(self) -> AbstractAsyncContextManager[None]:
        """A block during which the CDN is told, in the background, of what was deleted; without a distribution, none.

        Leaving it loses nothing: what the CDN has not accepted yet stays in the bucket.
        """
        return running(self.cdn_invalidation)

    def revive_embedded(self) -> bool:
        """Starts the embedded store again if it has ended, and finds it if it has moved; whether it had. Blocks.

        Raises:
            EmbeddedS3Unavailable: it could not be started. Later calls try again.
            S3Error: its bucket could not be prepared.
        """
        used = self._connection
        if self.embedded is None or used is None or self.embedded.is_running_at(used.endpoint_url):
            return False
        connection = self._start_embedded()
        with self._lock:
            self._connection = connection
        if connection != used:
            self.store.close()
        return True

    def begin_anew_after_fork(self) -> None:
        """In a forked child, before anything else runs there: nothing is shared with the parent but the settings."""
        self._lock = threading.Lock()
        self._connection = None
        self.slots.begin_anew()
        if self.embedded:
            self.embedded = self.embedded.for_forked_child()

    def close(self) -> None:
        """Ends workers, frees threads and connections, stops the embedded store if this process was its last user."""
        self.processor.close()
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
            processor=self.processor,
            types=settings.image_types,
            max_upload_bytes=settings.max_upload_bytes,
            pixel_limits=pixel_limits_of(settings),
            plans=plans_of(settings),
            slots=self.slots,
            keeps_copyright=settings.keep_copyright,
            source_timeout_seconds=settings.upload_total_timeout_seconds,
            store_timeout_seconds=settings.s3_total_timeout_seconds,
            delivery=DeliveryPolicy.from_settings(settings),
            cdn=self.cdn,
            invalidator=self.cdn_invalidation.invalidator if self.cdn_invalidation else None,
        )


class DefaultServices:
    """`functools.cache` for the services of this process, which unlike that makes them once however many ask."""

    def __init__(self) -> None:
        self._make_once = cache(_make_default)
        self.lock = threading.Lock()
        self.cache_info = self._make_once.cache_info
        self.cache_clear = self._make_once.cache_clear

    def __call__(self) -> Services:
        """The services of this process, from the environment and `.env`; closed when the interpreter ends.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        if self.cache_info().currsize:
            return self._make_once()
        with self.lock:
            return self._make_once()


def _make_default() -> Services:
    services = Services(Settings.load())
    atexit.register(services.close)
    return services


default_services = DefaultServices()


def _begin_anew_after_fork() -> None:
    default_services.lock = threading.Lock()
    for services in list(_living):
        services.begin_anew_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_begin_anew_after_fork)


def wire_default() -> Wiring:
    """The parts of the module-level `image_service`."""
    return default_services().image_service.parts
