"""Which kind of window this desktop can show, found out when there is something to show."""

from __future__ import annotations

from collections.abc import Sequence

from opener.dialogs import Choice, Dialogs
from opener.messagebox import SystemBox


class OnDemand:
    """Finds out how to show something only when there is something to show."""

    def tell(self, text: str) -> None:
        dialogs().tell(text)

    def choose(self, question: str, names: Sequence[str]) -> Choice | None:
        return dialogs().choose(question, names)

    def offer(self, text: str, button: str) -> bool:
        return dialogs().offer(text, button)


def dialogs() -> Dialogs:
    """Our own windows where tkinter can show them; otherwise a box of the system's, or print."""
    if no_windows():
        return SystemBox()
    from opener.windows import Windows  # tkinter may be missing

    return Windows()


def no_windows() -> str:
    """Why tkinter cannot show a window here; "" where it can."""
    try:
        import tkinter
    except ImportError:
        return "Python has no tkinter (on Debian and Ubuntu: apt install python3-tk)"
    try:
        tkinter.Tk().destroy()
    except tkinter.TclError as error:
        return f"there is no screen ({error})"
    return ""
