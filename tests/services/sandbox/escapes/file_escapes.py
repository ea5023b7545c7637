"""Attempts at files: by name, by handle, by way of /proc, and through descriptors that were left open."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from tests.services.sandbox.escapes.raw_calls import Stopped, raw
from tests.services.sandbox.escapes.target import Target

_HERE = -100
_CHARACTER_DEVICE = 0o020666
_NULL_DEVICE = 0x103
_EMPTY_PATH = 0x1000


def _open(path: bytes, flags: int = os.O_RDONLY) -> int:
    return raw("openat", _HERE, path, flags, 0o666)


def _expect_canary(descriptor: int, target: Target, *, offset: int = 0) -> None:
    buffer = ctypes.create_string_buffer(1 << 16)
    count = (
        raw("pread64", descriptor, buffer, len(buffer), offset) if offset else raw("read", descriptor, buffer, 65536)
    )
    if target.canary.encode() not in buffer.raw[:count]:
        raise Stopped("there was something else in it")


def read_a_file(target: Target) -> None:
    _expect_canary(_open(target.readable.encode()), target)


def read_a_private_file(target: Target) -> None:
    _expect_canary(_open(target.private.encode()), target)


def read_system_accounts(_: Target) -> None:
    _open(b"/etc/passwd")


def write_a_file(target: Target) -> None:
    raw("write", _open(target.writable.encode(), os.O_WRONLY), b"changed", 7)


def write_a_private_file(target: Target) -> None:
    raw("write", _open(target.private.encode(), os.O_WRONLY), b"changed", 7)


def create_a_file(target: Target) -> None:
    _open(target.new("created"), os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def list_a_directory(target: Target) -> None:
    buffer = ctypes.create_string_buffer(1 << 16)
    count = raw("getdents64", _open(target.folder.encode(), os.O_DIRECTORY), buffer, len(buffer))
    if Path(target.readable).name.encode() not in buffer.raw[:count]:
        raise Stopped("it was another directory")


def look_at_a_file(target: Target) -> None:
    raw("newfstatat", _HERE, target.readable.encode(), ctypes.create_string_buffer(256), 0)


def delete_a_file(target: Target) -> None:
    raw("unlinkat", _HERE, target.writable.encode(), 0)


def change_the_mode_of_a_file(target: Target) -> None:
    raw("fchmodat", _HERE, target.writable.encode(), 0o777)


def change_the_times_of_a_file(target: Target) -> None:
    raw("utimensat", _HERE, target.writable.encode(), struct.pack("=qqqq", 1, 0, 1, 0), 0)


def truncate_a_file(target: Target) -> None:
    raw("truncate", target.writable.encode(), 0)


def rename_a_file(target: Target) -> None:
    raw("renameat2", _HERE, target.writable.encode(), _HERE, target.new("renamed"), 0)


def make_a_directory(target: Target) -> None:
    raw("mkdirat", _HERE, target.new("made"), 0o777)


def make_a_link(target: Target) -> None:
    raw("symlinkat", b"/etc/passwd", _HERE, target.new("link"))


def make_a_device(target: Target) -> None:
    raw("mknodat", _HERE, target.new("device"), _CHARACTER_DEVICE, _NULL_DEVICE)


def open_a_file_by_handle(target: Target) -> None:
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0), 136)
    raw("name_to_handle_at", _HERE, target.readable.encode(), handle, ctypes.byref(ctypes.c_int()), 0)
    root = _open(b"/", os.O_DIRECTORY)
    _expect_canary(raw("open_by_handle_at", root, handle, os.O_RDONLY), target)


def read_the_environment_of_a_process(target: Target) -> None:
    _expect_canary(_open(f"/proc/{target.victim}/environ".encode()), target)


def read_the_memory_of_a_process_by_its_file(target: Target) -> None:
    _expect_canary(_open(f"/proc/{target.victim}/mem".encode()), target, offset=target.address)


def read_a_forgotten_file(target: Target) -> None:
    _expect_canary(target.forgotten_file, target)


def write_to_standard_error(_: Target) -> None:
    raw("write", 2, b"escaped", 7)


def grow_a_file(target: Target) -> None:
    raw("write", target.kept_file, b"more" * 1024, 4096)


def lengthen_a_file(target: Target) -> None:
    raw("ftruncate", target.kept_file, 1 << 20)


def make_a_file_in_memory(_: Target) -> None:
    raw("memfd_create", b"escape", 0)


def watch_files(_: Target) -> None:
    raw("inotify_init1", 0)


def change_the_root(target: Target) -> None:
    raw("chroot", target.folder.encode())
