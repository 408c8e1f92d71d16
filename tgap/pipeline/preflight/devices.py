"""Whether there are the devices that a run is to be shared among."""

from tgap.composition.config import Run
from tgap.generators.base import Pretrained
from tgap.pipeline.sharing.processes import not_elsewhere


def check_devices(run: Run) -> list[str]:
    """What stands in the way of ``devices``, as sentences; torch is imported only if it is set.

    A control draws no images that could be shared, so nothing stands in its way.
    """
    if run.devices == 1 or not isinstance(run.generator, Pretrained):
        return []
    problems = []
    if classes := not_elsewhere(run):
        problems.append(
            f"devices={run.devices} starts further processes, which cannot know "
            f"{', '.join(classes)}, defined in this session: put the class into a module of its "
            "own, or set devices=1"
        )
    if run.generator.device in ("auto", "cuda"):
        import torch

        there = torch.cuda.device_count()
        if there < run.devices:
            problems.append(
                f"devices={run.devices} needs as many CUDA devices, and torch sees {there} on this "
                f"machine; set devices={max(there, 1)}, start it where there are {run.devices}, or "
                "set generator.device=cpu to share the work among processes on the CPU (no "
                "faster: to try it out)"
            )
    return problems
