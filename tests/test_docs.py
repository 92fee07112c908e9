"""The documentation agrees with the code: its paths, its links, its drawing of the imports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import import_graph
from tests.source import ROOT

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
PATH = re.compile(r"(?<![\w./-])(?:printsys|indexer|opener|templates|static|tests|bench|docs|\.ci)/[\w./-]*")
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_every_path_in_the_docs_exists(page: Path) -> None:
    code = re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
    paths = [path for text in code for path in PATH.findall(text)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_names_in_the_everyday_changes_are_in_the_files_beside_them() -> None:
    section = import_graph.PART.page.read_text("utf-8").partition("## Everyday changes")[2].partition("## ")[0]
    for paragraph in section.split("\n\n"):
        code = re.findall(r"`([^`\n]+)`", paragraph)
        files = [ROOT / path for path in code if (ROOT / path).is_file()]
        text = "".join(file.read_text("utf-8") for file in files)
        assert [name for name in code if re.fullmatch("[A-Z_]{4,}|[A-Z][a-z]+", name) and name not in text] == []


@each_page
def test_links_between_the_docs_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_the_readme_links_every_page(page: Path) -> None:
    assert f"]({page.relative_to(ROOT).as_posix()})" in (ROOT / "README.md").read_text("utf-8")


def test_the_drawing_of_the_imports_is_the_codes() -> None:
    assert import_graph.PART.text() == import_graph.drawing(), "run `python -m tests.import_graph`"
