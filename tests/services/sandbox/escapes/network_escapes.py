"""Attempts at the network and at sockets of other processes."""

from __future__ import annotations

import socket
import struct

from tests.services.sandbox.escapes.raw_calls import raw
from tests.services.sandbox.escapes.target import Target

_LOOPBACK = b"\x7f\x00\x00\x01"


def _internet_address(port: int) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + _LOOPBACK + bytes(8)


def _unix_address(name: bytes) -> bytes:
    return struct.pack("=H", socket.AF_UNIX) + name


def _connect(family: int, address: bytes) -> None:
    raw("connect", raw("socket", family, socket.SOCK_STREAM, 0), address, len(address))


def connect_to_a_tcp_port(target: Target) -> None:
    _connect(socket.AF_INET, _internet_address(target.tcp_port))


def listen_on_a_tcp_port(_: Target) -> None:
    listener = raw("socket", socket.AF_INET, socket.SOCK_STREAM, 0)
    raw("bind", listener, _internet_address(0), 16)
    raw("listen", listener, 1)


def send_a_datagram(target: Target) -> None:
    address = _internet_address(target.udp_port)
    raw("sendto", raw("socket", socket.AF_INET, socket.SOCK_DGRAM, 0), b"out", 3, 0, address, len(address))


def connect_to_a_socket_by_path(target: Target) -> None:
    _connect(socket.AF_UNIX, _unix_address(target.unix_socket.encode() + b"\0"))


def connect_to_an_abstract_socket(target: Target) -> None:
    _connect(socket.AF_UNIX, _unix_address(b"\0" + target.abstract_socket.encode()))


def make_a_unix_socket(_: Target) -> None:
    raw("socket", socket.AF_UNIX, socket.SOCK_DGRAM, 0)


def talk_to_the_kernel_by_netlink(_: Target) -> None:
    raw("socket", 16, socket.SOCK_RAW, 0)


def share_a_queue(_: Target) -> None:
    raw("mq_open", b"heaven_escape", 0o102, 0o600, None)
    raw("mq_unlink", b"heaven_escape")


def share_a_segment(_: Target) -> None:
    raw("shmctl", raw("shmget", 0, 4096, 0o1600), 0, None)
