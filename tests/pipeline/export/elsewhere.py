"""A process that cannot import tgap and runs scripts, each in a child of its own.

    python elsewhere.py

It loads the libraries once, which takes longer than any script runs, and computes nothing itself.
A line on standard input is a script with its words, as JSON; the answer is what it printed, and
with how it failed if it did.
"""

import contextlib
import importlib
import io
import json
import os
import runpy
import sys
import traceback

LIBRARIES = ("torch", "diffusers", "peft", "timm", "torchvision", "transformers")
NAMES = ("StableDiffusionPipeline", "DDIMScheduler")


class No:
    """Finds no tgap."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == "tgap":
            raise ImportError("tgap is not to be had")


def answer(words: list[str]) -> dict[str, str]:
    """What a script prints, and the error that ended it."""
    printed, error = io.StringIO(), ""
    sys.argv = words
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(words[0], run_name="__main__")
    except BaseException:
        error = traceback.format_exc()
    return {"printed": printed.getvalue(), "error": error}


def main() -> None:
    sys.meta_path.insert(0, No())
    for library in LIBRARIES:
        importlib.import_module(library)
    for name in NAMES:
        getattr(sys.modules["diffusers"], name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
