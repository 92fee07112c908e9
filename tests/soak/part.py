"""One process of the system: `python -m tests.soak.part COMMAND …`, as `manage.py COMMAND …`.

With `--deaf SHARE SEED` in front, that share of the file events never reaches the indexer, as when a kernel's queue
overflows and nobody tells.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys

from watchdog.events import FileSystemEvent

from indexer.watcher import PROBE, NativeWatcher


def lose_events(share: float, seed: int) -> None:
    chance, hear = random.Random(seed), NativeWatcher.on_any_event

    def hear_some(self: NativeWatcher, event: FileSystemEvent) -> None:
        if PROBE in str(event.src_path) or chance.random() >= share:
            hear(self, event)

    setattr(NativeWatcher, "on_any_event", hear_some)  # noqa: B010  in this process, for all of them


def main(arguments: list[str]) -> int:
    if arguments[0] == "--deaf":
        lose_events(float(arguments[1]), int(arguments[2]))
        arguments = arguments[3:]
    module = importlib.import_module(f"printsys.commands.{arguments[0]}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(arguments[1:])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
