"""`manage.py` on a bare machine: the real thing with real pip, in a tree of its own that needs one tiny package."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = getattr(sys, "_base_executable", sys.executable)
"""The Python that this environment was made from: what a lab PC would have."""

COMMAND = '''
"""Say which of the tiny package is there."""
import importlib.metadata, sys
from printsys.errors import PrintSysError
def add_arguments(parser):
    parser.add_argument("--fail", action="store_true")
    parser.add_argument("--crash", action="store_true")
    parser.add_argument("--text")
def run(args):
    if args.text:
        print(args.text, file=sys.stderr)
        print(args.text)
        return 0
    if args.crash:
        raise ZeroDivisionError
    if args.fail:
        raise PrintSysError("Something plain.")
    print("tiny", importlib.metadata.version("tiny"), sys.prefix)
    return 3
'''


class Tree:
    """A copy of manage.py with one command, `check`, and a package index of its own: no network."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "printsys" / "commands").mkdir(parents=True)
        for package in ("printsys", "printsys/commands"):
            (root / package / "__init__.py").touch()
        shutil.copy(ROOT / "manage.py", root)
        shutil.copy(ROOT / "printsys" / "errors.py", root / "printsys")
        (root / "printsys" / "commands" / "check.py").write_text(COMMAND, "utf-8")
        for version in ("1.0", "2.0"):
            _make_wheel(root / "wheels", version)
        (root / "requirements-dev.txt").write_text("-r requirements.txt\n", "utf-8")
        self.pin("1.0")

    def pin(self, version: str) -> None:
        text = f"--no-index\n--find-links {(self.root / 'wheels').as_uri()}\ntiny=={version}\n"
        (self.root / "requirements.txt").write_text(text, "utf-8")

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        clean = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
        return subprocess.Popen(
            [PYTHON, "manage.py", *arguments], cwd=self.root, env=clean | environment, encoding="utf-8",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def call(self, *arguments: str, **environment: str) -> tuple[int, str]:
        process = self.start(*arguments, **environment)
        try:
            output, _ = process.communicate(timeout=600)
        finally:
            process.kill()
        return process.returncode, output


def _make_wheel(folder: Path, version: str) -> None:
    folder.mkdir(exist_ok=True)
    info = f"tiny-{version}.dist-info"
    files: Mapping[str, str] = {
        "tiny.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "a lab's tree")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree that is set up."""
    tree = Tree(tmp_path_factory.mktemp("ready") / "tree")
    code, output = tree.call("check")
    assert code == 3, output
    assert "Setting up" in output
    return tree


def test_a_second_call_sets_nothing_up_and_passes_the_exit_code_on(ready: Tree) -> None:
    code, output = ready.call("check")
    assert (code, output.split()[:2]) == (3, ["tiny", "1.0"])
    assert "Setting up" not in output


def test_an_expected_error_is_one_sentence_and_exit_code_2(ready: Tree) -> None:
    assert ready.call("check", "--fail") == (2, "Something plain.\n")


def test_a_mistake_in_the_program_is_a_traceback_and_a_code_of_its_own(ready: Tree) -> None:
    """Python's own, 1, says of many commands that they did their work."""
    code, output = ready.call("check", "--crash")
    assert code == 70 and output.startswith("Traceback") and output.endswith("ZeroDivisionError\n")


def test_each_command_explains_itself(ready: Tree) -> None:
    code, output = ready.call("check", "--help")
    assert code == 0
    assert "--fail" in output


@pytest.mark.parametrize("code_page", ["cp1252", "cp437", "ascii"])
def test_output_is_utf_8_whatever_the_code_page(ready: Tree, code_page: str) -> None:
    text = "3D → 李明 …"
    assert ready.call("check", "--text", text, PYTHONIOENCODING=code_page, PYTHONUTF8="0") == (0, f"{text}\n{text}\n")


ENGINE = """
import sys
print("job of Łukasz")
print("\\udce9")
sys.exit(5)
"""


@pytest.mark.parametrize("code_page", ["cp1252", "ascii"])
def test_what_takes_an_upgrade_back_speaks_utf_8_too(ready: Tree, code_page: str) -> None:
    """A name that the code page lacks would end it half way."""
    with interrupted_upgrade(ready, ENGINE):
        answer = ready.call("check", PYTHONIOENCODING=code_page, PYTHONUTF8="0")
    assert answer == (5, "job of Łukasz\n\\udce9\n")


def test_an_upgrade_that_fails_to_be_taken_back_is_not_tried_for_ever(ready: Tree) -> None:
    with interrupted_upgrade(ready, "raise OSError('no such drive')"):
        code, output = ready.call("check")
    assert code == 2
    assert "no such drive" in output
    assert output.endswith("is still to be taken back: see above.\n")


@contextlib.contextmanager
def interrupted_upgrade(tree: Tree, engine: str) -> Iterator[None]:
    package = tree.root / ".upgrade" / "engine" / "printsys" / "upgrade"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(engine, "utf-8")
    (tree.root / ".upgrade" / "state.json").touch()
    try:
        yield
    finally:
        shutil.rmtree(tree.root / ".upgrade")


def test_a_name_that_is_no_text_ends_no_command(ready: Tree) -> None:
    script = "import manage, sys; sys.exit(manage._run_command('check', ['--text', 'a\\udce9b']))"
    script = f"import manage; manage._print_in_utf8(); {script}"
    done = subprocess.run([PYTHON, "-c", script], cwd=ready.root, capture_output=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [b"a\\udce9b"]), done.stderr


def test_changed_pins_are_installed_at_the_next_call(ready: Tree) -> None:
    ready.pin("2.0")
    code, output = ready.call("check")
    assert (code, "tiny 2.0" in output) == (3, True), output
    ready.pin("1.0")
    assert "tiny 1.0" in ready.call("check")[1]


def test_the_environments_own_python_notices_changed_pins_too(ready: Tree) -> None:
    ready.pin("2.0")
    python = next(path for path in (ready.root / ".venv").glob("*/python*") if path.stem == "python")
    done = subprocess.run(
        [python, ready.root / "manage.py", "check"], capture_output=True, encoding="utf-8", check=False
    )
    assert "tiny 2.0" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(os.name == "nt", reason="kills a process group")
@pytest.mark.parametrize("moment", ["making .venv", "installing"])
def test_an_interrupted_set_up_is_done_over(tree: Tree, moment: str) -> None:
    process = tree.start("check")
    assert process.stdout is not None
    for line in process.stdout:
        if moment in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.communicate()
    code, output = tree.call("check")
    assert (code, "tiny 1.0" in output) == (3, True), output


def test_a_broken_environment_is_made_anew(ready: Tree) -> None:
    for stamp in (ready.root / ".venv").glob("installed-*"):
        stamp.unlink()
    (ready.root / ".venv" / "pyvenv.cfg").unlink()
    code, output = ready.call("check")
    assert (code, "making .venv" in output) == (3, True), output


def test_of_two_calls_at_once_one_sets_up_and_both_work(tree: Tree) -> None:
    both = [tree.start("check") for _ in range(2)]
    output = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [3, 3], output
    assert "".join(output).count("making .venv") == 1


def test_a_python_without_venv_is_told_which_package_to_install(tree: Tree) -> None:
    """Debian's: its `python -m venv` says so and fails. A module of that name, found first, stands for it here."""
    (tree.root / "debian").mkdir()
    (tree.root / "debian" / "venv.py").write_text(
        "raise SystemExit('The virtual environment was not created successfully because ensurepip is not available.')",
        "utf-8",
    )
    code, output = tree.call("check", PYTHONPATH=str(tree.root / "debian"))
    assert code == 2
    assert f"apt install python3.{sys.version_info.minor}-venv" in output
    assert "Traceback" not in output


def test_a_set_up_that_cannot_work_says_why_and_leaves_no_claim(tree: Tree) -> None:
    tree.pin("9.9")
    code, output = tree.call("check")
    assert code == 2
    assert "tiny==9.9" in output
    assert "Traceback" not in output
    tree.pin("1.0")
    assert tree.call("check")[0] == 3


def test_an_older_python_gets_a_sentence_not_a_syntax_error(tree: Tree) -> None:
    ast.parse((ROOT / "manage.py").read_text("utf-8"), feature_version=(3, 7))
    older = "import runpy, sys; sys.version_info = (3, 8, 1); sys.argv = ['manage.py', 'check']; "
    older += "runpy.run_path('manage.py', run_name='__main__')"
    done = subprocess.run([PYTHON, "-c", older], cwd=tree.root, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["--frobnicate"]])
def test_an_unknown_command_is_refused_before_anything_is_set_up(tree: Tree, arguments: list[str]) -> None:
    code, output = tree.call(*arguments)
    assert code == 2
    assert "usage: python manage.py COMMAND" in output
    assert not (tree.root / ".venv").exists()


def test_help_lists_every_command_there_is_a_module_for(tree: Tree) -> None:
    code, output = tree.call("--help")
    assert code == 0
    helpers = {"__init__", "common", "progress", "prune_archived"}
    for module in (ROOT / "printsys" / "commands").glob("*.py"):
        if module.stem not in helpers:
            assert f"  {module.stem.replace('_', '-')} " in output


def test_every_command_is_in_the_readme() -> None:
    tree = ast.parse((ROOT / "manage.py").read_text("utf-8"))
    named = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMANDS"
    )
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = "".join(line.split("|")[1] for line in readme.splitlines() if line.startswith("| `"))
    assert [command for command in ast.literal_eval(named) if not re.search(rf"`{command}\b", rows)] == []
