"""What all tests share: `--proof`, programs that a bare machine may lack, a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from hypothesis import settings

from tests.corpus import CORPUS
from tests.fixtures_db import *  # noqa: F403  fixtures are found by name
from tests.one_worker import pytest_xdist_make_scheduler  # noqa: F401  a hook is found by name

# A loaded machine is no failure: what is slow is measured in bench/, not in tests. CI tries the same cases each time,
# so that it judges the change; everybody else's run looks for new ones.
settings.register_profile("lab", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("lab")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", action="store_true", help="run the long proofs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # First, while the process is small: they fork thousands of times, which costs twice as long after other tests.
    items.sort(key=lambda item: "tests/crash/" not in item.nodeid)
    for item in items:
        if "proof" in item.keywords and not config.getoption("--proof"):
            item.add_marker(pytest.mark.skip(reason="a long proof: run with --proof"))


def is_here(need: str) -> bool:
    """A program on the path, or "corpus": the collection of real files that lies beside the project."""
    return CORPUS.is_dir() if need == "corpus" else shutil.which(need) is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`needs("chromium")`: skipped with the reason where the program is missing; in CI that is a failure.

    `.ci/run` installs programs for Linux alone, so under Windows only the corpus must be there.
    """
    for marker in item.iter_markers("needs"):
        missing = [need for need in marker.args if not is_here(need)]
        if missing:
            reason = f"{', '.join(missing)} is not here"
            if os.environ.get("CI") and (sys.platform != "win32" or "corpus" in missing):
                pytest.fail(f"{reason}, and CI must have it", pytrace=False)
            pytest.skip(reason)
