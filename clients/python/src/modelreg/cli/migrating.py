"""import-mlflow: copy registered models from an MLflow server or store."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from modelreg.cli import exits, terminal
from modelreg.cli.session import Session

if TYPE_CHECKING:
    from modelreg.mlflow.report import ImportReport, Step

_CODES = {
    "INVALID_PARAMETER_VALUE": exits.USAGE,
    "BAD_REQUEST": exits.USAGE,
    "RESOURCE_DOES_NOT_EXIST": exits.NOT_FOUND,
    "NOT_FOUND": exits.NOT_FOUND,
    "PERMISSION_DENIED": exits.REFUSED,
    "UNAUTHENTICATED": exits.REFUSED,
    "RESOURCE_ALREADY_EXISTS": exits.REFUSED,
    "INVALID_STATE": exits.REFUSED,
    "TEMPORARILY_UNAVAILABLE": exits.UNREACHABLE,
}


def import_mlflow(session: Session) -> int:
    """Copy models, versions, aliases, tags, stages and artifacts; say what could not be copied."""
    options = session.options
    if session.quiet or not terminal.is_capable(sys.stderr):
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"  # MLflow's bars are for all
    try:
        from mlflow.exceptions import MlflowException

        from modelreg.mlflow.importing import import_mlflow as run
        from modelreg.mlflow.sources import scrubbed
    except ImportError as error:
        raise exits.CommandError(
            f"import-mlflow needs MLflow, which cannot be imported: {error}",
            hint="pip install 'modelreg[mlflow]'",
        ) from error
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        report = run(
            options.source,
            session.registry,
            names=options.name or None,
            dry_run=options.dry_run,
            progress=_progress(session),
            without_files=options.without_files,
            mirror=options.mirror,
            last_numbers=dict(options.last_number),
        )
    except MlflowException as error:
        code = _CODES.get(error.error_code, exits.FAILURE)
        if _unreachable(error):
            code = exits.UNREACHABLE
        raise exits.CommandError(scrubbed(error.message), code) from error
    if session.json:
        session.document(report.as_dict())
    else:
        _print(session, report)
    return exits.OK if report.ok else exits.FAILURE


def _unreachable(error: BaseException) -> bool:
    """Whether it is because MLflow's server could not be reached."""
    from requests.exceptions import ConnectionError, Timeout

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ConnectionError, Timeout)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _progress(session: Session) -> Any:
    if session.quiet:
        return None

    would_be = "would be " if session.options.dry_run else ""

    def show(step: Step) -> None:
        version = f"{step.model_name}/{step.version}"
        line = f"{step.done} of {step.total}  {version}  {would_be}{step.outcome}"
        print(terminal.clean(line), file=sys.stderr, flush=True)

    return show


def _print(session: Session, report: ImportReport) -> None:
    would = "to be " if report.dry_run else ""
    lines = [
        f"models      {report.models_created} {would}created,"
        f" {report.models_present} there already",
        f"versions    {report.versions_imported} {would}imported,"
        f" {report.versions_present} there already, {report.versions_updated} of these updated",
        f"aliases     {report.aliases_changed} changed",
        f"files       {report.files}, {terminal.size_text(report.bytes)}",
    ]
    if report.models_renamed or report.models_deleted or report.versions_deleted:
        lines.append(
            f"mirrored    {report.models_renamed} models {would}renamed,"
            f" {report.models_deleted} {would}deleted,"
            f" {report.versions_deleted} versions {would}deleted"
        )
    if report.placeholders:
        lines.append(f"skipped     {report.placeholders} numbers that MLflow has deleted")
    if not report.last_numbers_known:
        lines.append(
            "note        MLflow's server does not tell of versions deleted behind the last one;"
            " --last-number does"
        )
    for title, problems in (
        ("conflict", report.conflicts),
        ("missing", report.unavailable),
    ):
        lines += [
            session.style(f"{title:<12}", "red") + terminal.clean(str(problem))
            for problem in problems
        ]
    session.print("\n".join(lines))
