"""Checks from outside, as a browser or a stranger: presigned URLs, CORS, what is public and what is not."""

from __future__ import annotations

from http import HTTPStatus

from app.images.keys import INCOMING_PREFIX
from app.services.bucket_documents import private_prefixes, public_prefixes
from app.services.doctor.examination import Examination, Fetched, Unreachable, new_canary_key
from app.services.doctor.verdicts import Verdict, fail, ok, skip, warn

_BODY = b"A canary of heaven-images doctor; it is deleted at once.\n"
_SOME_ORIGIN = "https://example.com"
_PRESIGNED_SECONDS = 60
_MAX_ORIGINS = 3
_INIT = "Run: heaven-images bucket init"


def check_presigned_get(examination: Examination) -> Verdict:
    """A presigned URL works at the endpoint that browsers see."""
    endpoint = examination.connection.browser_endpoint_url
    url = examination.urls.presigned_url(examination.canary_key, expires_in=_PRESIGNED_SECONDS)
    try:
        fetched = examination.fetch(url)
    except Unreachable as error:
        return _unreachable(endpoint, str(error), examination)
    if fetched.status == HTTPStatus.OK and fetched.body == examination.canary_body:
        return ok(f"A presigned URL at {endpoint} gives the object.")
    return fail(
        f"A presigned URL at {endpoint} answers {_answer(fetched)}.",
        "S3_PUBLIC_ENDPOINT_URL must be the address that browsers use, and a proxy there must keep the Host header.",
    )


def check_cors(examination: Examination) -> Verdict:
    """Pages of the configured origins may read images and see their ETag."""
    url = examination.urls.presigned_url(examination.canary_key, expires_in=_PRESIGNED_SECONDS)
    origins = [_SOME_ORIGIN if origin == "*" else origin for origin in examination.settings.s3_cors_origins]
    try:
        refused = [origin for origin in origins[:_MAX_ORIGINS] if not _lets_read(examination, url, origin)]
    except Unreachable as error:
        return _unreachable(examination.connection.browser_endpoint_url, str(error), examination)
    if refused:
        return warn(f"Scripts of {', '.join(refused)} cannot read images and their ETag.", f"{_INIT} --yes")
    return ok(f"Scripts of {', '.join(examination.settings.s3_cors_origins)} can read images and their ETag.")


def check_public(examination: Examination) -> Verdict:
    """Images of public types, and their variants, open in any browser at the URL that the service hands out."""
    prefixes = public_prefixes(examination.settings.image_types)
    if not prefixes:
        return skip("No image type is public.")
    closed: dict[str, str] = {}
    for prefix in prefixes:
        key = new_canary_key(prefix)
        examination.put(key, _BODY)
        try:
            fetched = examination.fetch(examination.urls.public_url(key))
        except Unreachable as error:
            return _unreachable(examination.urls.public_url(""), str(error), examination)
        finally:
            examination.delete(key)
        if fetched.status != HTTPStatus.OK or fetched.body != _BODY:
            closed[prefix] = _answer(fetched)
    if not closed:
        return ok(f"Anyone can read {', '.join(prefixes)}.")
    return fail(f"Public images cannot be read: {_join(closed)}.", _public_remedy(examination))


def check_private(examination: Examination) -> Verdict:
    """Staged uploads and images of private types stay closed without a signature, at the store and at the CDN."""
    prefixes = private_prefixes(examination.settings.image_types)
    opened: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for prefix in prefixes:
        key = new_canary_key(prefix)
        examination.put(key, _BODY)
        try:
            for url in {examination.object_url(key), examination.urls.public_url(key)}:
                _judge(examination, url, prefix, opened=opened, unclear=unclear)
        finally:
            examination.delete(key)
    if opened:
        return fail(
            f"Anyone can read what is private: {_join(opened)}.",
            "Take away the policy statement, ACL or CDN behaviour that opens it; "
            "`heaven-images bucket init --dry-run` names such statements.",
        )
    if unclear:
        return warn(f"It is not clear whether these are closed: {_join(unclear)}.", "Fetch one without credentials.")
    return ok(f"Nobody can read {', '.join(prefixes)} without a signature.")


def check_anonymous_list(examination: Examination) -> Verdict:
    """Strangers cannot list the bucket, and so learn every key."""
    question = "/?list-type=2&max-keys=1"
    cdn = examination.connection.cdn_base_url
    for base in (examination.connection.base_url, *([cdn] if cdn else [])):
        try:
            fetched = examination.fetch(f"{base}{question}")
        except Unreachable as error:
            return _unreachable(base, str(error), examination)
        if b"<ListBucketResult" in fetched.body:
            return fail(f"Anyone can list the bucket at {base}.", "Take s3:ListBucket away from everyone (`*`).")
    return ok("Strangers cannot list the bucket.")


def check_anonymous_write(examination: Examination) -> Verdict:
    """Strangers cannot write."""
    key = new_canary_key(INCOMING_PREFIX)
    examination.remember(key)
    try:
        fetched = examination.fetch(examination.object_url(key), method="PUT", body=_BODY)
    except Unreachable as error:
        return _unreachable(examination.connection.browser_endpoint_url, str(error), examination)
    if fetched.status < HTTPStatus.MULTIPLE_CHOICES:
        return fail("Anyone can write into the bucket.", "Take s3:PutObject away from everyone (`*`), at once.")
    if _is_refusal(fetched):
        return ok(f"Strangers cannot write ({fetched.status}).")
    return warn(f"A stranger's write answers {_answer(fetched)}.", "Try one without credentials by hand.")


def _lets_read(examination: Examination, url: str, origin: str) -> bool:
    headers = examination.fetch(url, headers={"Origin": origin}).headers
    exposed = {name.strip().lower() for name in headers.get("access-control-expose-headers", "").split(",")}
    return headers.get("access-control-allow-origin") in {"*", origin} and bool(exposed & {"etag", "*"})


def _judge(examination: Examination, url: str, prefix: str, *, opened: dict[str, str], unclear: dict[str, str]) -> None:
    try:
        fetched = examination.fetch(url)
    except Unreachable as error:
        unclear[prefix] = str(error)
        return
    if fetched.body == _BODY:
        opened[prefix] = _answer(fetched)
    elif not _is_refusal(fetched):
        unclear[prefix] = _answer(fetched)


def _is_refusal(fetched: Fetched) -> bool:
    return HTTPStatus.BAD_REQUEST <= fetched.status < HTTPStatus.INTERNAL_SERVER_ERROR


def _answer(fetched: Fetched) -> str:
    """The status, with the S3 code where the body has one."""
    code = fetched.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode("ascii", "replace")
    return f"{fetched.status} {code}".strip()


def _join(answers: dict[str, str]) -> str:
    return ", ".join(f"{prefix} answers {answer}" for prefix, answer in answers.items())


def _public_remedy(examination: Examination) -> str:
    if examination.connection.cdn_base_url:
        return "Let the CDN at CDN_BASE_URL read these prefixes of the bucket."
    return f"{_INIT} --yes"


def _unreachable(address: str, reason: str, examination: Examination) -> Verdict:
    """A browser's address need not be reachable from here, where it is another one than the store's."""
    finding = f"{address} cannot be reached from this machine ({reason})."
    if examination.connection.public_endpoint_url or examination.connection.cdn_base_url:
        return warn(finding, "If browsers reach it this may be well: run the doctor from where they are.")
    return fail(finding, "Check S3_ENDPOINT_URL: browsers use the same address.")
