"""Every command in the README and the pages of ``docs/`` can be typed as it stands there.

Commands are parsed and composed, not executed: flags by click, words by Hydra, a sweep's first and
last run built. Words that stand for the reader's own (``...``, ``dataset=...``) are left out, and
the reader's folders need not be here. In a sentence a command may be named without its words. A
block that cannot be checked has its reason before it: ``<!-- not checked: reason -->``.
"""

import importlib.util
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from tgap.cli.main import tgap
from tgap.cli.overview import EXAMPLES as OF_THE_HELP
from tgap.composition import registry
from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.sweeps import expand
from tgap.composition.typed import readable
from tgap.core import ConfigError

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not checked: (?P<reason>[^>]+) -->\n\s*)?"
    r"^(?P<indent> *)```(?P<kind>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
INLINE = re.compile(r"(?<!`)`((?:tgap|python -m tgap\.run|make) [^`\n]+)`(?!`)")
ABSENT = re.compile(
    r"must name (an existing folder|the folder of|a folder of)|names a file that does not exist"
)
"""What is said of the reader's folders and files."""
SHELL = ("", "bash", "console")
OVERRIDDEN = ("run", "plan", "evaluate", "data", "label", "export")
"""Commands whose words compose a run."""


@dataclass(frozen=True)
class Command:
    """A command of a page, its comment and what comes behind a pipe left out.

    ``partial`` if it is named in a sentence without its words, or goes on with ``...``.
    """

    page: str
    words: tuple[str, ...]
    partial: bool = False

    @property
    def call(self) -> tuple[str, ...]:
        """The command itself."""
        for place, word in enumerate(self.words):
            if word != "time" and not re.match(r"[A-Z_]+=", word):
                return self.words[place:]
        return ()


def commands(page: str, text: str) -> Iterator[Command]:
    """The commands of a page, in blocks and in sentences."""
    for block in BLOCK.finditer(text):
        if block["kind"] in SHELL and block["reason"] is None:
            for line in lines_of(block["text"], console=block["kind"] == "console"):
                yield command_of(page, line, in_sentence=False)
    for inline in INLINE.findall(BLOCK.sub("", text)):
        yield command_of(page, inline, in_sentence=True)


def command_of(page: str, line: str, *, in_sentence: bool) -> Command:
    words = split(line)
    bare = in_sentence and not any("=" in word for word in words)
    return Command(page, tuple(words), bare or " ..." in line)


def lines_of(text: str, *, console: bool) -> Iterator[str]:
    """A block's commands, continued lines joined."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        typed = line.strip()
        if typed.startswith("$ "):
            yield typed[2:]
        elif not console:
            yield typed


def split(line: str) -> list[str]:
    """Words as a shell takes them, without what stands for the reader's own."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a line of output with a single quote
        return []
    for sign in ("|", "&&", "(the"):
        words = words[: words.index(sign)] if sign in words else words
    return [word for word in words if "..." not in word]


def is_ours(command: Command) -> bool:
    call = command.call
    ours = call[:1] in (("tgap",), ("make",)) or call[:2] == ("python", "-m")
    return ours and len(call) > 1


FOUND = [one for page in PAGES for one in commands(page.name, page.read_text("utf-8"))]
COMMANDS = [command for command in dict.fromkeys(FOUND) if is_ours(command)]


@pytest.fixture(scope="module", autouse=True)
def as_a_reader_has_it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the docs, the presets that a page shows, and the examples installed."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "docs").symlink_to(ROOT / "docs")
    shown = (ROOT / "docs" / "presets.md").read_text("utf-8")
    for path, text in re.findall(r"`(mine/\w+/\w+\.yaml)`\n```yaml\n(.*?)```", shown, re.DOTALL):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    examples = ROOT / "docs" / "examples"
    project = tomllib.loads((examples / "pyproject.toml").read_text("utf-8"))["project"]
    info = folder / "site" / "tgap_example-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tgap-example\nVersion: 0.1.0\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TGAP_HOME", str(folder / ".tgap"))
        patch.setenv("TGAP_TRUSTED", "tgap_example")
        patch.syspath_prepend(folder / "site")
        patch.syspath_prepend(examples)
        forget()
        yield folder
    forget()


def forget() -> None:
    """Look for installed components anew."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tgap_example"]:
        del sys.modules[name]
    registry.installed_components.cache_clear()
    registry._loaded.cache_clear()


def test_there_are_many() -> None:
    assert len(COMMANDS) > 120
    pages = {command.page for command in COMMANDS}
    assert {"README.md", "quick_start.md", "presets.md", "xray.md", "add_parts.md"} <= pages


def test_a_marked_block_is_left_out_with_its_reason() -> None:
    block = "```\ntgap run \\\n    size=3  # three\n```\n"
    assert [one.words for one in commands("", block)] == [("tgap", "run", "size=3")]
    assert not list(commands("", f"<!-- not checked: needs another machine -->\n{block}"))
    pages = [page.read_text("utf-8") for page in PAGES]
    reasons = [one for text in pages for one in re.findall("<!-- not checked:(.*?)-->", text)]
    assert all(len(reason.split()) >= 3 for reason in reasons)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.page}: {' '.join(c.words)}"[:150])
def test_it_can_be_typed(command: Command) -> None:
    try:
        check(command.call)
    except (click.MissingParameter, click.BadOptionUsage):
        if not command.partial:
            raise


@pytest.mark.parametrize("example", OF_THE_HELP)
def test_examples_of_the_help_can_be_typed(example: str) -> None:
    check(tuple(shlex.split(example)))


@pytest.mark.parametrize(
    "wrong",
    [
        "tgap run selectr=random",
        "tgap run sizze=3",
        "tgap run size=1,2 seed=0,-1 -m",
        "tgap run --dry",
        "tgap compar",
        "tgap evaluate --real real/",
        "make dem",
        "python -m experiments.optionz FOLDER",
        "tgap run --help selector=clip_spectrl",
    ],
)
def test_what_cannot_be_typed_is_found(wrong: str) -> None:
    with pytest.raises((ConfigError, click.UsageError, AssertionError)):
        check(tuple(shlex.split(wrong)))


def check(call: tuple[str, ...]) -> None:
    """Raise if a command line has a mistake."""
    if call[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(call[1:]) <= set(targets)
    elif call[:2] == ("python", "-m") and call[2] != "tgap.run":
        assert importlib.util.find_spec(call[2]) is not None, call[2]
    else:
        check_tgap(["run", *call[3:]] if call[0] == "python" else list(call[1:]))


def check_tgap(words: list[str]) -> None:
    try:
        with tgap.make_context("tgap", words[:1] if words[0].startswith("-") else []) as above:
            if words[0].startswith("-"):
                return
            command = tgap.get_command(above, words[0])
            assert command is not None, f"no command {words[0]}"
            with command.make_context(words[0], words[1:], parent=above) as context:
                chosen = context.params
    except click.exceptions.Exit:  # a flag that shows something, and has
        return
    overrides = list(chosen.get("overrides") or chosen.get("words") or ())
    if words[0] in OVERRIDDEN and any("=" in word for word in overrides):
        composes(overrides, bool(chosen.get("multirun")), chosen.get("config_dir"))


def composes(overrides: list[str], sweep: bool, config_dir: str | None) -> None:
    """Build the first and the last run; those between combine their parts."""
    with hydra_ready(config_dir) as hydra:
        typed = readable(overrides, several=sweep)
        jobs = expand(hydra, typed) if sweep else [typed]
        for job in {tuple(jobs[0]), tuple(jobs[-1])}:
            try:
                compose_run(hydra, list(job))
            except ConfigError as error:
                problems = [text for text in error.problems if not ABSENT.search(text)]
                if problems:
                    raise ConfigError(*problems) from error
