"""Whose credentials sign URLs: the connection's, or those of boto's chain, as fresh as they are."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.exceptions import S3InvalidCredentials
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner
from tests.services.image_services import REPOSITORY

WITHOUT_CREDENTIALS = S3Connection("photos", "eu-central-1")
# Gives other credentials each time, which botocore renews at once because they end so soon.
RENEWED = """\
import datetime, json, pathlib
count = pathlib.Path(__file__).with_suffix(".count")
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)
print(json.dumps({"Version": 1, "AccessKeyId": f"AKIA{number}", "SecretAccessKey": f"secret{number}",
                  "SessionToken": f"token{number}", "Expiration": ends.isoformat()}))
"""
# The child inherits the parent's signer while another thread of the parent renews the credentials.
FORKED = """\
import os, signal
from app.services.s3_connection import S3Connection
from app.services.s3_presign import S3UrlSigner

signer = S3UrlSigner(lambda: S3Connection("photos", "eu-central-1"))
signer.presigned_url("k", expires_in=60)
lock = signer._resolved.freeze_credentials.__self__._refresh_lock
with lock:
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        assert "AKIA" in signer.presigned_url("k", expires_in=60)
        os._exit(0)
    _, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""


def signed_by(url: str) -> tuple[str, str | None]:
    """The access key and the session token in a URL."""
    query = parse_qs(urlsplit(url).query)
    return query["X-Amz-Credential"][0].split("/")[0], query.get("X-Amz-Security-Token", [None])[0]


@pytest.fixture
def renewed_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boto's chain finds a program that gives new temporary credentials each time."""
    program = tmp_path / "credentials.py"
    program.write_text(RENEWED)
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))


def test_the_chain_finds_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials in the settings those of the environment sign, their session token included."""
    for name, value in {"ACCESS_KEY_ID": "AKIACHAIN", "SECRET_ACCESS_KEY": "s", "SESSION_TOKEN": "t/+="}.items():
        monkeypatch.setenv(f"AWS_{name}", value)

    url = S3UrlSigner(lambda: WITHOUT_CREDENTIALS).presigned_url("k", expires_in=60)

    assert signed_by(url) == ("AKIACHAIN", "t/+=")


@pytest.mark.usefixtures("renewed_credentials")
def test_renewed_credentials_sign_the_next_url() -> None:
    """Credentials that boto renewed are used from then on: no URL is signed by those of yesterday."""
    signer = S3UrlSigner(lambda: WITHOUT_CREDENTIALS)

    urls = [signer.presigned_url("k", expires_in=60) for _ in range(2)]

    (first, first_token), (second, second_token) = map(signed_by, urls)
    assert int(first.removeprefix("AKIA")) < int(second.removeprefix("AKIA"))
    assert first_token == first.replace("AKIA", "token")
    assert second_token == second.replace("AKIA", "token")


def test_credentials_that_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the error says so; once there are some, URLs are signed without a restart."""
    signer = S3UrlSigner(lambda: WITHOUT_CREDENTIALS)
    with pytest.raises(S3InvalidCredentials):
        signer.presigned_urls(["k"], expires_in=60)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALATE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")

    assert signed_by(signer.presigned_url("k", expires_in=60)) == ("AKIALATE", None)


def test_half_of_the_credentials() -> None:
    """A key without its secret is the same error, and no other."""
    signer = S3UrlSigner(lambda: S3Connection("photos", "eu-central-1", access_key_id="AKIA"))

    with pytest.raises(S3InvalidCredentials):
        signer.presigned_url("k", expires_in=60)


def test_nothing_shows_the_secret() -> None:
    """Neither a URL nor what is kept of the connection shows the secret."""
    where = S3Connection("photos", "eu-central-1", access_key_id="AKIA", secret_access_key="never-shown")
    signer = S3UrlSigner(lambda: where)

    assert "never-shown" not in signer.presigned_url("k", expires_in=60)
    assert "never-shown" not in f"{signer._resolved!r} {vars(signer)!r}"


def test_threads_share_a_signer() -> None:
    """Threads that ask at once, the first time too, get the URLs that one alone would get."""
    where = S3Connection("photos", "eu-central-1", access_key_id="AKIA", secret_access_key="s")
    signer, moment, together = S3UrlSigner(lambda: where), datetime(2024, 12, 1, tzinfo=UTC), threading.Barrier(8)
    names = [f"users/{number}.jpg" for number in range(50)]

    def sign() -> list[str]:
        together.wait(10)
        return signer.presigned_urls(names, expires_in=60, signed_at=moment)

    with ThreadPoolExecutor(8) as pool:
        answers = [task.result() for task in [pool.submit(sign) for _ in range(8)]]

    assert answers == [S3UrlSigner(lambda: where).presigned_urls(names, expires_in=60, signed_at=moment)] * 8


@pytest.mark.usefixtures("renewed_credentials")
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_fork_while_credentials_are_renewed() -> None:
    """A forked child signs on, whatever a thread of its parent was doing at that moment."""
    run = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )

    assert (run.returncode, run.stdout) == (0, "0\n"), run.stderr
