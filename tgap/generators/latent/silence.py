"""Keeping the libraries from warning of what is checked here, or meant."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LIBRARIES = ("diffusers", "transformers")


@contextmanager
def errors_raised_only() -> Iterator[None]:
    """Inside, diffusers and transformers log nothing; what they raise is raised."""
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    # A library that is not imported yet has no level, and would log all once it has been inside.
    levels = [logger.level or logging.WARNING for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep diffusers and transformers from drawing bars while they load and save."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    shown = [library for library in libraries if library.is_progress_bar_enabled()]
    for library in shown:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bar()
