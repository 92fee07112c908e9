"""Windows by tkinter. Escape closes each of them, and Return presses the first button."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk

from opener.dialogs import TITLE, SlicerChoice

_WIDTH = 460
"""Pixels after which text wraps."""


class TkDialogs:
    def tell(self, text: str) -> None:
        _QuestionWindow(text).ask(["OK"])

    def choose(self, question: str, names: Sequence[str]) -> SlicerChoice | None:
        window = _QuestionWindow(question)
        remember = window.tick("Always open these files with it on this computer", True)
        name = window.ask(names)
        return SlicerChoice(name, remember.get()) if name else None

    def offer(self, text: str, button: str) -> bool:
        return _QuestionWindow(text).ask([button, "Close"]) == button


class _QuestionWindow:
    """One question, asked once."""

    def __init__(self, text: str) -> None:
        self.root = tk.Tk()
        self.root.title(TITLE)
        self.root.resizable(False, False)
        self.frame = ttk.Frame(self.root, padding=20)
        self.frame.grid()
        ttk.Label(self.frame, text=text, wraplength=_WIDTH).grid(sticky="w", pady=(0, 14))
        self.pressed = ""

    def tick(self, text: str, value: bool) -> tk.BooleanVar:
        variable = tk.BooleanVar(self.root, value)
        ttk.Checkbutton(self.frame, text=text, variable=variable).grid(row=90, sticky="w", pady=(10, 0))
        return variable

    def ask(self, buttons: Sequence[str]) -> str:
        """The button that was pressed, "" where a person closed the window."""
        for row, name in enumerate(buttons, 1):
            button = ttk.Button(self.frame, text=name, command=lambda name=name: self._press(name))  # type: ignore[misc]
            button.grid(row=row, sticky="ew", pady=3)
            button.bind("<Return>", lambda _, name=name: self._press(name))  # type: ignore[misc]
            if row == 1:
                button.focus_set()
        self.root.bind("<Escape>", lambda _: self.root.destroy())
        # The browser is in front; a window that opens behind it would be a silent failure.
        self.root.attributes("-topmost", True)
        self.root.lift()
        self.root.mainloop()
        return self.pressed

    def _press(self, name: str) -> None:
        self.pressed = name
        self.root.destroy()
