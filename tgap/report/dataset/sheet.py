"""A contact sheet of a dataset, as a picture."""

from pathlib import Path

import numpy as np

from tgap.core import ImageSet
from tgap.report.dataset.samples import rows_by_name

PER_NAME = 16
"""Images of each label and finding."""


def contact_sheet(data: ImageSet, path: Path) -> None:
    """Draw images of every label and every finding, spread evenly over the dataset."""
    from tgap.report.figures import image_grid

    rows = rows_by_name(data, PER_NAME)
    owner = np.repeat(np.arange(len(rows)), [len(part) for part in rows.values()])
    image_grid(
        data.images[np.concatenate(list(rows.values()))],
        owner[:, None] == np.arange(len(rows)),
        [name.partition(" ")[2] for name in rows],
        path,
        columns=PER_NAME,
        rows=1,
    )
