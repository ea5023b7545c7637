"""Settings: every wrong value is named at once, empty means unset, and secrets are never shown."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest

from app.core.config import AuthMode, Environment, Settings
from app.core.exceptions import ConfigurationError
from app.core.image_types import DEFAULT_IMAGE_TYPES, Visibility

SECRET = "Sup3rSecretValueThatNobodyMayRead0123456789"


def set_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    set_environment(monkeypatch, **values)
    return Settings.load()


def faults(monkeypatch: pytest.MonkeyPatch, **values: str) -> dict[str, str]:
    set_environment(monkeypatch, **values)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    return caught.value.faults


def test_nothing_needs_to_be_set() -> None:
    """On a fresh machine the service starts with the documented defaults and a store of its own."""
    settings = Settings.load()
    assert (settings.aws_region, settings.s3_use_ssl, settings.s3_signature_version) == ("us-east-1", True, "s3v4")
    assert settings.s3_total_timeout_seconds == 10
    assert settings.max_upload_bytes == 25 * 1024 * 1024
    assert settings.processing_workers >= 1
    assert settings.uses_embedded_store


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets up the service mends all mistakes in one go, wherever they are."""
    found = faults(
        monkeypatch,
        ENVIRONMENT="moon",
        S3_USE_SSL="perhaps",
        S3_BUCKET_NAME="Not_A_Bucket",
        S3_ENDPOINT_URL="ftp://store",
        CDN_BASE_URL="https://cdn.example.com/?x=1",
        S3_SIGNATURE_VERSION="s3",
        S3_MAX_ATTEMPTS="0",
        S3_POOL_SIZE="many",
        MAX_UPLOAD_BYTES="-1",
        JPEG_QUALITY="101",
        IMAGE_TYPES="{",
        AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
        AUTH_MODE="jwt",
        JWT_SECRET="short",
    )
    assert set(found) == {
        "ENVIRONMENT",
        "S3_USE_SSL",
        "S3_BUCKET_NAME",
        "S3_ENDPOINT_URL",
        "CDN_BASE_URL",
        "S3_SIGNATURE_VERSION",
        "S3_MAX_ATTEMPTS",
        "S3_POOL_SIZE",
        "MAX_UPLOAD_BYTES",
        "JPEG_QUALITY",
        "IMAGE_TYPES",
        "AWS_SECRET_ACCESS_KEY",
        "JWT_SECRET",
    }


def test_the_error_lists_one_line_per_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message that stops the start can be read as a list of things to mend."""
    set_environment(monkeypatch, S3_POOL_SIZE="0", JPEG_QUALITY="0")
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    lines = str(caught.value).splitlines()
    assert lines[0] == "The configuration is not valid:"
    assert {line.split(":")[0].strip() for line in lines[1:]} == {"S3_POOL_SIZE", "JPEG_QUALITY"}


def test_settings_are_read_from_a_file_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in `.env` holds unless the environment says otherwise."""
    Path(".env").write_text("AWS_REGION=eu-central-1\nJPEG_QUALITY=70\nUNKNOWN=1\n", encoding="utf-8")
    settings = load(monkeypatch, JPEG_QUALITY="75")
    assert (settings.aws_region, settings.jpeg_quality) == ("eu-central-1", 75)


def test_faults_in_the_file_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in `.env` is reported like one in the environment."""
    Path(".env").write_text("JPEG_QUALITY=best\n", encoding="utf-8")
    assert set(faults(monkeypatch, S3_POOL_SIZE="0")) == {"JPEG_QUALITY", "S3_POOL_SIZE"}


def test_empty_values_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`S3_ENDPOINT_URL=` in a deployment's template means AWS, not an endpoint without a name."""
    settings = load(monkeypatch, **{name.upper(): "" for name in Settings.model_fields})
    assert settings == Settings.load()
    assert settings.s3_endpoint_url is None
    assert settings.s3_pool_size == 16


@pytest.mark.parametrize(
    ("uses_ssl", "endpoint", "expected"),
    [
        ("True", "localhost:9000", "https://localhost:9000"),
        ("False", "localhost:9000", "http://localhost:9000"),
        ("False", "https://store.example.com", "https://store.example.com"),
        ("True", "http://store.example.com/", "http://store.example.com"),
        ("False", "[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_ssl_decides_where_an_endpoint_names_no_scheme(
    monkeypatch: pytest.MonkeyPatch, uses_ssl: str, endpoint: str, expected: str
) -> None:
    """`S3_USE_SSL=False` with `localhost:9000` speaks http; a scheme that is written down is kept."""
    both = {"S3_ENDPOINT_URL": endpoint, "S3_PUBLIC_ENDPOINT_URL": endpoint}
    settings = load(monkeypatch, S3_BUCKET_NAME="photos", S3_USE_SSL=uses_ssl, **both)
    assert settings.s3_endpoint_url == expected
    assert settings.s3_public_endpoint_url == expected


def test_a_cdn_without_a_scheme_is_https(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain store behind the scenes does not make the public URLs plain."""
    assert (
        load(monkeypatch, CDN_BASE_URL="cdn.example.com/", S3_USE_SSL="False").cdn_base_url == "https://cdn.example.com"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "://x",
        "file:///etc/passwd",
        "https://user:password@store",
        "https://store/?a=b",
        "https://store/#a",
        "https://store:99999",
        "https://sto re",
        "https://[::1",
        "https:\\\\store",
    ],
)
def test_an_endpoint_that_is_no_plain_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Half an URL, or one with a password in it, stops the start and is not repeated."""
    found = faults(monkeypatch, S3_BUCKET_NAME="photos", S3_ENDPOINT_URL=url)
    assert set(found) == {"S3_ENDPOINT_URL"}
    assert "password@" not in found["S3_ENDPOINT_URL"]


@pytest.mark.parametrize("name", ["abc", "my-photos", "photos.example.com", "a" * 63, "1-2"])
def test_bucket_names_of_s3_are_accepted(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Every name that S3 gives to buckets can be set."""
    assert load(monkeypatch, S3_BUCKET_NAME=name).s3_bucket_name == name


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Photos", "my_photos", "-a-b", "a..b", "192.168.0.1", "xn--abc", "photos\n", "a/b"]
)
def test_what_s3_would_not_name_a_bucket_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A bucket's name with a typing error is found at the start, not at the first upload."""
    assert set(faults(monkeypatch, S3_BUCKET_NAME=name)) == {"S3_BUCKET_NAME"}


def test_keys_come_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a pair of credentials would silently fall back to another identity."""
    assert "together" in faults(monkeypatch, AWS_SECRET_ACCESS_KEY=SECRET)["AWS_SECRET_ACCESS_KEY"]
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "together" in faults(monkeypatch, AWS_ACCESS_KEY_ID="AKIA")["AWS_SECRET_ACCESS_KEY"]
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert set(faults(monkeypatch, AWS_SESSION_TOKEN=SECRET)) == {"AWS_SESSION_TOKEN"}


def test_an_endpoint_needs_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who names their store does not get the embedded one by forgetting the bucket."""
    assert set(faults(monkeypatch, S3_ENDPOINT_URL="https://store.example.com")) == {"S3_BUCKET_NAME"}


@pytest.mark.parametrize("value", ["0", "-1", "601", "nan", "inf", "soon"])
def test_a_time_out_that_is_no_time_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Calls to the store are always bounded."""
    assert "S3_TOTAL_TIMEOUT_SECONDS" in faults(monkeypatch, S3_TOTAL_TIMEOUT_SECONDS=value)


def test_the_total_time_covers_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A total shorter than one attempt's own time-outs is a mistake."""
    found = faults(monkeypatch, S3_TOTAL_TIMEOUT_SECONDS="3", S3_READ_TIMEOUT_SECONDS="4")
    assert found == {"S3_TOTAL_TIMEOUT_SECONDS": "must not be shorter than S3_READ_TIMEOUT_SECONDS"}


def test_production_needs_a_bucket_and_authentication(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production nobody runs by accident without a real store or without checking callers."""
    assert set(faults(monkeypatch, ENVIRONMENT="production")) == {"S3_BUCKET_NAME", "AUTH_MODE"}


def test_a_production_configuration_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket and a token secret are all that production needs."""
    settings = load(monkeypatch, ENVIRONMENT="production", S3_BUCKET_NAME="photos", AUTH_MODE="jwt", JWT_SECRET=SECRET)
    assert settings.environment is Environment.PRODUCTION
    assert settings.auth_mode is AuthMode.JWT
    assert not settings.uses_embedded_store


@pytest.mark.parametrize("values", [{}, {"JWT_SECRET": SECRET, "JWT_JWKS_URL": "https://issuer.example.com/keys"}])
def test_tokens_are_checked_by_exactly_one_key_source(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    """Neither none nor two: it is always clear who may issue tokens."""
    assert "exactly one" in faults(monkeypatch, AUTH_MODE="jwt", **values)["JWT_JWKS_URL"]


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing or logging the settings gives no secret away."""
    values = {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SECRET, "JWT_SECRET": SECRET}
    settings = load(monkeypatch, AWS_ACCESS_KEY_ID="AKIAEXAMPLE", **values)
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == SECRET
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


def test_errors_show_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret pasted into the wrong variable does not end up in a log of the failed start."""
    wrong = {name.upper(): SECRET for name in Settings.model_fields if name != "heaven_home"}
    set_environment(monkeypatch, **wrong)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert len(caught.value.faults) > 20
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_settings_are_frozen() -> None:
    """What was checked at the start stays as it was checked."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().debug = True  # type: ignore[misc]


def test_image_types_are_added_to_the_built_in_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new type is one line of configuration, and a built-in one can be changed in part."""
    document = {"prefix": "documents", "visibility": "private", "max_upload_bytes": 5000}
    text = json.dumps({"document": document, "user": {"visibility": "private"}})
    types = load(monkeypatch, IMAGE_TYPES=text).image_types
    assert set(types) == {*DEFAULT_IMAGE_TYPES, "document"}
    assert (types["document"].visibility, types["document"].max_upload_bytes) == (Visibility.PRIVATE, 5000)
    assert (types["user"].prefix, types["user"].visibility) == ("users", Visibility.PRIVATE)
    assert types["room"] == DEFAULT_IMAGE_TYPES["room"]
    assert DEFAULT_IMAGE_TYPES["user"].visibility is Visibility.PUBLIC


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"a": 1}', "'a'"),
        ('{"a": {}}', "prefix"),
        ('{"A": {"prefix": "as"}}', "'A'"),
        ('{"a\\n": {"prefix": "as"}}', "must match"),
        ('{"a": {"prefix": "as\\n"}}', "prefix"),
        ('{"a": {"prefix": "a/b"}}', "prefix"),
        ('{"a": {"prefix": "../b"}}', "prefix"),
        ('{"a": {"prefix": "variants"}}', "reserved"),
        ('{"a": {"prefix": "incoming"}}', "reserved"),
        ('{"a": {"prefix": "users"}}', "more than one"),
        ('{"a": {"prefix": "as", "visibility": "secret"}}', "visibility"),
        ('{"a": {"prefix": "as", "max_upload_bytes": 0}}', "max_upload_bytes"),
        ('{"a": {"prefix": "as", "colour": 1}}', "colour"),
    ],
)
def test_a_wrong_table_of_types_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, text: str, complaint: str) -> None:
    """A mistake in the table of image types is told with the type and the field."""
    found = faults(monkeypatch, IMAGE_TYPES=text)
    assert set(found) == {"IMAGE_TYPES"}
    assert complaint in found["IMAGE_TYPES"]


def test_origins_are_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several web sites are written as one would write them, with or without spaces."""
    settings = load(monkeypatch, S3_CORS_ORIGINS="https://a.example.com, https://b.example.com,")
    assert settings.s3_cors_origins == ("https://a.example.com", "https://b.example.com")


def test_a_log_level_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LOG_LEVEL=info` means INFO; what is no level is still refused."""
    assert load(monkeypatch, LOG_LEVEL="info").log_level == "INFO"
    assert set(faults(monkeypatch, LOG_LEVEL="loud")) == {"LOG_LEVEL"}


def test_an_env_file_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` saved as UTF-16 is named as the fault."""
    Path(".env").write_text("LOG_LEVEL=INFO", encoding="utf-16")
    assert faults(monkeypatch) == {".env": "is not UTF-8 text"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_env_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` of somebody else is named as the fault, and why."""
    Path(".env").touch(mode=0o000)
    assert faults(monkeypatch) == {".env": "cannot be read: Permission denied"}
