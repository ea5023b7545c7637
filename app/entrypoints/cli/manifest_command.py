"""`heaven-images manifest`: what a page needs to show images, as HTML or as JSON."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from app.bootstrap import default_services
from app.core.exceptions import ImageNotFound
from app.entrypoints.cli.exit_codes import answer_of
from app.entrypoints.cli.output import JsonOption, Output, open_output
from app.services.results import Manifest


def manifest(
    s3_keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="The keys of the images, at most 100.")],
    html: Annotated[bool, typer.Option("--html", help="Print the <picture> elements.")] = False,
    sizes: Annotated[
        str | None, typer.Option("--sizes", help="How wide the page shows them: '(max-width: 600px) 100vw, 50vw'.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a page needs to show images: sources, sizes, placeholders, or the HTML itself."""
    output = open_output(as_json=as_json)
    services = default_services()
    services.connect()
    found = asyncio.run(services.image_service.get_manifests(s3_keys, sizes=sizes))
    shown = [each["picture"] if html else _show(each) for each in found.values() if each]
    # With --html stdout is to be pasted: nothing else is on it.
    output.answer({"manifests": found}, "\n".join(shown) if html else "\n\n".join(shown))
    _tell_missing([key for key, each in found.items() if each is None], output)


def _show(found: Manifest) -> str:
    size = f"{found['width']}×{found['height']}" if found["width"] else "size not known"
    lines = [
        f"{found['s3_key']}  {size}  {found['visibility']}",
        f"  src    {found['src']}",
        f"  sizes  {found['sizes']}",
        *(f"  {source['type']:<11}{_widths_of(source['srcset'])}" for source in found["sources"]),
        *(f"  {name:<11}{preset['width']}×{preset['height']}" for name, preset in found["presets"].items()),
    ]
    if found["expires_at"]:
        lines.append(f"  until  {found['expires_at']} UTC")
    return "\n".join(lines)


def _widths_of(srcset: str) -> str:
    return " ".join(candidate.rpartition(" ")[2] for candidate in srcset.split(", "))


def _tell_missing(missing: list[str], output: Output) -> None:
    for key in missing:
        output.fail(ImageNotFound(), subject=key)
    if missing:
        raise typer.Exit(answer_of(ImageNotFound()).exit_code)
