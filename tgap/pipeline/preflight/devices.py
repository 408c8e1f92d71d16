"""Whether there are the devices that a run is to be shared among."""

from tgap.composition.config import Run
from tgap.core.device import too_few_devices
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
    return problems + too_few_devices(run.generator.device, run.devices)
