"""Who may read a secret: access lists of Windows as texts, and files that are really there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from printsys.ops.file_access import grants_everybody, others_may_read


@pytest.mark.parametrize(
    ("access_list", "is_open"),
    [
        ("D:PAI(A;;FA;;;S-1-5-21-1-2-3-1001)", False),
        ("D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;S-1-5-21-1-2-3-1001)", False),
        ("D:AI(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)", True),
        ("O:BAG:BAD:(A;OICI;FR;;;WD)", True),
        ("D:(A;;GR;;;AU)", True),
        ("D:(A;;GRGW;;;S-1-5-11)", True),
        ("D:(D;;FA;;;WD)(A;;FA;;;BA)", False),
        ("D:(A;;0x100000;;;WD)", False),
        ("D:NO_ACCESS_CONTROL", True),
        ("", True),
        ("D:(A;;FA;;;BA)S:(AU;FA;FA;;;WD)", False),
    ],
)
def test_an_access_list_lets_everybody_read_or_not(access_list: str, is_open: bool) -> None:
    assert grants_everybody(access_list) is is_open


@pytest.mark.skipif(os.name == "nt", reason="chmod changes no access list")
def test_a_secret_is_its_owners_alone_and_a_shared_file_is_not(tmp_path: Path) -> None:
    secret = tmp_path / "secret-key"
    secret.write_text("x", "utf-8")
    for mode, is_open in ((0o600, False), (0o640, True), (0o604, True)):
        secret.chmod(mode)
        assert others_may_read(secret) is is_open
