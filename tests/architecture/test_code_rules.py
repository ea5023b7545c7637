"""Rules of the code that a machine can hold: imports, the environment, clients of S3, file sizes, first lines."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "app").rglob("*.py"))
MAX_LINES = 300
# What reads or changes the environment of this process. cpu_count, getpid and the like do not.
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
CLIENT_BUILDERS = {"client", "resource", "create_client", "Session", "setup_default_session"}
CLIENT_MODULES = {"app/services/s3_connection.py", "app/services/cloudfront/control_api.py"}
CLOCKS_AND_FILES = {"now", "utcnow", "today", "open", "sleep", "read_bytes", "read_text", "write_bytes", "write_text"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def environment_uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (alias.name for alias in node.names if alias.name in ENVIRONMENT)


def calls_outside(tree: ast.AST, names: set[str], allowed_functions: Collection[str] = ()) -> Iterator[str]:
    """Calls by any of these names, except within some functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name in allowed_functions:
            continue
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in names:
                yield called
        yield from calls_outside(node, names, allowed_functions)


def test_imports_keep_to_the_layers() -> None:
    """Imports point right, the pure part stays pure, libraries stay behind their one door (pyproject.toml)."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_service_loads_no_decoder() -> None:
    """The process that serves requests and holds the credentials never loads a library that decodes pictures."""
    program = (
        "import sys, app.bootstrap, app.core.config, app.entrypoints.cli.main, app.entrypoints.http.app as http;"
        "services = app.bootstrap.Services(app.core.config.Settings.load());"
        "services.image_service.parts; http.create_app(services);"
        "print([name for name in ('pyvips', 'PIL', 'pi_heif', 'numpy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_only_the_settings_read_the_environment() -> None:
    """Everything that can be configured is in one place, checked at the start and documented."""
    found = {name_of(path): sorted(environment_uses(parse(path))) for path in FILES}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_one_function_builds_clients_of_each_api() -> None:
    """Every client of S3, and of CloudFront, has the same time-outs and signatures: one function makes them all."""
    found = {}
    for path in FILES:
        if "boto" in path.read_text(encoding="utf-8"):
            # A session is made apart where its credentials are asked for too.
            allowed = {"make_client", "make_session"} if name_of(path) in CLIENT_MODULES else set()
            found[name_of(path)] = sorted(calls_outside(parse(path), CLIENT_BUILDERS, allowed))
    assert found.keys() >= CLIENT_MODULES
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_knowledge_about_images_asks_no_clock_and_opens_no_file() -> None:
    """The same picture always gives the same answer."""
    for path in sorted((ROOT / "app/images").glob("*.py")):
        assert list(calls_outside(parse(path), CLOCKS_AND_FILES)) == [], name_of(path)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_short_and_says_first_what_it_is_for(path: Path) -> None:
    """Whoever opens a file reads its purpose in the first line and its end within 300."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    assert lines[0].startswith('"""')
    docstring = ast.get_docstring(parse(path))
    assert docstring is not None
    assert docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os\nos.environ['A']", ["environ"]),
        ("from os import getenv\ngetenv('A')", ["getenv"]),
        ("import os\nos.cpu_count()", []),
    ],
)
def test_the_rule_about_the_environment_sees_what_it_must(source: str, expected: list[str]) -> None:
    """The rule itself is tried on code that breaks it."""
    assert list(environment_uses(ast.parse(source))) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def other():\n    return boto3.client('s3')", ["client"]),
        ("boto3.session.Session().resource('s3')", ["resource", "Session"]),
        ("class A:\n    def make_client(self):\n        return session.client('s3')", []),
    ],
)
def test_the_rule_about_clients_sees_what_it_must(source: str, expected: list[str]) -> None:
    """The rule itself is tried on code that breaks it."""
    assert list(calls_outside(ast.parse(source), CLIENT_BUILDERS, {"make_client"})) == expected
