"""Chooses the kind of window that this desktop can show, at the moment when there is something to show."""

from __future__ import annotations

from collections.abc import Sequence

from opener.dialogs import Dialogs, SlicerChoice
from opener.messagebox import MessageBox


class DialogsOnDemand:
    """Shows each text by the best dialogs that work at that moment."""

    def tell(self, text: str) -> None:
        available_dialogs().tell(text)

    def choose(self, question: str, names: Sequence[str]) -> SlicerChoice | None:
        return available_dialogs().choose(question, names)

    def offer(self, text: str, button: str) -> bool:
        return available_dialogs().offer(text, button)


def available_dialogs() -> Dialogs:
    """Our own windows where tkinter can show them; otherwise a box of the system's, or print."""
    if why_no_windows():
        return MessageBox()
    from opener.tk_dialogs import TkDialogs  # tkinter may be missing

    return TkDialogs()


def why_no_windows() -> str:
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
