"""What of a process the next run would inherit: compared before and after a run."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any

OF_LIBRARIES = ("KMP_", "TORCHINDUCTOR_", "TOKENIZERS_", "MLFLOW_", "_MLFLOW_", "DO_NOT_TRACK")
"""Beginnings of variables that libraries set for themselves when they are imported."""
OF_PEOPLE = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME")
"""Of these, what people set, and no library by itself."""
MEANT = ("TGAP_", "CUDA_")
"""Beginnings of variables that count also where they were not set before."""
LIMITS = ("NOFILE", "AS", "DATA", "STACK", "FSIZE", "CPU")
"""Of what the system gives a process, by the names of ``resource`` without ``RLIMIT_``."""
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD")


def fingerprint() -> dict[str, Any]:
    """What a run could leave changed behind it, by the names that people know it by.

    Of libraries nothing where they were not imported: what they then set is their own default.
    """
    state: dict[str, Any] = {
        f"os.environ['{name}']": value
        for name, value in os.environ.items()
        if not _of_library(name)
    }
    state |= {"the current folder": _folder(), "umask": _umask(), "sys.path": list(sys.path)}
    state |= {"sys.stdout": id(sys.stdout), "sys.stderr": id(sys.stderr)}
    state["the recursion limit"] = sys.getrecursionlimit()
    state["logging.disable"] = logging.root.manager.disable
    for name in SIGNALS:
        if hasattr(signal, name):
            state[f"the handler of {name}"] = signal.getsignal(getattr(signal, name))
    return state | dict(_limits()) | dict(_of_numpy()) | dict(_of_pillow()) | dict(_of_torch())


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of what differs.

    Settings of a library that was imported in between are compared with its defaults; variables
    that were not set before do not count, since the next run begins without them
    (``set_environment``), but those that begin like ``MEANT``.
    """
    was: dict[str, Any] = {name: after.get(name) for name in UNKNOWN_BEFORE} | dict(before)
    was = {name: value for name, value in DEFAULTS.items() if name in after} | was
    new = [name for name in after if name not in was and _counts(name)]
    return [name for name in was if was[name] != after.get(name)] + new


def _of_library(variable: str) -> bool:
    return variable.startswith(OF_LIBRARIES) and variable not in OF_PEOPLE


def _counts(name: str) -> bool:
    variable = name.partition("['")[2]
    return not variable or variable.startswith((*MEANT, *OF_PEOPLE))


def set_environment(variables: Mapping[str, str]) -> None:
    """Let the environment be this, but for what libraries have set for themselves."""
    kept = {n: v for n, v in os.environ.items() if _of_library(n)}
    wanted = kept | dict(variables)
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


DEFAULTS = {
    "torch's default dtype": "torch.float32",
    "torch's gradients": True,
    "torch's inference mode": False,
    "torch's deterministic algorithms": False,
    "torch's precision of matrix products": "highest",
    "torch's default device": "cpu",
    "torch's use of oneDNN": True,
    "torch's smallest numbers": "as they are",
    "torch.backends.cudnn.deterministic": False,
    "torch.backends.cudnn.benchmark": False,
    "torch.backends.cudnn.allow_tf32": True,
    "torch's kinds of attention": (True, True, True, True),
    "PIL.Image.MAX_IMAGE_PIXELS": 89_478_485,
}
"""What libraries begin with."""
UNKNOWN_BEFORE = ("torch's threads", "numpy's error state")
"""What has no default that is the same everywhere; a library that is new leaves it unknown."""


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _umask() -> int:
    mask = os.umask(0o077)  # there is no way to only look
    os.umask(mask)
    return mask


def _limits() -> Iterator[tuple[str, Any]]:
    try:
        import resource
    except ImportError:  # Windows has none
        return
    for name in LIMITS:
        if (number := getattr(resource, f"RLIMIT_{name}", None)) is not None:
            yield f"the limit RLIMIT_{name}", resource.getrlimit(number)


def _of_pillow() -> Iterator[tuple[str, Any]]:
    if (image := sys.modules.get("PIL.Image")) is not None:
        yield "PIL.Image.MAX_IMAGE_PIXELS", getattr(image, "MAX_IMAGE_PIXELS", None)


def _of_numpy() -> Iterator[tuple[str, Any]]:
    if (numpy := sys.modules.get("numpy")) is not None:
        yield "numpy's error state", numpy.geterr()


def _of_torch() -> Iterator[tuple[str, Any]]:
    if (torch := sys.modules.get("torch")) is None or not hasattr(torch, "get_default_dtype"):
        return
    yield "torch's default dtype", str(torch.get_default_dtype())
    yield "torch's threads", torch.get_num_threads()
    yield "torch's gradients", torch.is_grad_enabled()
    yield "torch's inference mode", torch.is_inference_mode_enabled()
    yield "torch's deterministic algorithms", torch.are_deterministic_algorithms_enabled()
    yield "torch's precision of matrix products", torch.get_float32_matmul_precision()
    yield "torch's default device", str(torch.get_default_device())
    yield "torch's use of oneDNN", torch.backends.mkldnn.enabled
    cudnn, attention = torch.backends.cudnn, torch.backends.cuda
    yield "torch.backends.cudnn.deterministic", cudnn.deterministic
    yield "torch.backends.cudnn.benchmark", cudnn.benchmark
    yield "torch.backends.cudnn.allow_tf32", _allow_tf32(cudnn)
    yield (
        "torch's kinds of attention",
        (
            attention.flash_sdp_enabled(),
            attention.mem_efficient_sdp_enabled(),
            attention.math_sdp_enabled(),
            attention.cudnn_sdp_enabled(),
        ),
    )
    # There is no way to ask whether numbers below the normal ones are taken as 0.
    kept = bool(torch.tensor(1e-310, dtype=torch.float64, device="cpu").mul(1.0).ne(0))
    yield "torch's smallest numbers", "as they are" if kept else "taken as 0"


def _allow_tf32(cudnn: Any) -> bool | str:
    try:
        return bool(cudnn.allow_tf32)
    except RuntimeError:  # of its parts not all are as one
        return "in part"
