"""watch: a line, and perhaps a command, for each version as it goes live."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from types import FrameType

from modelreg.cli import exits, terminal
from modelreg.cli.session import Session
from modelreg.types import ModelVersion
from modelreg.watching import watch as follow


def watch(session: Session) -> int:
    """Print versions as they go live, until stopped."""
    options = session.options
    versions = follow(
        options.name,
        options.stage or "production",
        alias=options.alias,
        source=session.dsn,
        listen_dsn=options.listen_dsn,
        include_current=not options.no_current,
        poll=options.poll,
        timeout=options.timeout,
    )

    def stop(number: int, frame: FrameType | None) -> None:
        versions.close()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    seen = 0
    timed_out = False
    try:
        for version in versions:
            _print(session, version)
            if options.exec is not None:
                _execute(session, options.exec, version)
            seen += 1
            if seen == options.count:
                break
        timed_out = not versions.stopped and seen == 0
    finally:
        versions.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return exits.NOT_FOUND if timed_out else exits.OK


def _print(session: Session, version: ModelVersion) -> None:
    if session.json:
        session.line(version.to_dict())
        return
    session.print(
        "  ".join(
            (
                terminal.time_text(version.deployed_at or version.registered_at),
                session.style.stage(str(version.deployment_stage)),
                terminal.clean(version.model_name),
                terminal.clean(version.version),
                terminal.clean(version.model_id),
            )
        )
    )


def _execute(session: Session, command: str, version: ModelVersion) -> None:
    """Run the command. Names go by the environment: no shell takes them for something else."""
    environment = os.environ | {
        "MODELREG_MODEL_ID": version.model_id,
        "MODELREG_MODEL_NAME": version.model_name,
        "MODELREG_VERSION": version.version,
        "MODELREG_STAGE": str(version.deployment_stage),
        "MODELREG_CHECKSUM": version.checksum,
    }
    done = subprocess.run(
        command,
        shell=True,
        input=json.dumps(version.to_dict()).encode(),
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        session.message(f"the command ended with {done.returncode} for {version.model_id}")
