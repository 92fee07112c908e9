"""Whatever a file is called, the slicer gets one argument, which is its whole path."""

from __future__ import annotations

import json
import ntpath
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opener import launch
from opener.refusals import Refused
from opener.slicers import Slicer
from opener.storage import Storage
from opener.url import parse
from tests.opener.conftest import STORAGE_ID, url
from tests.waiting import until

NASTY = [
    "-rf.stl", "--load=x.stl", "-.stl", "+x.stl", "@list.stl", "%PATH%.stl", "%1.stl", "50%.stl", "a&calc.stl",
    "a && calc.stl", "a^b.stl", "!x!.stl", "$(id).stl", "${HOME}.stl", "`id`.stl", "a;b.stl", "a'b.stl", "(a).stl",
    "a,b.stl", "a=b.stl", "a#b.stl", "#a.stl", " a.stl", "a  b.stl", "{a}.stl", "[a].stl",
]  # fmt: skip
REFUSED = ["/S.stl", "/select,x.stl", 'a"b.stl', '" -x "a.stl', "a\\b.stl", "a\nb.stl", "*.stl", "a|b.stl", "a<b.stl"]
PROGRAM = """
import json, os, sys
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(sys.argv[2:], file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""


@pytest.mark.parametrize("name", NASTY)
def test_a_program_gets_the_whole_path_of_any_name_as_one_argument(
    storage: Path, job: Path, tmp_path: Path, name: str
) -> None:
    (job / name).write_bytes(b"solid")
    file, _ = Storage(storage, STORAGE_ID).resolve(parse(url(quote(name))))
    (tmp_path / "slicer.py").write_text(PROGRAM, "utf-8")
    command = [sys.executable, str(tmp_path / "slicer.py"), str(tmp_path / "arguments")]
    slicer = Slicer("S", Path(sys.executable), frozenset({".stl"}), frozenset())
    assert launch.start([*command, *launch.open_command(slicer, file)[1:]], patience_s=60) == ""
    until((tmp_path / "arguments").exists)
    assert json.loads((tmp_path / "arguments").read_text("utf-8")) == [str(job / name)]


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_end_an_argument_or_begin_an_option_is_no_name(name: str) -> None:
    with pytest.raises(Refused):
        parse(url(quote(name, safe="")))


LETTERS = st.text(st.sampled_from("-/+@%&^!$`;',= #\"\\(){}[]abcÄ李"), max_size=12)


@given(LETTERS.map(lambda text: text + ".stl"))
def test_windows_programs_read_any_name_that_a_link_may_have_as_one_path(name: str) -> None:
    """By the rules of CommandLineToArgvW, with which they take their command line apart."""
    try:
        parts = parse(url(quote(name, safe=""))).parts
    except Refused:
        return
    file = PureWindowsPath("P:\\print lab\\Pending\\job", *parts)
    command = launch.open_command(Slicer("S", Path("slicer.exe"), frozenset(), frozenset()), file, "win32")  # type: ignore[arg-type]
    assert arguments(subprocess.list2cmdline(command)) == ["slicer.exe", str(file)]
    assert ntpath.isabs(command[-1]) and command[-1][0] not in "-/@+"


def arguments(line: str) -> list[str]:
    """https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw"""
    found, current, is_quoted, has_begun, at = list[str](), "", False, False, 0
    while at < len(line):
        slashes = len(line) - at - len(line[at:].lstrip("\\"))
        behind = line[at + slashes : at + slashes + 1]
        if slashes:
            current += "\\" * (slashes // 2 if behind == '"' else slashes)
            at += slashes
            has_begun = True
            if behind == '"' and slashes % 2:
                current, at = current + '"', at + 1
        elif behind == '"':
            is_quoted, has_begun, at = not is_quoted, True, at + 1
        elif behind in " \t" and not is_quoted:
            found += [current] if has_begun else []
            current, has_begun, at = "", False, at + 1
        else:
            current, has_begun, at = current + behind, True, at + 1
    return found + ([current] if has_begun else [])


def test_the_reader_of_command_lines_reads_as_windows_does() -> None:
    """Microsoft's own examples."""
    assert arguments(r'"abc" d e') == ["abc", "d", "e"]
    assert arguments(r'a\\\b d"e f"g h') == [r"a\\\b", "de fg", "h"]
    assert arguments(r"a\\\"b c d") == ['a\\"b', "c", "d"]
    assert arguments(r'a\\\\"b c" d e') == [r"a\\b c", "d", "e"]
