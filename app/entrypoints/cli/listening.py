"""Where `serve` listens: one bound socket, or an address that several processes listen on with a socket each."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from contextlib import closing

from app.core.config import AuthMode, Settings
from app.core.exceptions import ConfigurationError
from app.entrypoints.cli.exit_codes import AddressUnavailable


def listen(host: str, port: int, settings: Settings) -> socket.socket:
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
        raise _unavailable(host, port, error) from error
    _answer_at_once(listener)
    return listener


class SharedAddress:
    """An address for several processes, each with a socket of its own from `new_listener`.

    On Linux the kernel deals connections out to those that listen (`SO_REUSEPORT`, socket(7)): of one socket that
    several accept from, the first to wake takes a whole burst. Elsewhere they accept from one socket.
    """

    def __init__(self, host: str, port: int, settings: Settings) -> None:
        """Raises: what `listen` raises, which also finds out whether somebody else listens there."""
        self._listener = listen(host, port, settings)
        self.address = self._listener.getsockname()
        if sys.platform != "linux":
            return
        with closing(self._listener) as found:
            family = found.family
        try:
            # Never listens: it keeps the port while no process does, and from whoever would reuse the address.
            self._listener = _bind_beside_others(family, self.address)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError as error:
            raise _unavailable(host, self.address[1], error) from error

    def new_listener(self) -> socket.socket:
        """A bound socket for one more process; close it once that has it."""
        if sys.platform != "linux":
            return self._listener.dup()
        return _bind_beside_others(self._listener.family, self.address)

    def close(self) -> None:
        self._listener.close()


def _bind_beside_others(family: socket.AddressFamily | int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as socket.create_server does
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    _answer_at_once(listener)
    return listener


def _answer_at_once(listener: socket.socket) -> None:
    # Connections inherit it. asyncio sets it only where the socket names its protocol; without it an answer waits 40 ms
    # for the acknowledgement of "100 Continue".
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _unavailable(host: str, port: int, error: OSError) -> AddressUnavailable:
    return AddressUnavailable(f"Nothing can listen on {host} port {port}: {os.strerror(error.errno or 0)}.")
