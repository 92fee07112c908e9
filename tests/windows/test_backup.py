"""Backups on a disk whose new files a virus scanner looks at: the vault waits, as storage does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from printsys.backup.vault import Damage, Vault
from tests.windows.programs import SHARE_READ, SHARE_WRITE, OpenFile, close_after


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(tmp_path / "backup")
    with vault.open():
        yield vault


def look_at(path: Path) -> None:
    close_after(OpenFile(path, SHARE_READ | SHARE_WRITE), 0.4)


def test_a_content_that_a_scanner_looks_at_while_it_is_copied_is_stored(vault: Vault) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"G28\n"
        (temporary,) = vault.content.glob("*.new")
        look_at(temporary)
        yield b"G1 X1\n"

    sha256, size = vault.put(chunks())
    assert vault.is_whole(sha256, size)
    assert list(vault.content.glob("*.new")) == []


def test_a_damaged_content_that_a_scanner_looks_at_is_dropped(vault: Vault) -> None:
    sha256, size = vault.put([b"G28\n"])
    vault.path(sha256).write_bytes(b"G29\n")
    look_at(vault.path(sha256))
    damage = vault.read_all()
    vault.drop(damage)
    assert damage == Damage([sha256], [])
    assert not vault.has(sha256, size)
