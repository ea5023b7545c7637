"""The commands about images: upload, download, exists, metadata, url, delete, ls."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.filesize import decimal

from app.bootstrap import default_services
from app.core.exceptions import ImageServiceError, InvalidRequest, S3ConnectionFailed
from app.core.image_types import Visibility
from app.entrypoints.cli.exit_codes import ExitCode, Interrupted, OutputUnwritable, UsageInvalid, answer_of
from app.entrypoints.cli.output import JsonOption, Output, Rows, describe_failure, open_output
from app.entrypoints.cli.showing import show_metadata, show_upload
from app.entrypoints.cli.uploading import Destination, FileOutcome, upload_files
from app.images.facts import Facts
from app.images.focal_points import parse_focal_point
from app.services.image_service import MAX_PAGE, ImageService
from app.services.results import ListedImage

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The image's key, as `upload` and `ls` print it.")]
TypeOption = Annotated[str, typer.Option("--type", help="The image type: user, property, room, or one of yours.")]
UserOption = Annotated[str | None, typer.Option("--user", help="The user whose image it is.")]

_STDOUT = "-"


def upload(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="JPEG, PNG, WebP, AVIF, GIF, TIFF or HEIC photos.")
    ],
    image_type: TypeOption,
    user_id: UserOption = None,
    focal: Annotated[
        str | None, typer.Option("--focal", metavar="X,Y", help="What crops keep in view, from the top left: 0.5,0.3.")
    ] = None,
    visibility: Annotated[
        Visibility | None, typer.Option("--visibility", help="Who may see them; left out: as their type says.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Files under way at once.")] = 4,
    as_json: JsonOption = False,
) -> None:
    """Store photos: small, safe and upright, with their variants. One failure never loses the others."""
    output = open_output(as_json=as_json)
    focal_point = None if focal is None else _parse_focal(focal)
    destination = Destination(image_type, user_id, focal_point, visibility)
    _open_service()
    outcomes = upload_files(default_services(), files, destination, concurrency=concurrency)
    _tell_failures(outcomes, output)
    output.answer(
        {"outcomes": [_describe_outcome(outcome) for outcome in outcomes]},
        "\n".join(show_upload(outcome.path, outcome.result) for outcome in outcomes if outcome.result),
    )
    _note_embedded(output)
    _exit_with_worst([outcome.error for outcome in outcomes])


def download(
    s3_key: KeyArgument,
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to: a file, a folder, `-` for stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch a stored picture: the whole file appears at once, or nothing does."""
    output = open_output(as_json=as_json)
    if target == _STDOUT:
        if as_json:
            raise UsageInvalid("`-o -` and --json cannot go together: stdout takes the picture or the JSON document.")
        asyncio.run(_copy(_open_service(), s3_key, sys.stdout.buffer))
        sys.stdout.buffer.flush()
        return
    service = _open_service()
    name = service.parse_key(s3_key).name
    path = Path(target or name)
    if path.is_dir():
        path /= name
    if path.exists() and not force:
        raise OutputUnwritable(f"{path} is there already.")
    with _replacing(path) as file:
        size = asyncio.run(_copy(service, s3_key, file))
    output.answer({"s3_key": s3_key, "file": str(path), "file_size": size}, f"{path}  {decimal(size)}")


def exists(s3_key: KeyArgument, as_json: JsonOption = False) -> None:
    """Say whether there is an image at the key: exit code 0 for yes, 1 for no."""
    output = open_output(as_json=as_json)
    there = asyncio.run(_open_service().image_exists(s3_key))
    output.answer({"s3_key": s3_key, "exists": there}, "yes" if there else "no")
    raise typer.Exit(ExitCode.OK if there else ExitCode.NO)


def metadata(s3_key: KeyArgument, as_json: JsonOption = False) -> None:
    """Show the facts of an image, stored and as it was sent."""
    output = open_output(as_json=as_json)
    image = asyncio.run(_open_service().get_image_metadata(s3_key))
    output.answer(image, show_metadata(image))


def url(
    s3_key: KeyArgument,
    expires_in: Annotated[
        int | None, typer.Option("--expires-in", metavar="SECONDS", help="Presign it for so long: 1 to 604800.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the image's URL: the public one, or a presigned one that opens private images too."""
    output = open_output(as_json=as_json)
    service = _open_service()
    made = service.get_image_url(s3_key) if expires_in is None else service.get_presigned_url(s3_key, expires_in)
    output.answer({"s3_key": s3_key, "url": made, "expires_in": expires_in}, made)
    _note_embedded(output)


def delete(
    s3_keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="The keys of the images.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete images and everything made from them. An image that is not there is no error."""
    output = open_output(as_json=as_json)
    if not yes:
        _ask_to_delete(s3_keys)
    service = _open_service()
    outcomes = asyncio.run(_delete_each(service, s3_keys))
    for key, _, error in outcomes:
        if error:
            output.fail(error, subject=key)
    output.answer(
        {
            "outcomes": [
                {"s3_key": key, "deleted": existed, "error": describe_failure(error) if error else None}
                for key, existed, error in outcomes
            ]
        },
        "\n".join(
            f"{key}  {'deleted' if existed else 'was not there'}" for key, existed, error in outcomes if not error
        ),
    )
    _exit_with_worst([error for _, _, error in outcomes])


def list_images(
    image_type: Annotated[str | None, typer.Option("--type", help="Images of this type only.")] = None,
    user_id: Annotated[str | None, typer.Option("--user", help="Images of this user only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List images, newest last within each type and user."""
    output = open_output(as_json=as_json)
    images, more = asyncio.run(_list_up_to(_open_service(), image_type, user_id, None if everything else limit))
    rows = [
        (image["uploaded_at"][:19], image["image_type"], decimal(image["file_size"]), image["s3_key"])
        for image in images
    ]
    output.answer({"images": images, "more": more}, Rows(("uploaded (UTC)", "type", "size", "key"), rows))
    if more:
        output.note(f"There are more than these {len(images)}: see them with --all or a higher --limit.")


def _parse_focal(text: str) -> tuple[float, float]:
    """Raises: UsageInvalid, when these are not two numbers from 0 to 1."""
    try:
        point = parse_focal_point([float(part) for part in text.split(",")])
    except (ValueError, InvalidRequest):
        raise UsageInvalid("--focal takes two numbers from 0 to 1, as in 0.5,0.3.") from None
    return point.x, point.y


def _open_service() -> ImageService:
    """The image service of this process. The embedded store is started here, once, rather than by the first file."""
    services = default_services()
    services.connect()
    return services.image_service


def _note_embedded(output: Output) -> None:
    if default_services().embedded:
        output.note("The embedded store answers URLs only while `heaven-images serve` runs.")


def _exit_with_worst(failures: list[Any]) -> None:
    codes = [answer_of(failure).exit_code for failure in failures if failure]
    if codes:
        raise typer.Exit(max(codes))


async def _copy(service: ImageService, s3_key: str, file: IO[bytes]) -> int:
    """Stream the picture into the file; its length in bytes."""
    digest, size = hashlib.sha256(), 0
    async with service.open_image(s3_key) as stream:
        async for chunk in stream.chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    expected = Facts.from_metadata(stream.object.metadata).sha256
    if expected and digest.hexdigest() != expected:
        raise S3ConnectionFailed("The image arrived damaged.", cause={"operation": "GetObject"})
    return size


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the path's place when the block succeeds, and vanishes when it does not."""
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        raise OutputUnwritable(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _ask_to_delete(s3_keys: list[str]) -> None:
    if not sys.stdin.isatty():
        raise UsageInvalid("There is no terminal to ask on: say --yes to delete.")
    what = s3_keys[0] if len(s3_keys) == 1 else f"these {len(s3_keys)} images"
    if not typer.confirm(f"Delete {what}?", err=True):
        raise typer.Exit(ExitCode.NO)


async def _delete_each(
    service: ImageService, s3_keys: list[str]
) -> list[tuple[str, bool | None, ImageServiceError | None]]:
    outcomes: list[tuple[str, bool | None, ImageServiceError | None]] = []
    for key in s3_keys:
        try:
            outcomes.append((key, await service.delete_image(key), None))
        except ImageServiceError as error:
            outcomes.append((key, None, error))
    return outcomes


async def _list_up_to(
    service: ImageService, image_type: str | None, user_id: str | None, limit: int | None
) -> tuple[list[ListedImage], bool]:
    """Up to `limit` images, all with None, and whether there are more."""
    images: list[ListedImage] = []
    cursor: str | None = None
    while limit is None or len(images) < limit:
        wanted = MAX_PAGE if limit is None else min(MAX_PAGE, limit - len(images))
        page = await service.list_images(image_type, user_id, limit=wanted, cursor=cursor)
        images += page["images"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return images, cursor is not None


def _tell_failures(outcomes: list[FileOutcome], output: Output) -> None:
    interrupted = [outcome.error for outcome in outcomes if isinstance(outcome.error, Interrupted)]
    for outcome in outcomes:
        if outcome.error and outcome.error not in interrupted:
            output.fail(outcome.error, subject=str(outcome.path))
    if interrupted:
        output.fail(interrupted[0], subject=f"{len(interrupted)} of {len(outcomes)} files")


def _describe_outcome(outcome: FileOutcome) -> dict[str, Any]:
    error = describe_failure(outcome.error) if outcome.error else None
    return {"file": str(outcome.path), "result": outcome.result, "error": error}
