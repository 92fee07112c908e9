"""`manage.py upgrade` of this very program, in a checkout with a newer commit to come and a storage that lives."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from printsys.config import ROOT
from tests.upgrade.test_engine import PYTHON, commit, git

pytestmark = pytest.mark.needs("git")
PROGRAM = ("printsys", "indexer", "opener", "templates", "static", "manage.py", "lab.toml", ".gitignore")
PINS = ("requirements.txt", "requirements-dev.txt")
MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{revision}", "{before}"
def upgrade():
    op.create_table("of_{revision}", sa.Column("id", sa.Integer, primary_key=True))
def downgrade():
    op.drop_table("of_{revision}")
"""
BROKEN = """
from printsys.errors import PrintSysError
def add_arguments(parser):
    parser.add_argument("--json", action="store_true")
def run(args):
    raise PrintSysError("This version cannot check.")
"""


class Lab:
    """A checkout in `root` with storage and instance, and where its newer versions come from."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.root, self.origin = folder / "a lab's program", folder / "origin"
        self.origin.mkdir()
        for name in (*PROGRAM, *PINS):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.origin / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, self.origin / name)
        git(self.origin, "init", "--quiet", "--initial-branch=main")
        commit(self.origin)
        git(folder, "clone", "--quiet", str(self.origin), str(self.root))
        make_environment(self.root)
        own = {"PRINTSYS_STORAGE": str(folder / "storage"), "PRINTSYS_INSTANCE": str(folder / "instance")}
        self.environment = os.environ | own | {"DATABASE_URL": database_url}
        self.instance, self.backups = folder / "instance", folder / "backups"

    def manage(self, *arguments: str) -> tuple[int, str]:
        command = [PYTHON, str(self.root / "manage.py"), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, encoding="utf-8", timeout=600, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def head(self) -> str:
        command = ["git", "-C", str(self.root), "rev-parse", "HEAD"]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout

    def publish(self, revision: str, **files: str) -> None:
        """A newer version, with a migration."""
        versions = self.origin / "indexer" / "migrations" / "versions"
        text = MIGRATION.format(revision=revision, before=max(path.name[:4] for path in versions.glob("[0-9]*.py")))
        (versions / f"{revision}_future.py").write_text(text, "utf-8")
        for name, content in files.items():
            (self.origin / "printsys" / "commands" / f"{name}.py").write_text(content, "utf-8")
        commit(self.origin)


def make_environment(root: Path) -> None:
    """A .venv with what this process's has, by reference: nothing is installed."""
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    installed = sysconfig.get_paths("venv", {"base": str(root / ".venv")})["purelib"]
    (Path(installed) / "shared.pth").write_text(sysconfig.get_paths()["purelib"], "utf-8")
    spec = importlib.util.spec_from_file_location("managed", root / "manage.py")
    assert spec is not None and spec.loader is not None
    manage: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(manage)
    manage._stamp("requirements.txt").write_text(manage._stamp_text("requirements.txt"), "ascii")


@pytest.fixture
def lab(tmp_path: Path, database_url: str) -> Lab:
    lab = Lab(tmp_path, database_url)
    code, text = lab.manage("demo")
    assert code == 0, text
    (lab.root / "lab.toml").write_text((ROOT / "lab.toml").read_text("utf-8") + "# our own line\n", "utf-8")
    return lab


def tables(database_url: str) -> set[str]:
    engine = sa.create_engine(database_url)
    try:
        return {name for name in sa.inspect(engine).get_table_names() if name.startswith("of_")}
    finally:
        engine.dispose()


def test_a_checkout_goes_forward(lab: Lab, database_url: str) -> None:
    assert lab.manage("upgrade", "--no-backup") == (0, "Nothing newer is there.\n")
    lab.publish("9001")
    code, text = lab.manage("upgrade", "--check", "--json")
    assert (code, json.loads(text)["changes"]) == (1, 1)

    old = lab.head()
    code, text = lab.manage("upgrade", "--backup", str(lab.backups))
    assert code == 0 and "Backup " in text and text.splitlines()[-1].startswith("This is "), text
    assert lab.head() != old and tables(database_url) == {"of_9001"}
    assert (lab.root / "lab.toml").read_text("utf-8").endswith("# our own line\n")


@pytest.mark.proof
def test_a_checkout_goes_back_with_its_tables(lab: Lab, database_url: str) -> None:
    head, findings = lab.head(), lab.manage("check")
    lab.publish("9001", check=BROKEN)
    code, text = lab.manage("upgrade", "--no-backup")
    assert (code, lab.head()) == (1, head), text
    assert "did not work: `manage.py check --json` says: This version cannot check." in text
    assert text.endswith("Program, packages and database are as before.\n")
    assert tables(database_url) == set()
    assert lab.manage("check") == findings, "the mirror is whole again"
    assert (lab.root / "lab.toml").read_text("utf-8").endswith("# our own line\n")


@pytest.mark.proof
def test_any_command_after_a_kill_finds_the_program_as_it_was(lab: Lab) -> None:
    """Killed right after git: half of the old program and half of the new one would run."""
    lab.publish("9001")
    killing = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"
    lab.publish("9002", db=killing)
    head = lab.head()
    code, _ = lab.manage("upgrade", "--no-backup")
    assert code != 0 and lab.head() != head
    code, text = lab.manage("check", "--help")
    assert (code, lab.head()) == (0, head)
    assert "was interrupted (migrating the database)." in text and "usage: manage.py check" in text
