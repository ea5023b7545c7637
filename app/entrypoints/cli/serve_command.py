"""The command `serve`: the HTTP service on one address, with its embedded store if it has one, until a signal."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.bootstrap import Services, default_services
from app.core.config import AuthMode
from app.core.exceptions import ImageServiceError
from app.entrypoints.cli.exit_codes import UsageInvalid, answer_of
from app.entrypoints.cli.http_server import run_http_server, store_check
from app.entrypoints.cli.listening import SharedAddress, listen
from app.entrypoints.cli.output import JsonOption, Output, open_output
from app.entrypoints.cli.serving_processes import ServingProcesses
from app.entrypoints.cli.serving_reports import Readiness

if TYPE_CHECKING:
    from fastapi import FastAPI

_MOST_WORKERS = 64
_STORE_RUNS_AGAIN = "The embedded store had ended; it runs again."


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[
        int,
        typer.Option(min=1, max=_MOST_WORKERS, help="Serving processes; PROCESSING_WORKERS are divided among them."),
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM; prints a curl line to try it with."""
    output = open_output(as_json=as_json)
    if workers > 1 and sys.platform == "win32":
        raise UsageInvalid("--workers needs a POSIX system (Linux, macOS, WSL).")
    services = default_services()
    if workers == 1:
        _serve_in_this_process(services, listen(host, port, services.settings), output)
    else:
        _serve_in_processes(services, SharedAddress(host, port, services.settings), workers, output)


def _serve_in_this_process(services: Services, listener: socket.socket, output: Output) -> None:
    async def announce(app: FastAPI) -> None:
        _announce(services, listener.getsockname(), app.docs_url, output)
        await _warn_of_store(services, output)

    check = store_check(services.revive_embedded, output, repaired=_STORE_RUNS_AGAIN)
    try:
        services.start_workers()
        services.connect()
        run_http_server(services, listener, when_answering=announce, check_store=check)
    finally:
        listener.close()
        services.close()


def _serve_in_processes(services: Services, address: SharedAddress, workers: int, output: Output) -> None:
    async def announce(ready: Readiness) -> None:
        _announce(services, address.address, ready.docs_path, output, workers=workers)
        await _warn_of_store(services, output)

    check = store_check(services.revive_embedded, output, repaired=_STORE_RUNS_AGAIN)
    try:
        with closing(address):
            services.connect()
            processes = ServingProcesses(services.settings, address, workers, on_ready=announce, check_store=check)
            asyncio.run(processes.run())
    finally:
        services.close()


def _announce(
    services: Services, address: tuple[Any, ...], docs_path: str | None, output: Output, *, workers: int = 1
) -> None:
    host, port = address[:2]
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    docs_url = f"{base}{docs_path}" if docs_path else None
    token = '-H "Authorization: Bearer $TOKEN" ' if services.settings.auth_mode is AuthMode.JWT else ""
    curl = f"curl {token}-F file=@photo.jpg -F image_type=user -F user_id=1 {base}/api/v1/images"
    store = _describe_store(services)
    place = f"{store['endpoint_url']}, bucket {store['bucket']}"
    if store["folder"]:
        place = f"the embedded store in {store['folder']} ({place})"
    lines = [
        f"Serving on     {base}" + (f" ({workers} processes)" if workers > 1 else ""),
        f"API docs       {docs_url}",
        f"Images go to   {place}",
        "",
        "Try it with a photo:",
        curl,
    ]
    output.note("\n".join([*lines, "", "Ctrl-C stops it."]))
    output.answer({"url": base, "docs_url": docs_url, "store": store, "curl": curl, "workers": workers}, "")


def _describe_store(services: Services) -> dict[str, Any]:
    connection = services.connect()
    return {
        "kind": "embedded" if services.embedded else "s3",
        "folder": str(services.settings.embedded_store_folder.absolute()) if services.embedded else None,
        "endpoint_url": connection.endpoint_url or connection.aws_endpoint_url,
        "bucket": connection.bucket,
    }


async def _warn_of_store(services: Services, output: Output) -> None:
    """The service runs without its store, and says so: the store may come back, and health checks need an answer."""
    try:
        await services.image_service.check_ready()
    except ImageServiceError as error:
        output.note(f"Warning: {error.detail} {answer_of(error).advice} Until then uploads fail.")
