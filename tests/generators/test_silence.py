"""What libraries are kept from saying, and what they say afterwards."""

import logging

import pytest

from tgap.generators.latent.silence import LIBRARIES, errors_raised_only


@pytest.mark.parametrize("before", [logging.NOTSET, logging.WARNING, logging.ERROR])
def test_libraries_say_no_more_afterwards_than_before(before: int) -> None:
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(before)
        with errors_raised_only():
            assert not any(logger.isEnabledFor(logging.CRITICAL) for logger in loggers)
        assert [logger.level for logger in loggers] == [before or logging.WARNING] * 2
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
