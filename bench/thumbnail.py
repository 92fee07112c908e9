"""Thumbnails beside the `f3d` command: the same mesh, the same run, whole processes. Prints the ratio.

    python bench/thumbnail.py [ROUNDS]        (inside .venv; needs f3d, and xvfb-run where there is no display)

The mesh is a rippled ring of 1.3 million triangles as binary STL (65 MB), written for the run and deleted after it.
Turns alternate, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from printsys.models3d.bounded import ENVIRONMENT  # noqa: E402
from printsys.models3d.mesh import STL_FACET  # noqa: E402

SIDE = 808
PIXELS = 512


def write_ring(path: Path) -> int:
    """Two triangles for each of SIDE × SIDE cells; returns how many that are."""
    turn = np.linspace(0, 2 * np.pi, SIDE, endpoint=False)
    around, across = np.meshgrid(turn, turn, indexing="ij")
    thick = 12 + 1.2 * np.sin(9 * around) * np.cos(7 * across)
    reach = 40 + thick * np.cos(across)
    points = np.stack([reach * np.cos(around), reach * np.sin(around), thick * np.sin(across)], axis=-1)
    right, up = np.roll(points, -1, axis=0), np.roll(points, -1, axis=1)
    corner = np.roll(right, -1, axis=1)
    facets = np.zeros((2, SIDE * SIDE), STL_FACET)
    facets["points"][0] = np.stack([points, right, corner], axis=2).reshape(-1, 3, 3)
    facets["points"][1] = np.stack([points, corner, up], axis=2).reshape(-1, 3, 3)
    path.write_bytes(bytes(80) + facets.size.to_bytes(4, "little") + facets.tobytes())
    return facets.size


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def f3d(mesh: Path, picture: Path) -> list[str]:
    program = shutil.which("f3d")
    if program is None:
        raise SystemExit("f3d is not installed here: nothing to compare with")
    display = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
    return [*display, program, str(mesh), "--output", str(picture), "--resolution", f"{PIXELS},{PIXELS}"]


def main(rounds: int) -> None:
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        mesh, picture = Path(folder, "ring.stl"), Path(folder, "f3d.png")
        count = write_ring(mesh)
        display = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
        idle = statistics.median(seconds(*display, "true") for _ in range(rounds)) if display else 0.0
        for _ in range(rounds):
            ours.append(seconds(sys.executable, "-m", "printsys.models3d", "thumbnail", str(mesh)))
            theirs.append(seconds(*f3d(mesh, picture)))
            if not picture.exists():
                raise SystemExit("f3d drew nothing: its time would mean nothing")
    our_median, f3d_median = statistics.median(ours), statistics.median(theirs) - idle
    print(f"{count:,} triangles, {PIXELS} × {PIXELS} pixels, median of {rounds} whole processes each")
    print(f"  ours  {our_median:6.2f} s   (from {min(ours):.2f} to {max(ours):.2f})")
    print(f"  f3d   {f3d_median:6.2f} s   ({idle:.2f} s for starting a display are subtracted)")
    print(f"  ratio {our_median / f3d_median:6.2f}   (below 1: ours is faster)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=7)
    main(parser.parse_args().rounds)
