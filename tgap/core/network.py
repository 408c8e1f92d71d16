"""Whether the network is there, found out in two seconds: libraries try for a minute."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

SECONDS = 2.0
"""That a server has to answer."""


@cache
def answers(url: str) -> bool:
    """Whether a server answers, whatever it says; asked once per process.

    Proxies count as the environment names them (``HTTPS_PROXY``).
    """
    answered: list[bool] = []
    # Looking a name up knows no limit of its own.
    asking = threading.Thread(target=lambda: answered.append(_asked(url)), daemon=True)
    asking.start()
    asking.join(SECONDS)
    return answered == [True]


def _asked(url: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def no_answer(url: str) -> str:
    """What errors say of such a server."""
    return f"{url} does not answer within {SECONDS:g} s"


def why_not(url: str) -> str | None:
    """Why nothing is fetched from a server; ``None`` if it can be."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set: nothing is fetched until it is unset"
    return None if answers(url) else no_answer(url)


def why_no_hub() -> str | None:
    """Why nothing is fetched from Hugging Face's hub; ``None`` if it can be."""
    from huggingface_hub import constants

    return why_not(constants.ENDPOINT)


@contextmanager
def hub_if_it_answers() -> Iterator[None]:
    """Inside, its library takes what is in its cache and asks no hub that does not answer."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, why_no_hub() is not None
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
