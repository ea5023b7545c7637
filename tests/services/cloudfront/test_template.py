"""The CloudFormation template of docs/cdn.md: valid, closed by default, and of one mind with the service on Accept."""

from __future__ import annotations

import fnmatch
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

from app.images.negotiation import parse_accept

TEMPLATE = Path(__file__).parents[3] / "docs" / "cloudformation" / "heaven-images-cdn.yaml"

ACCEPT_HEADERS = [
    "",
    "*/*",
    "image/*",
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,*/*;q=0.5",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "image/webp",
    "image/avif",
    "IMAGE/WEBP",
    " image/avif ; q=0.5 , image/webp;q=0",
    "image/avif;q=0.000,image/webp;q=1.000",
    "image/avif;q=,image/webp;q=2",
    "image/webp;level=1",
    "image/webp,image/webp;q=0",
    "image/avifs,ximage/webp,image/web",
    "image/webp;q=0.1234",
    ";,;=q,,image/webp",
    f"{'a' * 2000},image/webp",
    f"{'a' * 988},image/webp",
    "image/webp\u00a0",
]

# key → whether it takes a signature
KEYS = {
    "users/1/a.jpg": False,
    "variants/users/1/a/w320.avif": False,
    "properties/a.jpg": False,
    "variants/rooms/a/card.webp": False,
    "private/users/1/a.jpg": True,
    "variants/private/users/1/a/w320.avif": True,
    "documents/1/a.jpg": True,
    "variants/documents/1/a/w320.avif": True,
    "usersx/1/a.jpg": True,
    "pending/invalidations/x.json": True,
    "incoming/x": True,
    "": True,
}


@pytest.fixture(scope="module")
def template() -> Any:
    return json.loads(json.dumps(load(str(TEMPLATE)), default=str))


def test_the_template_is_valid() -> None:
    """cfn-lint, with AWS's own schemas, finds nothing to say against it."""
    program = Path(sys.executable).with_name("cfn-lint")
    run = subprocess.run([program, TEMPLATE], capture_output=True, text=True, check=False, timeout=100)
    assert (run.returncode, run.stdout) == (0, "")


def test_what_takes_a_signature(template: Any) -> None:
    """Images of the named public types are open; whatever else lies in the bucket needs a signature."""
    parameters = {f"${{{name}}}": each.get("Default", "") for name, each in template["Parameters"].items()}
    config = template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    behaviours = [each["Fn::If"][1] if "Fn::If" in each else each for each in config["CacheBehaviors"]]
    rules = []
    for behaviour in behaviours:
        pattern = behaviour["PathPattern"]
        pattern = pattern["Fn::Sub"] if isinstance(pattern, dict) else pattern
        for name, value in parameters.items():
            pattern = pattern.replace(name, value)
        rules.append((pattern, "TrustedKeyGroups" in behaviour))
    rules = [(pattern, is_signed) for pattern, is_signed in rules if not pattern.startswith(("/", "variants//"))]
    rules.append(("*", "TrustedKeyGroups" in config["DefaultCacheBehavior"]))

    for key, is_signed in KEYS.items():
        assert next(signed for pattern, signed in rules if fnmatch.fnmatchcase(key, pattern)) is is_signed, key


def test_the_service_s_own_notes_are_kept_in(template: Any) -> None:
    """Not even a signed URL shows the queue of invalidations or staged uploads."""
    allow, deny = template["Resources"]["ReadersOfBucket"]["Properties"]["PolicyDocument"]["Statement"]
    assert (allow["Effect"], allow["Action"], deny["Effect"]) == ("Allow", "s3:GetObject", "Deny")
    assert [each["Fn::Sub"].rpartition("}")[2] for each in deny["Resource"]] == ["/pending/*", "/incoming/*"]
    printed = json.loads(template["Outputs"]["BucketPolicyStatements"]["Value"]["Fn::Sub"])
    assert [(each["Effect"], each["Resource"]) for each in printed] == [
        ("Allow", allow["Resource"]["Fn::Sub"]),
        ("Deny", [each["Fn::Sub"] for each in deny["Resource"]]),
    ]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the edge function cannot be run")
def test_the_edge_function_leaves_what_the_service_looks_at(template: Any) -> None:
    """A cache that keys on the function's Accept gives every browser what the service itself would have given it."""
    code = template["Resources"]["NormaliseAccept"]["Properties"]["FunctionCode"]
    events = [{"request": {"headers": {"accept": {"value": header}} if header else {}}} for header in ACCEPT_HEADERS]
    program = f"{code}\nconsole.log(JSON.stringify({json.dumps(events)}.map(e => handler(e).headers.accept.value)))"
    run = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True, timeout=60)

    reduced = json.loads(run.stdout)

    assert set(reduced) == {"image/avif,image/webp", "image/avif", "image/webp", "*/*"}
    for header, value in zip(ACCEPT_HEADERS, reduced, strict=True):
        assert parse_accept(value) == parse_accept(header), header
