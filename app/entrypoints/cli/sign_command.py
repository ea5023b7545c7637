"""`heaven-images sign`: presigned URLs of images, for a time or for the current window."""

from __future__ import annotations

from typing import Annotated

import typer

from app.bootstrap import default_services
from app.entrypoints.cli.exit_codes import UsageInvalid
from app.entrypoints.cli.output import JsonOption, open_output
from app.images.facts import format_time
from app.services.url_methods import DEFAULT_EXPIRY_SECONDS


def sign(
    s3_keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="The keys of the images.")],
    expires_in: Annotated[
        int | None,
        typer.Option("--expires-in", metavar="SECONDS", help="How long the URLs hold: 1 to 604800, by default 3600."),
    ] = None,
    stable: Annotated[
        bool, typer.Option("--stable", help="The URLs of the current window: the same ones until it ends.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print presigned URLs, a line per key in their order. They open private images too."""
    output = open_output(as_json=as_json)
    if stable and expires_in is not None:
        raise UsageInvalid("--stable and --expires-in cannot go together: a stable URL lives as long as its window.")
    services = default_services()
    services.connect()
    service = services.image_service
    lifetime = None if stable else DEFAULT_EXPIRY_SECONDS if expires_in is None else expires_in
    signed = service.presign(service.parse_keys(s3_keys), expires_in=lifetime)
    output.answer(
        {"urls": signed.urls, "expires_at": format_time(signed.expires_at)},
        "\n".join(signed.urls[s3_key] for s3_key in s3_keys),
    )
    output.note(f"They hold until {signed.expires_at:%Y-%m-%d %H:%M:%S} UTC.")
    if services.embedded:
        output.note("The embedded store answers URLs only while `heaven-images serve` runs.")
