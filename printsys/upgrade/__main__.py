"""`python -m printsys.upgrade ROOT go|recover|recover-and-start`, from the copy in `.upgrade/engine`."""

from __future__ import annotations

import sys
from pathlib import Path

from printsys.upgrade.engine import DONE, GO_ON, STARTING, STUCK, Engine
from printsys.upgrade.state import UpgradeFailed, Workplace


def main(root: Path, order: str) -> int:
    place = Workplace(root)
    try:
        with place.only_one() as lock:
            plan = place.read()
            if plan is None and order == "go":
                raise UpgradeFailed("No upgrade is prepared here. Nothing was changed.")
            if plan is None:  # another call has just put things back
                return DONE
            engine = Engine(root, lock)
            engine.heed_signals()
            return engine.carry_out(plan) if order == "go" else engine.recover(plan, order == "recover-and-start")
    except UpgradeFailed as refusal:
        plan = place.read()
        if order == "recover" and plan is not None and plan.stage == STARTING:
            return GO_ON
        print(refusal, file=sys.stderr)
        return STUCK


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
