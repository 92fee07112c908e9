"""The imports between packages, as a diagram for docs/architecture.md.

python -m tests.import_graph        (inside .venv) draws it into the page, between its two marks
"""

from __future__ import annotations

from tests.doc_part import DocPart
from tests.source import ROOT
from tests.test_house import import_graph

PART = DocPart(
    ROOT / "docs" / "architecture.md",
    begin="<!-- drawn by tests/import_graph.py -->\n",
    end="<!-- end of the drawing -->\n",
)


def drawing() -> str:
    """A Mermaid diagram: an arrow from each package to those that it imports, without those that follow from others."""
    graph = {_short(package): {_short(target) for target in targets} for package, targets in import_graph().items()}
    lines = []
    for package in reversed(graph):
        nearest = [target for target in graph[package] if not _leads_there_too(graph, package, target)]
        lines += [f"    {package} --> {target}" for target in sorted(nearest)] or [f"    {package}"]
    return "\n".join(["```mermaid", "graph TD", *lines, "```", ""])


def _short(package: str) -> str:
    return package.removeprefix("printsys.")


def _leads_there_too(graph: dict[str, set[str]], package: str, target: str) -> bool:
    """Whether `package` reaches `target` by way of another import."""
    return any(target in _reachable(graph, between) for between in graph[package])


def _reachable(graph: dict[str, set[str]], package: str) -> set[str]:
    return graph[package].union(*(_reachable(graph, target) for target in graph[package]))


if __name__ == "__main__":
    PART.write(drawing())
