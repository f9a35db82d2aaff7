"""The arguments of `modelreg`: every command, option and help text."""

from __future__ import annotations

import argparse
import json
import math
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from modelreg.cli import exits, references, terminal

EPILOG = f"""\
{references.HELP}
connection:
  --dsn is a libpq connection string or URI, MODELREG_DSN if there is no --dsn. What it leaves open
  comes from libpq's environment (PGHOST, PGPORT, PGUSER, PGDATABASE, PGSERVICE, PGPASSFILE …), as
  for psql.

output:
  Results go to standard output, messages to standard error. --json makes the result one JSON
  document (watch: one a line). Colours and progress bars only on a terminal; NO_COLOR and
  TERM=dumb are honoured. With MODELREG_DEBUG=1, an error shows its traceback.

{exits.TABLE}"""


class Parser(argparse.ArgumentParser):
    """Tells of usage errors in one line, and where to find help in another.

    Options are not to be abbreviated: a script must not break when there are more of them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        self.exit(
            exits.USAGE,
            f"modelreg: {terminal.clean(message)}\n  {self.prog} --help says more.\n",
        )


def assignment(text: str) -> tuple[str, str]:
    """Read NAME=VALUE; the name ends at the first =."""
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=VALUE')
    return name, value


def metric(text: str) -> tuple[str, float]:
    """Read NAME=NUMBER."""
    name, mark, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not mark or not name or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=NUMBER')
    return name, number


def parameter(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE, the value as JSON if it is that, else as text."""
    name, value = assignment(text)
    try:
        return name, json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return name, value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number above 0')
    return number


def upload_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not the uuid of an upload') from None


def seconds(text: str) -> float:
    """Read a number of seconds above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e9:  # what clocks can count to
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of seconds above 0')
    return number


def instant(text: str) -> datetime:
    """Read an ISO 8601 time; without a zone it is local."""
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'"{text}" is no time such as 2026-11-23 or 2026-11-23T07:34:53+00:00'
        ) from None
    return when if when.tzinfo else when.astimezone()


def _common() -> Parser:
    """Options that may stand before the command and after it."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("general options")
    group.add_argument("--dsn", help="connection string or URI (default: libpq's environment)")
    group.add_argument("--json", action="store_true", help="print JSON")
    group.add_argument("--color", choices=("auto", "always", "never"), help="default: auto")
    group.add_argument(
        "-q", "--quiet", action="store_true", help="no progress, no messages but errors"
    )
    return common


def _stage(parser: argparse._ActionsContainer, help_text: str, **more: Any) -> None:
    parser.add_argument(
        "--stage", choices=references.STAGES, metavar="STAGE", help=help_text, **more
    )


def _ref_options(parser: argparse.ArgumentParser, *, stage: bool = True) -> None:
    group = parser.add_argument_group("how REF is read (default: by its form)")
    group.add_argument(
        "--id", dest="ref_id", action="store_const", const="id", help="REF is a model_id"
    )
    group.add_argument(
        "--name", dest="ref_name", action="store_const", const="name", help="REF is a model"
    )
    group.add_argument(
        "--version", dest="ref_version", metavar="V", help="this version of model REF"
    )
    group.add_argument(
        "--alias", dest="ref_alias", metavar="A", help="what alias A of model REF names"
    )
    if stage:
        group.add_argument(
            "--stage",
            dest="ref_stage",
            metavar="S",
            choices=references.STAGES,
            help="the newest in stage S of model REF",
        )


def _reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; goes to the trail")


def build() -> Parser:
    """Return the parser. The parsed arguments have `run`, the name of the command's function."""
    common = _common()
    top = Parser(
        prog="modelreg",
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Use a model registry in a PostgreSQL database.",
        epilog=EPILOG,
    )
    top.add_argument(
        "-V",
        "--version",
        dest="client_version",
        action="store_true",
        help="print the version and exit",
    )
    commands: argparse._SubParsersAction[Parser] = top.add_subparsers(
        dest="command", metavar="COMMAND", title="commands"
    )

    def command(name: str, help_text: str, **more: Any) -> Parser:
        parser = commands.add_parser(
            name,
            help=help_text,
            description=help_text[0].upper() + help_text[1:] + ".",
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **more,
        )
        parser.set_defaults(run=name)
        return parser

    for add in (
        _push,
        _pull,
        _list,
        _show,
        _compare,
        _promote,
        _delete,
        _history,
        _verify,
        _watch,
        _alias,
        _import_mlflow,
    ):
        add(command)
    return top


Command = Callable[..., Parser]


def _push(command: Command) -> None:
    parser = command(
        "push",
        "register a file, or a directory of files, as a new version",
        epilog="A large file is uploaded in parts, which stay if the upload breaks off: a message"
        " says with which --upload-id to go on. Prints the model_id.",
    )
    parser.add_argument("path", metavar="FILE|DIRECTORY", help="- reads standard input")
    parser.add_argument("--name", help="the model (default: the type)")
    parser.add_argument("--type", help="what kind of model (default: the name)")
    parser.add_argument("--version", help="semantic version (default: the next minor)")
    _stage(parser, "stage to start in (default: development)")
    parser.add_argument(
        "--metric", type=metric, action="append", default=[], metavar="NAME=NUMBER", help="repeat"
    )
    parser.add_argument("--metrics-file", metavar="FILE", help="a JSON object of numbers")
    parser.add_argument("--tag", action="append", default=[], help="repeat")
    parser.add_argument("--notes", default="", metavar="TEXT")
    parser.add_argument(
        "--param",
        type=parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="part of model_config, as JSON or else text; repeat",
    )
    parser.add_argument("--params-file", metavar="FILE", help="a JSON object for model_config")
    parser.add_argument("--dataset-version", metavar="TEXT")
    parser.add_argument(
        "--parent", action="append", default=[], metavar="REF", help="derived from; repeat"
    )
    parser.add_argument(
        "--property",
        type=parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="repeat",
    )
    parser.add_argument(
        "--serializer",
        metavar="NAME",
        help="what the file was written with, for those who load it (default: by its ending)",
    )
    parser.add_argument("--trained-at", type=instant, metavar="TIME", help="default: now")
    parser.add_argument(
        "--sha256", metavar="HEX", help="register only if the file has this SHA-256"
    )
    parser.add_argument(
        "--upload-id",
        metavar="UUID",
        type=upload_id,
        help="go on with an upload that broke off",
    )


def _pull(command: Command) -> None:
    parser = command(
        "pull",
        "download a version into a file or directory, verified",
        epilog="What was downloaded before it broke off is kept beside the target, and the next"
        " pull goes on from there. Nothing appears under the target's name before its SHA-256 is"
        " right. Prints the path.",
    )
    parser.add_argument("ref", metavar="REF")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="the file to write, or a directory to put it in; of a version that is a directory, the"
        " directory to make; - for standard output (default: its own name, here)",
    )
    parser.add_argument("--file", metavar="PATH", help="this file of a version that is a directory")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    _ref_options(parser)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", metavar="TYPE", help="of this type")
    parser.add_argument("--version", metavar="V", help="of this version")
    _stage(parser, "in this stage")
    parser.add_argument(
        "--tag", action="append", default=[], help="with this tag; repeat: all of them"
    )
    parser.add_argument(
        "--min",
        type=metric,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="metric at least",
    )
    parser.add_argument(
        "--max",
        type=metric,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="metric at most",
    )


def _list(command: Command) -> None:
    parser = command("list", "list versions, newest first")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of this model")
    _filters(parser)
    parser.add_argument(
        "--limit", type=count, default=50, metavar="N", help="at most so many (default: 50)"
    )
    parser.add_argument("--all", action="store_true", help="no limit")
    parser.add_argument("--before", metavar="MODEL_ID", help="the page after this version")


def _show(command: Command) -> None:
    parser = command("show", "show all that is known about a version", aliases=["info"])
    parser.add_argument("ref", metavar="REF")
    _ref_options(parser)


def _compare(command: Command) -> None:
    parser = command(
        "compare",
        "compare the metrics of versions",
        epilog="The best of each metric is marked *, if the registry knows which way is better "
        "(modelreg_set_metric_direction). The name of a model alone is as --of NAME.",
    )
    parser.add_argument("refs", nargs="*", metavar="REF")
    parser.add_argument("--of", metavar="NAME", help="the newest versions of this model, too")
    parser.add_argument(
        "--limit", type=count, default=10, metavar="N", help="how many of a model (default: 10)"
    )
    parser.add_argument(
        "--metric", action="append", default=[], metavar="NAME", help="only this; repeat"
    )
    parser.add_argument(
        "--id", dest="ref_id", action="store_const", const="id", help="each REF is a model_id"
    )


def _promote(command: Command) -> None:
    parser = command(
        "promote",
        "move a version to a stage",
        epilog="Into production, the version that was there moves to deprecated.",
    )
    parser.add_argument("ref", metavar="REF")
    parser.add_argument(
        "to_stage",
        metavar="STAGE",
        nargs="?",
        default="production",
        choices=references.STAGES,
        help="default: production",
    )
    _reason(parser)
    _ref_options(parser, stage=False)  # which could be taken for the stage to move to


def _delete(command: Command) -> None:
    parser = command(
        "delete",
        "delete a version",
        epilog="Asks on a terminal. Where nobody can be asked, --yes is needed.",
    )
    parser.add_argument("ref", metavar="REF")
    parser.add_argument(
        "--force", action="store_true", help="even if it is in production or an alias names it"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    _reason(parser)
    _ref_options(parser)


def _history(command: Command) -> None:
    parser = command("history", "show who did what, when and why")
    parser.add_argument(
        "ref",
        nargs="?",
        metavar="NAME|REF",
        help="a model or a version, deleted ones as well (default: all)",
    )
    parser.add_argument("--since", type=instant, metavar="TIME")
    parser.add_argument("--limit", type=count, metavar="N", help="the last N events (default: all)")
    _ref_options(parser)


def _verify(command: Command) -> None:
    parser = command(
        "verify", "read stored bytes, and compare them with their SHA-256; exit code 6 if damaged"
    )
    parser.add_argument("ref", nargs="?", metavar="REF", help="default: everything")
    parser.add_argument("--audit", action="store_true", help="verify the audit trail as well")
    _ref_options(parser)


def _watch(command: Command) -> None:
    parser = command(
        "watch",
        "print a line for each version as it goes live",
        epilog="Runs until it is stopped: Ctrl-C or SIGTERM, exit code 0. --exec runs a command by"
        " the shell for each version, one at a time; it gets the version as JSON on standard input"
        " and in MODELREG_MODEL_ID, MODELREG_MODEL_NAME, MODELREG_VERSION, MODELREG_STAGE and"
        " MODELREG_CHECKSUM. If it fails, a message says so and the watch goes on.",
    )
    parser.add_argument("name", metavar="NAME", help="the model")
    group = parser.add_mutually_exclusive_group()
    _stage(group, "default: production")
    group.add_argument("--alias", metavar="A", help="watch this alias instead of a stage")
    parser.add_argument(
        "--listen-dsn",
        metavar="DSN",
        help="connect there, past a pooler that lets no notifications through (default:"
        " MODELREG_LISTEN_DSN)",
    )
    parser.add_argument("--exec", metavar="COMMAND", help="run this for each version")
    parser.add_argument("--no-current", action="store_true", help="leave out what is live now")
    parser.add_argument("--count", type=count, metavar="N", help="end after N versions")
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="end after so long (exit code 3 if none came)",
    )
    parser.add_argument(
        "--poll", type=seconds, metavar="SECONDS", help="look so often even without an event"
    )


def _alias(command: Command) -> None:
    parser: Parser = command("alias", "set, drop or show the aliases of a model")
    actions: argparse._SubParsersAction[Parser] = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True
    )
    general = _common()

    def action(name: str, help_text: str) -> Parser:
        sub = actions.add_parser(
            name,
            help=help_text,
            description=help_text[0].upper() + help_text[1:] + ".",
            parents=[general],
        )
        sub.set_defaults(run=f"alias_{name}")
        return sub

    sub = action("set", "make an alias name a version")
    sub.add_argument("ref", metavar="REF")
    sub.add_argument("new_alias", metavar="ALIAS")
    _reason(sub)
    _ref_options(sub)
    sub = action("drop", "drop an alias")
    sub.add_argument("name", metavar="NAME", help="the model")
    sub.add_argument("old_alias", metavar="ALIAS")
    _reason(sub)
    sub = action("show", "list the aliases of a model")
    sub.add_argument("name", metavar="NAME", help="the model")


def _import_mlflow(command: Command) -> None:
    parser = command(
        "import-mlflow",
        "copy registered models from an MLflow server or store",
        epilog="Needs the extra modelreg[mlflow] and the role modelreg_admin. Can be run again:"
        " what was copied is compared and brought up to date. Exit code 1 if not all could be"
        " copied.",
    )
    parser.add_argument(
        "--from", dest="source", required=True, metavar="URI", help="MLflow's tracking URI"
    )
    parser.add_argument(
        "--name", action="append", default=[], metavar="NAME", help="only this model; repeat"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be copied")
    parser.add_argument(
        "--without-files",
        action="store_true",
        help="register versions whose files MLflow cannot deliver without them",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="rename and delete what was imported from there before, as MLflow has since",
    )
    parser.add_argument(
        "--last-number",
        action="append",
        default=[],
        type=_last_number,
        metavar="NAME=N",
        help="versions of this model up to N are deleted in MLflow; repeat",
    )


def _last_number(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not name or not number.isdecimal():
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=NUMBER')
    return name, int(number)
