"""A progress bar for long work, on stderr."""

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
def progress_bar(always: bool, label: str, unit: str = "folders") -> Iterator[Progress | None]:
    """A function to call with (done, total); None where stderr is no terminal, unless `always`."""
    if not always and not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=label, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def counted(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """`items`; reports each when the caller asks for the next one."""
    for done, item in enumerate(items, 1):
        yield item
        if progress:
            progress(done, len(items))
