"""Makes the pictures of docs/windows.md: `python -m tests.windows.pictures`, where the Windows lane is (lane.py).

Wine draws no title bar as Windows does; a picture is of what is inside the window.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageChops, ImageGrab

from tests.opener.fake_desktops import screen
from tests.waiting import until
from tests.windows.lane import CHECKOUT, LANE, prepare

DOCS = Path(__file__).resolve().parents[2] / "docs"
DESKTOP = "explorer", "/desktop=lab,1280x900"
CONSOLE = {"FaceName": ("REG_SZ", "DejaVu Sans Mono"), "FontSize": ("REG_DWORD", "0x00100000")}
BACKGROUND = (0x25, 0x6F, 0x95)
TITLE_BAR_PX = 29
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf")
CHOICE = (
    "from opener.tk_dialogs import TkDialogs; "
    "TkDialogs().choose('Which program should open this file (STL)?', ['PrusaSlicer', 'OrcaSlicer', 'UltiMaker Cura'])"
)


def main() -> None:
    prepare()
    shutil.copy2(FONT, LANE / "prefix" / "drive_c" / "windows" / "Fonts")
    with screen() as display, tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "DISPLAY": display,
            "WINEPATH": str(LANE / "python").replace("/", "\\"),
            "PRINTSYS_INSTANCE": f"{folder}/instance",
        }
        for name, (kind, value) in CONSOLE.items():
            _wine(environment, "reg", "add", r"HKCU\Console", "/v", name, "/t", kind, "/d", value, "/f").wait()
        start = "cmd", "/c", f"start.bat --storage {folder}/jobs --port 5099"
        with _window(environment, *start):
            until(lambda: _output(folder, "web.log").count("serving") > 0)
            until(lambda: _window_box(display) is not None and _is_still(display))
            _picture(display).save(DOCS / "start-window.png", optimize=True)
        python = str(CHECKOUT / ".venv" / "Scripts" / "pythonw.exe")
        with _window(environment, python, "-c", CHOICE):
            until(lambda: _window_box(display) is not None and _is_still(display))
            _picture(display).save(DOCS / "opener-window.png", optimize=True)


def _wine(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(LANE / "wine"), *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def _window(environment: dict[str, str], *command: str) -> Iterator[None]:
    process = _wine(environment, *DESKTOP, *command)
    try:
        yield
    finally:
        _wine(environment, "wineboot", "--end-session", "--force", "--kill").wait()
        process.wait()


def _output(folder: str, log: str) -> str:
    path = Path(folder, "instance", "logs", log)
    return path.read_text("utf-8") if path.exists() else ""


def _is_still(display: str) -> bool:
    """Nothing changes on the screen for two seconds."""
    first = ImageGrab.grab(xdisplay=display)
    subprocess.run(["sleep", "2"], check=True)
    return ImageChops.difference(first, ImageGrab.grab(xdisplay=display)).getbbox() is None


def _window_box(display: str) -> tuple[int, int, int, int] | None:
    """Of the window on wine's desktop; None while there is none, or no desktop yet."""
    desktop = ImageGrab.grab(xdisplay=display).convert("RGB")
    if desktop.getpixel((desktop.width - 1, desktop.height - 1)) != BACKGROUND:
        return None
    return ImageChops.difference(desktop, Image.new("RGB", desktop.size, BACKGROUND)).getbbox()


def _picture(display: str) -> Image.Image:
    """What is inside the window."""
    box = _window_box(display)
    assert box is not None
    left, top, right, bottom = box
    return ImageGrab.grab(xdisplay=display).crop((left + 4, top + TITLE_BAR_PX, right - 4, bottom - 4))


if __name__ == "__main__":
    main()
