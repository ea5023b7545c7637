"""The command `img-url`: the delivery URL of an image in a size and format, signed where there are keys."""

from __future__ import annotations

from typing import Annotated

import typer

from app.bootstrap import default_services
from app.entrypoints.cli.output import JsonOption, open_output
from app.images.transform_text import canonical_text, parse_transform


def img_url(
    s3_key: Annotated[str, typer.Argument(help="The image's key.")],
    transform: Annotated[str, typer.Argument(help="Options as in w:640,f:webp or p:card; see docs/delivery.md.")],
    expires_in: Annotated[int | None, typer.Option(min=1, help="Seconds after which the URL ends.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the URL that shows an image in a size and format; made without asking whether it is there."""
    output = open_output(as_json=as_json)
    asked = parse_transform(transform)
    url = default_services().image_service.img_url(s3_key, asked, expires_in=expires_in)
    output.answer({"s3_key": s3_key, "transform": canonical_text(asked), "url": url}, url)
    if not url.startswith("http"):
        output.note("The URL begins at the host's root: set DELIVERY_BASE_URL for whole ones.")
