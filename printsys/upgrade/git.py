"""A program that is a checkout of git: which versions there are, there and back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath

from printsys.upgrade.state import Plan, UpgradeFailed, Workplace

LAB_TOML = "lab.toml"
"""The lab's own, though git has one, too: it stays as the lab has it."""


class Checkout:
    def __init__(self, root: Path, inherited: tuple[int, ...] = ()) -> None:
        """`inherited`: descriptors for git to keep open."""
        self.root = root
        self.inherited = inherited

    def git(self, *arguments: str) -> str:
        """UpgradeFailed with git's own words."""
        program = shutil.which("git")
        if program is None:
            raise UpgradeFailed("This folder is a checkout of git, but git is not on PATH.")
        done = subprocess.run(
            [program, "-C", str(self.root), *arguments],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            pass_fds=self.inherited,
        )
        if done.returncode != 0:
            raise UpgradeFailed(f"git {arguments[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        return done.stdout.strip()

    def succeeds(self, *arguments: str) -> bool:
        try:
            self.git(*arguments)
        except UpgradeFailed:
            return False
        return True

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def name(self, commit: str) -> str:
        """A tag and what came after it, or the commit's short number."""
        return self.git("describe", "--tags", "--always", commit)

    def changed_files(self) -> list[str]:
        """Which git keeps and somebody has changed."""
        return self.git("diff", "--name-only", "HEAD").splitlines()

    def in_the_way(self, old: str, new: str) -> list[str]:
        """What git does not keep here, where the newer version has a file: to go back would delete it."""
        known, added = _with_folders(self._names(old)), self._names(new) - self._names(old)
        paths = [(path, self.root / path) for path in _with_folders(added) - known]
        return sorted(path for path, here in paths if os.path.lexists(here) and (path in added or not here.is_dir()))

    def _names(self, commit: str) -> set[str]:
        return set(self.git("ls-tree", "-r", "--name-only", "-z", commit).split("\0")) - {""}

    def count(self, old: str, new: str) -> int:
        """Of the changes from one to the other."""
        return int(self.git("rev-list", "--count", f"{old}..{new}"))

    def newest(self, wanted: str | None) -> str:
        """Asks the remote; the commit of `wanted`, a branch or a tag there, or of the branch that this one follows."""
        self.git("fetch", "--quiet", "--tags", *self._remote())
        if wanted is None:
            if not self.succeeds("rev-parse", "--verify", "--quiet", "@{upstream}"):
                raise UpgradeFailed("This checkout follows no branch. Name a version: upgrade --to TAG")
            return self.git("rev-parse", "@{upstream}^{commit}")
        for name in (*(f"refs/remotes/{remote}/{wanted}" for remote in self._remote()), f"refs/tags/{wanted}"):
            if self.succeeds("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
                return self.git("rev-parse", f"{name}^{{commit}}")
        raise UpgradeFailed(f"There is no branch and no tag {wanted} where this checkout comes from.")

    def require_forward(self, old: str, new: str) -> None:
        if not self.succeeds("merge-base", "--is-ancestor", old, new):
            raise UpgradeFailed(
                f"{self.name(new)} does not come after {self.name(old)}, which is here: it is older, or there are "
                "commits of your own. Nothing was changed."
            )

    def _remote(self) -> list[str]:
        remotes = self.git("remote").splitlines()
        if not remotes:
            raise UpgradeFailed("This checkout has no remote from which a newer version could come (git remote add).")
        return ["origin" if "origin" in remotes else remotes[0]]

    def switch(self, plan: Plan, place: Workplace) -> None:
        if place.lab_toml.exists():
            self.git("checkout", "--quiet", "HEAD", "--", LAB_TOML)  # whatever `git add` made of it
        self.git("merge", "--quiet", "--ff-only", plan.new)
        self._put_lab_toml_back(place)

    def restore(self, plan: Plan, place: Workplace) -> None:
        """From anywhere in the middle. The checkout had no changes but in lab.toml."""
        git_folder = Path(self.git("rev-parse", "--absolute-git-dir"))
        for lock in (*git_folder.glob("*.lock"), *git_folder.glob("refs/heads/**/*.lock")):
            lock.unlink(missing_ok=True)  # a killed git's: no other may work here now
        self.git("reset", "--quiet", "--hard", plan.new)  # a killed git wrote files of which its index does not know
        self.git("reset", "--quiet", "--hard", plan.old)
        self._put_lab_toml_back(place)

    def _put_lab_toml_back(self, place: Workplace) -> None:
        if place.lab_toml.exists():
            shutil.copyfile(place.lab_toml, self.root / LAB_TOML)


def _with_folders(names: set[str]) -> set[str]:
    """With the folders in which they are."""
    return names | {str(folder) for name in names for folder in PurePosixPath(name).parents} - {"."}
