"""What a sweep's process and its worker say to each other: a line of JSON each, never a pickle."""

import dataclasses
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tgap.analysis.rows import PlannedRun
from tgap.composition.building import build
from tgap.composition.config import Run
from tgap.composition.schema import data_of
from tgap.pipeline.stored import plan_as_json, plan_from_json
from tgap.sweeps.doing import Errand
from tgap.sweeps.identity import Planned

Message = dict[str, Any]


def line_of(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message).encode() + b"\n"


def errand_as_message(errand: Errand) -> Message:
    """A run for a worker, with this process's environment, folder and levels of loggers."""
    job = errand.job
    return {
        # YAML and not JSON: keys of dictionaries may be numbers.
        "run": yaml.safe_dump(data_of(job.run), sort_keys=False, allow_unicode=True),
        "plan": plan_as_json(job.plan),
        "row": dataclasses.asdict(job.row),
        "words": list(job.words),
        "home": str(errand.home),
        "sweep_key": errand.sweep_key,
        "folder": str(errand.folder.absolute()),
        "which": errand.which,
        "environment": dict(os.environ),
        "current": os.getcwd(),
        "path": list(sys.path),
        "levels": _levels(),
    }


def errand_of(message: Message) -> Errand:
    """The run that a message brings.

    Raises:
        ConfigError: If it cannot be built in this process.
    """
    run = build(Run, yaml.safe_load(message["run"]))
    plan, row = plan_from_json(run, message["plan"]), PlannedRun(**message["row"])
    job = Planned(plan, row, tuple(message["words"]))
    home, folder = Path(message["home"]), Path(message["folder"])
    return Errand(job, home, message["sweep_key"], folder, message["which"])


def _levels() -> dict[str, int]:
    """Levels of loggers that were set, so that what nobody wants to see is not sent."""
    loggers = logging.root.manager.loggerDict
    levels = {n: one.level for n, one in loggers.items() if isinstance(one, logging.Logger)}
    return {"": logging.root.level} | {name: level for name, level in levels.items() if level}


def record_as_message(record: logging.LogRecord) -> Message:
    """A log line, with its traceback as text."""
    text = record.exc_text
    if record.exc_info and not text:
        text = logging.Formatter().formatException(record.exc_info)
    return {
        "event": "log",
        "name": record.name,
        "levelno": record.levelno,
        "levelname": record.levelname,
        "msg": record.getMessage(),
        "created": record.created,
        "msecs": record.msecs,
        "exc_text": text,
    }


def tell(message: Message) -> None:
    """Hand a log line to this process's loggers."""
    record = logging.makeLogRecord({k: v for k, v in message.items() if k != "event"})
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)
