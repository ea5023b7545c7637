"""The documents of the settings are complete and say what the settings say."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.config import Settings
from app.core.config_docs import COMMAND, configuration_page, env_example

ROOT = Path(__file__).parents[2]
HOW = f"regenerate with: {COMMAND}"


def test_the_configuration_page_is_as_generated() -> None:
    """`docs/configuration.md` shows every setting with its current default and meaning."""
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == configuration_page(), HOW


def test_the_example_file_is_as_generated() -> None:
    """`.env.example` shows every setting with its current default and meaning."""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(), HOW


def test_both_documents_name_every_setting_once() -> None:
    """No variable is left out, none stands there that does nothing."""
    names = sorted(name.upper() for name in Settings.model_fields)
    assert sorted(re.findall(r"^\| `([A-Z0-9_]+)` \|", configuration_page(), re.MULTILINE)) == names
    assert sorted(re.findall(r"^#([A-Z0-9_]+)=", env_example(), re.MULTILINE)) == names


def test_every_setting_is_described() -> None:
    """Each variable comes with a sentence on what it does."""
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_the_example_file_taken_as_it_is_gives_the_defaults() -> None:
    """Removing every `#` of the example changes nothing, so its defaults are true and readable."""
    expected = Settings.load()
    lines = [line[1:] for line in env_example().splitlines() if re.match(r"#[A-Z]", line)]
    Path(".env").write_text("\n".join(lines), encoding="utf-8")
    assert Settings.load() == expected


def test_the_example_file_holds_no_secret() -> None:
    """Nobody copies a working key out of an example."""
    secrets = [line for line in env_example().splitlines() if re.match(r"#(AWS_.*KEY|AWS_SESSION|JWT_SECRET)", line)]
    assert len(secrets) == 4
    assert all(line.endswith("=") for line in secrets)
