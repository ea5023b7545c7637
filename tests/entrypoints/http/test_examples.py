"""Examples: those that the API's documentation shows, and those of the README, which run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.images.keys import parse_image_key
from app.schemas.images import EXAMPLE_KEY
from tests.entrypoints.http.conftest import Api

ROOT = Path(__file__).parents[3]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def parameters_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "header":
                    yield f"{method} {path} {parameter['name']}", parameter


def bodies_of(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                yield f"{method} {path} request", media
            good = next(answer for status, answer in operation["responses"].items() if status[0] == "2")
            media = good.get("content", {}).get("application/json")
            if media:
                yield f"{method} {path} answer", media


def has_example(media: dict[str, Any], document: dict[str, Any]) -> bool:
    schema = media["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return bool(media.get("example") or schema.get("examples"))


def test_every_parameter_and_body_has_an_example(api: Api) -> None:
    """Whoever reads the API's documentation sees for every part what it looks like."""
    document = api.client.get("/openapi.json").json()
    bare = [
        name for name, part in parameters_of(document) if not (part.get("example") or part["schema"].get("examples"))
    ]
    bare += [name for name, media in bodies_of(document) if not has_example(media, document)]
    assert not bare


def test_the_example_key_is_one() -> None:
    """The key in the examples is a key that this service could have given."""
    assert str(parse_image_key(EXAMPLE_KEY, prefixes=["users"])) == EXAMPLE_KEY


def test_a_cursor_as_in_the_example_is_taken(api: Api) -> None:
    """The cursor in the examples is one that a listing could have given."""
    document = api.client.get("/openapi.json").json()
    examples = {name: part["schema"]["examples"][0] for name, part in parameters_of(document)}
    answer = api.client.get("/api/v1/images", params={"cursor": examples["get /api/v1/images cursor"]})
    assert answer.status_code == 200


def test_head_of_a_description_claims_no_length(api: Api) -> None:
    """HEAD does not say that the description is empty, which GET shows that it is not."""
    key = api.store()["s3_key"]
    assert "content-length" not in api.client.head(f"/api/v1/images/{key}").headers


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_the_python_of_the_readme_runs(block: str, tmp_path: Path) -> None:
    """What a reader copies out of the README runs as it stands and gives an application."""
    program = tmp_path / "copied.py"
    program.write_text(block + "\nassert app.routes\n")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_avatar_of_the_readme_stores_and_refuses(tmp_path: Path) -> None:
    """In an application of somebody else's the store starts with it, and our errors keep their shape."""
    program = tmp_path / "hosted.py"
    program.write_text(
        "\n".join(BLOCKS[:1])
        + """
from pathlib import Path
from fastapi.testclient import TestClient
from app.entrypoints.http.router import add_error_handler, create_image_router

app.include_router(create_image_router(), prefix="/api/v1")
add_error_handler(app)
with TestClient(app) as client:
    assert Path(".heaven/s3").is_dir()
    refused = client.post("/avatar", files={"file": ("a.jpg", b"no picture")})
    assert (refused.status_code, refused.json()["code"]) == (415, "IMAGE_FORMAT_UNSUPPORTED")
"""
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
