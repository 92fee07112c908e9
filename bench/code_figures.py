"""How the code and its documentation measure up. Prints a figure a line; `--list` names what counts against each.

python bench/code_figures.py [--list]        (inside .venv)
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from printsys.domain.filetypes import FILE_TYPES  # noqa: E402
from tests.source import VAGUE, functions, local_names, modules, parse, uses  # noqa: E402
from tests.test_house import row_of  # noqa: E402

EXTENSIONS = {file_type.extension for file_type in FILE_TYPES}
FIRST_COMMIT = "e2e1f9b"
"""Subjects of commits are measured from the one after this on."""
IRREGULAR = (
    "made|said|told|kept|found|sent|read|put|set|cut|lost|held|done|known|seen|shown|drawn|given|taken|bound|built|"
    "brought|bought|caught|left|let|met|paid|run|sold|taught|thought|understood|heard|felt|meant|worn|begun|gone|split|"
    "shut|hidden|laid|led|hit|hurt|spent|struck|swept|spread|thrown"
)
PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being|gets|got)\s+"
    r"(?:(?:not|never|always|only|also|then|once|already|still|often|all|both|again|just|now|\w+ly)\s+){0,2}"
    rf"(\w+ed|\w+en|{IRREGULAR})\b",
    re.IGNORECASE,
)
NOT_PASSIVE = {"open", "then", "when", "often", "seven", "ten", "even", "sudden", "need", "red", "indeed", "between"}


@dataclass
class Figure:
    name: str
    value: str
    offenders: list[str] = field(default_factory=list)


def files_at_the_top() -> Figure:
    names = sorted(path.name for path in (ROOT / "printsys").glob("*.py"))
    return Figure("Python files at the top of printsys/", str(len(names)), names)


def modules_without_a_row() -> Figure:
    names = [name for name, _ in modules() if row_of(name) is None and name != "printsys"]
    return Figure("modules without a row in the import rules", str(len(names)), names)


def lines_under_strict_mypy() -> Figure:
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]["files"]
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in tracked.split()}
    unchecked = [name for name in lines if not any(Path(name).is_relative_to(part) for part in checked)]
    total = sum(lines.values())
    return Figure(
        "lines under mypy --strict", f"{total - sum(lines[name] for name in unchecked)} of {total}", unchecked
    )


def vague_local_names() -> Figure:
    bound = [(name, path) for _, path in modules() for name in local_names(path)]
    vague = [(name, path) for name, path in bound if name in VAGUE]
    by_file = Counter(path.relative_to(ROOT).as_posix() for _, path in vague)
    names = defaultdict(list)
    for name, path in vague:
        names[path.relative_to(ROOT).as_posix()].append(name)
    return Figure(
        "vague local names",
        f"{len(vague)} of {len(bound)} ({len(vague) / len(bound):.1%})",
        [f"{count:3} {path}: {' '.join(names[path])}" for path, count in by_file.most_common()],
    )


def private_functions_used_once() -> Figure:
    total = 0
    once = []
    for _, path in modules():
        tree = parse(path)
        used = uses(tree)
        for function in functions(tree):
            total += 1
            is_private = function.name.startswith("_") and not function.name.startswith("__")
            if is_private and used[function.name] == 1:
                length = (function.end_lineno or function.lineno) - function.lineno + 1
                once.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name} ({length} lines)")
    share = f"{len(once)} of {total} ({len(once) / total:.0%})"
    return Figure("private functions used exactly once in their file, of all functions", share, once)


def class_names_used_twice() -> Figure:
    homes = defaultdict(list)
    for module, path in modules():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef) and not module.startswith("opener"):
                homes[node.name].append(module)
    return _named_twice("class names used for two or more things, printsys and indexer", homes)


def module_names_used_twice() -> Figure:
    homes = defaultdict(list)
    for module, path in modules():
        if path.stem not in ("__init__", "__main__"):
            homes[path.stem].append(module)
    return _named_twice("module names used twice", homes)


def _named_twice(name: str, homes: dict[str, list[str]]) -> Figure:
    twice = [f"{name}: {', '.join(where)}" for name, where in homes.items() if len(where) > 1]
    return Figure(name, str(len(twice)), twice)


def lists_of_file_extensions() -> Figure:
    """Collections of two or more extensions that the system knows, anywhere but in `domain/filetypes.py`.

    A dict is no list: it says what to do with each. The opener has its own list, which a test compares.
    """
    lists = []
    for module, path in modules():
        if module == "printsys.domain.filetypes" or module.startswith("opener"):
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Tuple | ast.List | ast.Set):
                texts = [item.value for item in node.elts if isinstance(item, ast.Constant)]
                if len(EXTENSIONS.intersection(texts)) > 1:
                    lists.append(f"{path.relative_to(ROOT)}:{node.lineno} {' '.join(map(str, texts))}")
    return Figure("lists of file extensions beside domain/filetypes.py", str(len(lists)), lists)


def passive_verbs_in_the_docs() -> Figure:
    word_count, lines, total = 0, [], 0
    for path in [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]:
        prose = _prose(path.read_text("utf-8"))
        words = len(re.findall(r"[A-Za-z][\w'’-]*", prose))
        passives = [match for match in PASSIVE.finditer(prose) if match[1].lower() not in NOT_PASSIVE]
        phrases = "; ".join(" ".join(match[0].split()) for match in passives)
        lines.append(f"{1000 * len(passives) / words:5.1f} {path.name} ({words} words): {phrases}")
        word_count, total = word_count + words, total + len(passives)
    return Figure("passive verbs per 1,000 words of documentation", f"{1000 * total / word_count:.1f}", lines)


def _prose(markdown: str) -> str:
    """Without code, pictures and the addresses of links."""
    for pattern, text in (
        (r"```.*?```", " "),
        (r"!\[[^\]]*\]\([^)]*\)", " "),
        (r"\]\([^)]*\)", "]"),
        (r"`[^`]*`", "x"),
    ):
        markdown = re.sub(pattern, text, markdown, flags=re.DOTALL)
    return markdown


def commit_subjects() -> Figure:
    log = ["git", "log", "--format=%s", f"{FIRST_COMMIT}..HEAD"]
    subjects = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    lengths = sorted(map(len, subjects))
    p90 = lengths[int(len(lengths) * 0.9)] if lengths else 0
    value = f"{statistics.median(lengths or [0]):.0f} / {p90} of {len(lengths)}"
    return Figure("characters of a commit's subject, median / p90", value, [s for s in subjects if len(s) > 60])


FIGURES: tuple[Callable[[], Figure], ...] = (
    files_at_the_top,
    modules_without_a_row,
    lines_under_strict_mypy,
    vague_local_names,
    private_functions_used_once,
    class_names_used_twice,
    module_names_used_twice,
    lists_of_file_extensions,
    passive_verbs_in_the_docs,
    commit_subjects,
)


def report(figures: Iterable[Figure], with_offenders: bool) -> None:
    for figure in figures:
        print(f"{figure.name}: {figure.value}")
        if with_offenders:
            print("".join(f"    {line}\n" for line in figure.offenders))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name what counts against each figure")
    report((figure() for figure in FIGURES), parser.parse_args().list)
