"""The commands about images, on a real SeaweedFS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from app.entrypoints.cli.main import app
from tests.entrypoints.cli.program import CommandLine, run_program, variables_of
from tests.pictures import decode, make_jpeg, make_png

ABSENT = "users/1/20240101_000000_a1b2c3d4.jpg"


def store(command_line: CommandLine, *files: Path, user: str = "7") -> list[str]:
    """The keys under which the files were stored."""
    run = command_line("upload", *files, "--type", "user", "--user", user, "--json")
    assert run.exit_code == 0, run.stderr
    return [outcome["result"]["s3_key"] for outcome in run.document["outcomes"]]


def test_a_photo_goes_in_and_comes_back_upright(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """What upload stored is listed, described and downloaded, small and upright, until it is deleted."""
    uploaded = command_line("upload", photo, "--type", "user", "--user", "7")
    listed = command_line("ls", "--type", "user", "--user", "7", "--json").document["images"]
    s3_key = listed[0]["s3_key"]
    described = command_line("metadata", s3_key)
    downloaded = command_line("download", s3_key, "-o", tmp_path / "back.jpg")
    deleted = command_line("delete", s3_key, "--yes")

    assert [run.exit_code for run in (uploaded, described, downloaded, deleted)] == [0, 0, 0, 0]
    assert s3_key in uploaded.stdout
    assert "300×400" in uploaded.stdout
    assert "photo.jpg" in described.stdout
    assert decode((tmp_path / "back.jpg").read_bytes()).size == (300, 400)
    assert command_line("ls", "--json").document == {"images": [], "more": False}


def test_json_answers_of_every_image_command(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """With --json each command prints one JSON document on stdout, and nothing else there."""
    [s3_key] = store(command_line, photo)

    assert command_line("exists", s3_key, "--json").document == {"s3_key": s3_key, "exists": True}
    assert command_line("metadata", s3_key, "--json").document["metadata"]["source"]["width"] == 300
    assert command_line("url", s3_key, "--json").document["url"].endswith(s3_key)
    assert command_line("ls", "--json").document["images"][0]["s3_key"] == s3_key
    target = tmp_path / "back.jpg"
    saved = command_line("download", s3_key, "-o", target, "--json").document
    assert saved == {"s3_key": s3_key, "file": str(target), "file_size": target.stat().st_size}
    deleted = command_line("delete", s3_key, "--yes", "--json").document
    assert deleted == {"outcomes": [{"s3_key": s3_key, "deleted": True, "error": None}]}


def test_variants_are_shown(command_line: CommandLine, photo: Path) -> None:
    """What was made of a photo is told at the upload, and fact by fact and variant by variant afterwards."""
    uploaded = command_line("upload", photo, "--type", "user", "--focal", "0.5,0.25")
    s3_key = uploaded.stdout.splitlines()[1].strip()
    image = command_line("metadata", s3_key, "--json").document
    described = command_line("metadata", s3_key).stdout

    assert image["metadata"]["focal_point"] == {"x": 0.5, "y": 0.25}
    assert f"{len(image['variants'])} variants, " in uploaded.stdout
    assert len(image["variants"]) >= 4
    for variant in image["variants"]:
        assert f"{variant['name']:<8} {variant['format']:<5} {variant['width']}×{variant['height']}" in described
    for fact in ("thumbhash", "blurhash", "dhash", "dominant_color"):
        assert image["metadata"][fact] in described
    assert "0.5, 0.25" in described
    assert "removed " in described
    assert "gps" in described


def test_every_command_takes_json() -> None:
    """Whatever can be asked can be asked by a script."""

    def leaves(command: Any) -> list[Any]:
        inner = getattr(command, "commands", None)
        return [leaf for child in inner.values() for leaf in leaves(child)] if inner else [command]

    commands = leaves(typer.main.get_command(app))

    assert len(commands) >= 10
    assert [command.name for command in commands if not any("--json" in each.opts for each in command.params)] == []


def test_one_bad_file_does_not_lose_the_others(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """Each file has its own outcome, and the exit code is the highest of the failures."""
    truncated = tmp_path / "cut.jpg"
    truncated.write_bytes(photo.read_bytes()[:2000])
    folder = tmp_path / "folder"
    folder.mkdir()
    files = [truncated, tmp_path / "absent.jpg", photo, folder]

    run = command_line("upload", *files, "--type", "user", "--json")

    outcomes = run.document["outcomes"]
    assert [outcome["file"] for outcome in outcomes] == [str(file) for file in files]
    assert [outcome["error"] and outcome["error"]["code"] for outcome in outcomes] == [
        "IMAGE_TRUNCATED",
        "INPUT_UNREADABLE",
        None,
        "INPUT_UNREADABLE",
    ]
    assert run.exit_code == 66


def test_failures_are_told_for_people(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """Without --json stderr says which file, what is wrong, and what to do; stdout keeps to what was stored."""
    text = tmp_path / "notes.jpg"
    text.write_text("not a picture")

    run = command_line("upload", text, photo, "--type", "user")

    assert run.exit_code == 65
    assert "notes.jpg: This kind of file" in run.stderr or "notes.jpg: The file is" in run.stderr
    assert "Send another picture" in run.stderr
    assert "notes.jpg" not in run.stdout
    assert "photo.jpg" in run.stdout


def test_many_files_at_once_keep_their_order(command_line: CommandLine, tmp_path: Path) -> None:
    """Uploads overlap, and their outcomes stand in the order of the files."""
    files = [tmp_path / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        file.write_bytes(make_png(20 + number, 20))

    run = command_line("upload", *files, "--type", "room", "--concurrency", "3", "--json")

    assert [outcome["result"]["metadata"]["width"] for outcome in run.document["outcomes"]] == list(range(20, 26))


def test_a_file_name_that_is_no_text(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """A name with bytes that are no UTF-8, or with a terminal's control characters, is no obstacle and does no harm."""
    odd = tmp_path / "odd\udcff\x1b[31m.jpg"
    odd.write_bytes(photo.read_bytes())

    run = command_line("upload", odd, "--type", "user")

    assert run.exit_code == 0
    assert "\x1b[31m" not in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["upload", "photo.jpg", "--type", "planet"], "IMAGE_TYPE_INVALID"),
        (["upload", "photo.jpg", "--type", "user", "--user", "../1"], "USER_ID_INVALID"),
        (["metadata", "users/1/photo.jpg"], "IMAGE_KEY_INVALID"),
        (["url", ABSENT, "--expires-in", "604801"], "URL_EXPIRY_INVALID"),
        (["upload", "photo.jpg"], "USAGE_INVALID"),
        (["upload", "photo.jpg", "--type", "user", "--focal", "0.5"], "USAGE_INVALID"),
        (["upload", "photo.jpg", "--type", "user", "--focal", "2,0"], "USAGE_INVALID"),
        (["upload", "photo.jpg", "--type", "user", "--focal", "left,top"], "USAGE_INVALID"),
        (["uplaod"], "USAGE_INVALID"),
        (["ls", "--limit", "0"], "USAGE_INVALID"),
        (["delete", ABSENT], "USAGE_INVALID"),
        (["bucket"], "USAGE_INVALID"),
    ],
)
def test_wrong_questions_exit_2(command_line: CommandLine, photo: Path, arguments: list[str], code: str) -> None:
    """What was asked wrongly exits 2, as a problem with --json and as a sentence without."""
    as_problem, as_sentence = command_line(*arguments, "--json"), command_line(*arguments)

    problem = as_problem.document
    if "outcomes" in problem:
        problem = problem["outcomes"][0]["error"]
    assert problem["code"] == code
    assert {"title", "detail", "retryable"} < problem.keys()
    assert as_problem.exit_code == 2
    assert as_sentence.exit_code == 2
    assert as_sentence.stdout == ""
    assert as_sentence.stderr


def test_exists_answers_by_exit_code(command_line: CommandLine, photo: Path) -> None:
    """0 is yes, 1 is no, anything else is a failure."""
    [s3_key] = store(command_line, photo)

    assert command_line("exists", s3_key).exit_code == 0
    assert command_line("exists", ABSENT).exit_code == 1
    assert command_line("exists", "nonsense").exit_code == 2


@pytest.mark.parametrize("arguments", [["metadata", ABSENT], ["download", ABSENT]])
def test_an_absent_image_exits_66_and_leaves_no_file(
    command_line: CommandLine, tmp_path: Path, arguments: list[str]
) -> None:
    """Asking for what is not there is told apart from failing, and writes nothing."""
    run = command_line(*arguments)

    assert run.exit_code == 66
    assert "There is no image at this key." in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_download_replaces_nothing_unasked(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """A file that is there stays as it is, unless --force is said; no temporary file is left."""
    [s3_key] = store(command_line, photo)
    target = tmp_path / "back.jpg"
    target.write_text("mine")

    refused = command_line("download", s3_key, "-o", target)
    kept = target.read_text()
    forced = command_line("download", s3_key, "-o", target, "--force")

    assert (refused.exit_code, kept, forced.exit_code) == (73, "mine", 0)
    assert decode(target.read_bytes()).size == (300, 400)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.jpg", "photo.jpg"]


def test_download_takes_its_name_from_the_key(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """Without -o the file lies in the current folder, with -o FOLDER in that one, under the key's last part."""
    [s3_key] = store(command_line, photo)
    folder = tmp_path / "pictures"
    folder.mkdir()

    assert command_line("download", s3_key).exit_code == 0
    assert command_line("download", s3_key, "-o", folder).exit_code == 0

    name = s3_key.rpartition("/")[2]
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_download_into_a_missing_folder(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """A file that cannot be written is a failure of its own, not one of the store."""
    [s3_key] = store(command_line, photo)

    run = command_line("download", s3_key, "-o", tmp_path / "nowhere" / "back.jpg", "--json")

    assert (run.exit_code, run.document["code"]) == (73, "OUTPUT_UNWRITABLE")


def test_download_to_stdout_is_the_picture_alone(command_line: CommandLine, photo: Path, tmp_path: Path) -> None:
    """`-o -` prints exactly the stored bytes."""
    [s3_key] = store(command_line, photo)
    target = tmp_path / "back.jpg"
    command_line("download", s3_key, "-o", target)

    result = CliRunner().invoke(app, ["download", s3_key, "-o", "-"])

    assert result.stdout_bytes == target.read_bytes()


def test_stdout_takes_the_picture_or_the_document(command_line: CommandLine) -> None:
    """`-o -` and --json cannot both have stdout."""
    run = command_line("download", ABSENT, "-o", "-", "--json")

    assert (run.exit_code, run.document["code"]) == (2, "USAGE_INVALID")


def test_delete_says_what_was_there(command_line: CommandLine, photo: Path) -> None:
    """Deleting an absent image is no error and is told apart; a key that is none fails alone."""
    [s3_key] = store(command_line, photo)

    run = command_line("delete", s3_key, ABSENT, "nonsense", "--yes", "--json")

    outcomes = run.document["outcomes"]
    assert [outcome["deleted"] for outcome in outcomes] == [True, False, None]
    assert outcomes[2]["error"]["code"] == "IMAGE_KEY_INVALID"
    assert run.exit_code == 2


def test_delete_without_a_terminal_needs_yes(command_line: CommandLine, photo: Path) -> None:
    """Where nobody can be asked nothing is deleted."""
    [s3_key] = store(command_line, photo)

    assert command_line("delete", s3_key, stdin="y\n").exit_code == 2
    assert command_line("exists", s3_key).exit_code == 0


def test_ls_pages_through_everything(command_line: CommandLine, tmp_path: Path) -> None:
    """--limit bounds the list and says that there is more; --all shows all; newest last."""
    files = [tmp_path / f"{number}.jpg" for number in range(5)]
    for file in files:
        file.write_bytes(make_jpeg(16, 16))
    keys = store(command_line, *files)

    few = command_line("ls", "--user", "7", "--limit", "2")
    everything = command_line("ls", "--user", "7", "--all", "--json").document

    lines = few.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.count("\t") == 3 for line in lines)
    assert "--all" in few.stderr
    assert sorted(image["s3_key"] for image in everything["images"]) == sorted(keys)
    assert everything["more"] is False
    times = [image["uploaded_at"] for image in everything["images"]]
    assert times == sorted(times)


def test_ls_of_one_user_never_shows_another(command_line: CommandLine, photo: Path) -> None:
    """User 1 is not user 10."""
    store(command_line, photo, user="10")
    [own] = store(command_line, photo, user="1")

    images = command_line("ls", "--user", "1", "--json").document["images"]

    assert [image["s3_key"] for image in images] == [own]


def test_the_real_program_answers_as_the_tests_see_it(command_line: CommandLine, bucket: Any, photo: Path) -> None:
    """The console script, in a process of its own, keeps stdout for the answer."""
    [s3_key] = store(command_line, photo)

    run = run_program("ls", "--json", folder=photo.parent, variables=variables_of(bucket))

    assert run.exit_code == 0
    assert [image["s3_key"] for image in json.loads(run.stdout)["images"]] == [s3_key]
