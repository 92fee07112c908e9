"""Which tests share something outside of pytest, so that one process runs all of them, with `--dist loadgroup`.

pytest-xdist 3.8.0 has a marker for that, `xdist_group`, which pytest 9.2 ignores: it keeps a test's id elsewhere now.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.scheduler.protocol import Scheduling

SHARED = {
    "tests/opener/test_commands.py": "the registry",
    "tests/reports/test_arithmetic.py": "the random lives, which take long to make",
    "tests/windows/test_opener.py": "the registry",
    "tests/windows/test_start_and_stop.py": "a running system, whose start takes long under Windows",
    "tests/windows/test_system.py": "a running system, whose start takes long under Windows",
}
"""What the tests of a file share, with others of the same words."""


class OneWorkerForAll(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return SHARED.get(nodeid.partition("::")[0], nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return OneWorkerForAll(config, log) if config.getoption("dist") == "loadgroup" else None
