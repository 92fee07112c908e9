"""A progress bar for long work: on stderr, where somebody looks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Progress = Callable[[int, int], None]


def add_progress_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--progress", action="store_true", help="show progress even where stderr is no terminal")


@contextmanager
def progress_bar(wanted: bool, what: str, unit: str = "folders") -> Iterator[Progress | None]:
    """A function to call with (done, total); None where nobody looks."""
    if not wanted and not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=what, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def counted(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """`items`, each told when it has been dealt with."""
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(done, len(items))
