"""Without authentication: only programs of this machine are answered, and no web page that a browser on it shows."""

from __future__ import annotations

import ipaddress
import re

from fastapi import Request
from starlette.datastructures import Headers

from app.core.exceptions import AccessForbidden
from app.entrypoints.http.caller import Caller

_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]*)?")
_FORWARDING_HEADERS = ("forwarded", "x-forwarded-for")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Starlette's TestClient, which is within the process, calls itself and the service so.
_TEST_CLIENT = "testclient"
_TEST_SERVER = "testserver"
_REMEDY = "set AUTH_MODE=jwt with JWT_SECRET or JWT_JWKS_URL."


async def trust_this_machine(request: Request) -> Caller:
    """Everyone on this machine is an admin; strangers, proxies and other sites' pages are nobody at all.

    Raises:
        AccessForbidden: it is not certain that a program of this machine asks.
    """
    _check_client(request)
    _check_no_proxy(request.headers)
    _check_host(request.headers)
    if request.method not in _SAFE_METHODS:
        _check_page(request.headers)
    return Caller(user_id=None, is_admin=True)


def _check_client(request: Request) -> None:
    host = request.client.host if request.client else ""
    if host != _TEST_CLIENT and not _is_loopback(host.partition("%")[0]):
        raise AccessForbidden(f"Without authentication this service answers its own machine only: {_REMEDY}")


def _check_no_proxy(headers: Headers) -> None:
    if any(name in headers for name in _FORWARDING_HEADERS):
        raise AccessForbidden(
            f"Without authentication this service answers no proxy, behind which anybody may be: {_REMEDY}"
        )


def _check_host(headers: Headers) -> None:
    """Against DNS rebinding: a page's own name, made to point here, is still in the Host header."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _names_this_machine(hosts[0]):
        raise AccessForbidden(
            "Without authentication this service answers as localhost or a loopback address only, "
            f"not under the name in the Host header: ask for localhost, or {_REMEDY}"
        )


def _check_page(headers: Headers) -> None:
    """Against forms and scripts of other sites, which a browser sends from this machine."""
    origins = headers.getlist("origin")
    site = headers.get("sec-fetch-site", "").strip().lower()
    if site == "cross-site" or not all(_names_this_machine(_authority_of(origin)) for origin in origins):
        raise AccessForbidden(
            f"Without authentication this service changes nothing for the web pages of other sites: {_REMEDY}"
        )


def _authority_of(origin: str) -> str:
    scheme, _, authority = origin.partition("://")
    return authority if scheme in {"http", "https"} else ""


def _names_this_machine(authority: str) -> bool:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return False
    name = (match[1] or match[2]).lower()
    return name in {"localhost", _TEST_SERVER} or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
