"""Names of files in a process whose locale is not UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIST = """
import sys
from pathlib import Path
from tgap.core import DataError
from tgap.datasets.reading.listing import list_images
try:
    list_images(Path(sys.argv[1]))
except DataError as error:
    print(ascii(str(error)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([b"gr\xc3\xb6\xc3\x9fe", b"cat"], "set LC_ALL=C.UTF-8, or PYTHONUTF8=1, in the shell"),
        ([b"gr\xf6\xdfe", b"cat"], "convmv -r -f latin1"),
    ],
)
def test_a_locale_without_utf_8_is_told_by_name(
    names: list[bytes], told: str, tmp_path: Path
) -> None:
    for name in names:
        os.mkdir(os.path.join(os.fsencode(tmp_path), name))
    of_c = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", LIST, str(tmp_path)],
        env={**os.environ, **of_c},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told in done.stdout
    assert ("names are UTF-8 text" in done.stdout) == ("LC_ALL" in told)
