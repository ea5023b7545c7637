"""`heaven-images invalidate`: tells the CDN of what was deleted, once, where no service runs that does."""

from __future__ import annotations

import asyncio

from app.bootstrap import default_services
from app.core.exceptions import ConfigurationError
from app.entrypoints.cli.exit_codes import CdnRefused
from app.entrypoints.cli.output import JsonOption, open_output
from app.services.cloudfront.control_api import CloudFrontFailed
from app.services.cloudfront.service import CdnInvalidation
from app.services.cloudfront.worker import Pass


def invalidate(as_json: JsonOption = False) -> None:
    """Tell the CDN of deleted and moved images, once. A running `serve` does it by itself."""
    output = open_output(as_json=as_json)
    services = default_services()
    if services.cdn_invalidation is None:
        raise ConfigurationError({"CLOUDFRONT_DISTRIBUTION_ID": "must be set: without a distribution there is no CDN"})
    services.connect()
    made = asyncio.run(_settle(services.cdn_invalidation))
    shown = f"{made.sent_paths} paths invalidated, {made.left_entries} entries left"
    if made.left_entries:
        shown += ": CloudFront has no room for more yet" if made.is_full else ": too young, repeat it in a minute"
    output.answer(
        {"sent_paths": made.sent_paths, "left_entries": made.left_entries, "waits_for_room": made.is_full}, shown
    )


async def _settle(invalidation: CdnInvalidation) -> Pass:
    try:
        return await invalidation.settle()
    except CloudFrontFailed as error:
        raise CdnRefused(f"CloudFront did not accept the invalidation: {error.code}. It is kept.") from error
