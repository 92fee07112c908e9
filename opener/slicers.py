"""Which slicers this computer has, and which of them fit a file and its job's printer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from opener import names
from opener.catalogue import KNOWN
from opener.config import Config, Override
from opener.finding import Computer, find
from opener.record import RequestLog


@dataclass(frozen=True)
class Slicer:
    """A program on this computer. Empty `printers` or `methods` mean any; both are lower case."""

    name: str
    path: Path
    extensions: frozenset[str]
    methods: frozenset[str]
    printers: frozenset[str] = frozenset()

    def fits(self, extension: str, record: RequestLog) -> bool:
        if extension not in self.extensions:
            return False
        if self.printers:
            return record.printer.lower() in self.printers
        # A slicer's own file says by itself where it belongs; a model says nothing, so the job's method decides.
        method = record.method.lower()
        return extension not in names.MODELS or not method or not self.methods or method in self.methods


def on_this_computer(config: Config, computer: Computer) -> list[Slicer]:
    """What was found, as the settings change it; then what only the settings know."""
    said = {override.name.casefold(): override for override in config.slicers}
    slicers: list[Slicer] = []
    for known in KNOWN:
        override = said.pop(known.name.casefold(), Override(known.name))
        path = Path(override.path) if override.path else find(known, computer)
        if path and not override.ignore:
            slicers.append(_overridden(Slicer(known.name, path, known.extensions, known.methods), override))
    for override in said.values():
        if override.path and not override.ignore:
            anything = Slicer(override.name, Path(override.path), names.MODELS, frozenset())
            slicers.append(_overridden(anything, override))
    return slicers


def _overridden(slicer: Slicer, override: Override) -> Slicer:
    return Slicer(
        slicer.name,
        slicer.path,
        slicer.extensions if override.extensions is None else override.extensions,
        slicer.methods if override.methods is None else override.methods,
        slicer.printers if override.printers is None else override.printers,
    )


def fitting(slicers: Iterable[Slicer], extension: str, record: RequestLog) -> list[Slicer]:
    """Those that fit. One that the settings tie to the job's printer goes before all that fit any printer."""
    fit = [slicer for slicer in slicers if slicer.fits(extension, record)]
    return [slicer for slicer in fit if slicer.printers] or fit


def kind(extension: str, record: RequestLog) -> str:
    """What a choice is remembered for: `.stl filament`, `.stl resin prusa-sl1`, or just `.gcode`."""
    if extension not in names.MODELS:
        return extension
    return " ".join(part for part in (extension, record.method.lower(), record.printer.lower()) if part)
