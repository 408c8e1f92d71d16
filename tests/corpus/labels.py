"""Labels that are not what they seem: folders, names and columns that say another thing."""

from functools import partial

from tests.corpus.case import Case
from tests.corpus.folders import put_each

FOLDERS = ("dataset=image_folder", "dataset.domain=x")

CASES = (
    *(
        Case(
            name=f"a folder of another label below a label's: {path}",
            make=partial(put_each, counts={"benign": 20, "malignant": 20, path: 4}),
            words=FOLDERS,
            tells=(
                rf"- Folders below a label's are called as another label is: {path} \(4 images, "
                r"which count as 'malignant', not as 'benign'\).*move them, or leave them out by "
                rf"\"dataset.exclude=\['{path}/\*'\]\"",
            ),
        )
        for path in ("malignant/benign", "malignant/batch 2/Benign")
    ),
    Case(
        name="a folder of another label below a label's, left out",
        make=partial(put_each, counts={"benign": 20, "malignant": 20, "malignant/benign": 4}),
        words=(*FOLDERS, "dataset.exclude=[malignant/benign/*]"),
        untold=("called as another label",),
    ),
    Case(
        name="folders below labels that are called as no other label",
        make=partial(
            put_each,
            counts={"benign/benign": 20, "malignant": 20, "malignant/not benign": 4},
        ),
        words=FOLDERS,
        untold=("called as another label",),
    ),
)
