"""The command line `heaven-images`: its commands, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from app.bootstrap import default_services
from app.core.exceptions import ImageServiceError, InternalError
from app.entrypoints.cli import image_commands
from app.entrypoints.cli.bucket_commands import bucket_app
from app.entrypoints.cli.doctor_command import doctor
from app.entrypoints.cli.exit_codes import ExitCode, LocalFailure, UsageInvalid, answer_of
from app.entrypoints.cli.img_url_command import img_url
from app.entrypoints.cli.invalidate_command import invalidate
from app.entrypoints.cli.manifest_command import manifest
from app.entrypoints.cli.output import open_output, print_traceback
from app.entrypoints.cli.serve_command import serve
from app.entrypoints.cli.sign_command import sign
from app.entrypoints.cli.sweep_command import sweep

PROGRAM = "heaven-images"


class CommandLine(TyperGroup):
    """The root of all commands: whatever they raise ends here, as a sentence or a problem, and as an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - part of the overridden signature
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        arguments = list(sys.argv[1:] if args is None else args) or ["--help"]
        output = open_output(as_json="--json" in arguments)
        failure: ImageServiceError | LocalFailure
        try:
            code = super().main(arguments, prog_name, complete_var, False, windows_expand_args, **extra)
            sys.exit(code if isinstance(code, int) else ExitCode.OK)
        except (ImageServiceError, LocalFailure) as error:
            failure = error
        except typer.TyperException as error:
            failure = UsageInvalid(error.format_message())
        except typer.Abort:
            # Ctrl-C or Ctrl-D at a question.
            sys.exit(ExitCode.INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the last line: everything is answered, with a code of its own
            print_traceback(error)
            failure = InternalError()
        output.fail(failure)
        sys.exit(answer_of(failure).exit_code)


app = typer.Typer(
    cls=CommandLine,
    help="Heaven Connect images: photos in; small, safe, upright pictures in S3 out.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve)
app.command("upload")(image_commands.upload)
app.command("download")(image_commands.download)
app.command("exists")(image_commands.exists)
app.command("metadata")(image_commands.metadata)
app.command("url")(image_commands.url)
app.command("sign")(sign)
app.command("img-url")(img_url)
app.command("manifest")(manifest)
app.command("delete")(image_commands.delete)
app.command("ls")(image_commands.list_images)
app.command("sweep")(sweep)
app.command("invalidate")(invalidate)
app.command("doctor")(doctor)
# Without its command it is a mistake like any other, with a sentence and a code.
app.add_typer(bucket_app, name="bucket", no_args_is_help=False)


def main() -> None:
    """The console script. A SIGTERM ends a command as tidily as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _end_tidily)
    try:
        app(prog_name=PROGRAM)
    except SystemExit as end:
        if end.code in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
            _leave_at_once(ExitCode(end.code))
        raise


def _end_tidily(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(ExitCode.TERMINATED)


def _leave_at_once(code: ExitCode) -> NoReturn:
    """Leaves without waiting for threads: one that asks a store which hangs would keep the program for seconds."""
    if default_services.cache_info().currsize and (embedded := default_services().embedded):
        embedded.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
