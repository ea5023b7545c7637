"""The command `serve`: the HTTP service on one address, with its embedded store if it has one, until a signal."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.bootstrap import Services, default_services
from app.core.config import AuthMode, Settings
from app.core.exceptions import ConfigurationError, ImageServiceError
from app.entrypoints.cli.allocator import keep_memory_flat
from app.entrypoints.cli.exit_codes import AddressUnavailable, answer_of
from app.entrypoints.cli.output import JsonOption, Output, open_output

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_DRAIN_SECONDS = 15
_KEEP_ALIVE_SECONDS = 15
_STORE_CHECK_SECONDS = 2


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")] = 8000,
    as_json: JsonOption = False,
) -> None:
    """Run the service until Ctrl-C or SIGTERM; prints a curl line to try it with."""
    output = open_output(as_json=as_json)
    services = default_services()
    listener = _listen(host, port, services.settings)
    try:
        services.start_workers()
        services.connect()
        _run(services, listener, output)
    finally:
        listener.close()
        services.close()


def _listen(host: str, port: int, settings: Settings) -> socket.socket:
    """The bound socket, before anything else is started.

    Raises: AddressUnavailable; ConfigurationError when strangers could reach a service that asks nobody who they are.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise AddressUnavailable(f"{host} is no address of this machine: {error.strerror}.") from error
    if settings.auth_mode is AuthMode.NONE and not ipaddress.ip_address(address[0]).is_loopback:
        raise ConfigurationError(
            {
                "AUTH_MODE": f"must be jwt, with JWT_SECRET or JWT_JWKS_URL, to serve on {host}; "
                "none serves on 127.0.0.1 only, since it lets everyone do everything"
            }
        )
    try:
        listener = socket.create_server((str(address[0]), port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise AddressUnavailable(f"Nothing can listen on {host} port {port}: {reason}.") from error
    # Connections inherit it. asyncio sets it only where the socket names its protocol; without it an answer waits 40 ms
    # for the acknowledgement of "100 Continue".
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _run(services: Services, listener: socket.socket, output: Output) -> None:
    import uvicorn

    from app.entrypoints.http.app import create_app

    keep_memory_flat()
    app = create_app(services)

    class AnnouncingServer(uvicorn.Server):
        """Tells where it is once it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _announce(services, app, listener, output)
            await _warn_of_store(services, output)

    server = AnnouncingServer(_uvicorn_config(app, _revive_store(services, output)))
    # uvicorn raises the signal that ended it once more: SIGTERM is an ordinary end, SIGINT goes on as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.run([listener])


def _uvicorn_config(app: FastAPI, notify: Callable[[], Awaitable[None]]) -> uvicorn.Config:
    import uvicorn

    from app.entrypoints.http.bounded_http import BoundedHttp

    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        callback_notify=notify,
        timeout_notify=_STORE_CHECK_SECONDS,
    )


def _revive_store(services: Services, output: Output) -> Callable[[], Awaitable[None]]:
    """What the server does every two seconds: it starts the embedded store again if that has died."""

    async def revive() -> None:
        try:
            revived = await asyncio.to_thread(services.revive_embedded)
        except ImageServiceError as error:
            specifics = "".join(f"\n  {name}: {value}" for name, value in error.cause.items())
            output.note(f"Warning: {error.detail}{specifics}")
        else:
            if revived:
                output.note("The embedded store had ended; it runs again.")

    return revive


def _announce(services: Services, app: FastAPI, listener: socket.socket, output: Output) -> None:
    host, port = listener.getsockname()[:2]
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    docs_url = f"{base}{app.docs_url}" if app.docs_url else None
    token = '-H "Authorization: Bearer $TOKEN" ' if services.settings.auth_mode is AuthMode.JWT else ""
    curl = f"curl {token}-F file=@photo.jpg -F image_type=user -F user_id=1 {base}/api/v1/images"
    store = _describe_store(services)
    place = f"{store['endpoint_url']}, bucket {store['bucket']}"
    if store["folder"]:
        place = f"the embedded store in {store['folder']} ({place})"
    lines = [
        f"Serving on     {base}",
        f"API docs       {docs_url}",
        f"Images go to   {place}",
        "",
        "Try it with a photo:",
        curl,
    ]
    output.note("\n".join([*lines, "", "Ctrl-C stops it."]))
    output.answer({"url": base, "docs_url": docs_url, "store": store, "curl": curl}, "")


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
