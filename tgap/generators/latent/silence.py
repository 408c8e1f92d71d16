"""Keeping the libraries from warning of what is checked here, or meant."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = ("diffusers", "transformers")


@contextmanager
def errors_raised_only() -> Iterator[None]:
    """Inside, diffusers and transformers log nothing; what they raise is raised."""
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
