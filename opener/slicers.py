"""Which slicers this computer has, and which of them fit a file and its job's printer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from opener import names
from opener.catalog import KNOWN_SLICERS
from opener.config import Config, SlicerOverride
from opener.record import RecordedJob
from opener.slicer_search import HostSystem, find


@dataclass(frozen=True)
class Slicer:
    """A program on this computer. Empty `printers` or `methods` mean any; both are lower case."""

    name: str
    path: Path
    extensions: frozenset[str]
    methods: frozenset[str]
    printers: frozenset[str] = frozenset()

    def fits(self, extension: str, record: RecordedJob) -> bool:
        if extension not in self.extensions:
            return False
        if self.printers:
            return record.printer.lower() in self.printers
        # A slicer's own file says by itself where it belongs; a model says nothing, so the job's method decides.
        method = record.method.lower()
        return extension not in names.MODELS or not method or not self.methods or method in self.methods


def on_this_computer(config: Config, system: HostSystem) -> list[Slicer]:
    """The slicers found on it, as the settings change them; then those that only the settings know."""
    overrides = {override.name.casefold(): override for override in config.slicers}
    slicers: list[Slicer] = []
    for catalogued in KNOWN_SLICERS:
        override = overrides.pop(catalogued.name.casefold(), SlicerOverride(catalogued.name))
        path = Path(override.path) if override.path else find(catalogued, system)
        if path and not override.ignore:
            slicers.append(
                _overridden(Slicer(catalogued.name, path, catalogued.extensions, catalogued.methods), override)
            )
    for override in overrides.values():
        if override.path and not override.ignore:
            anything = Slicer(override.name, Path(override.path), names.MODELS, frozenset())
            slicers.append(_overridden(anything, override))
    return slicers


def _overridden(slicer: Slicer, override: SlicerOverride) -> Slicer:
    return Slicer(
        slicer.name,
        slicer.path,
        slicer.extensions if override.extensions is None else override.extensions,
        slicer.methods if override.methods is None else override.methods,
        slicer.printers if override.printers is None else override.printers,
    )


def fitting(slicers: Iterable[Slicer], extension: str, record: RecordedJob) -> list[Slicer]:
    """Those that fit. One that the settings tie to the job's printer excludes those that fit any printer."""
    fits = [slicer for slicer in slicers if slicer.fits(extension, record)]
    return [slicer for slicer in fits if slicer.printers] or fits


def kind(extension: str, record: RecordedJob) -> str:
    """The kind of file that a choice is remembered for: `.stl filament`, `.stl resin prusa-sl1`, or just `.gcode`."""
    if extension not in names.MODELS:
        return extension
    return " ".join(part for part in (extension, record.method.lower(), record.printer.lower()) if part)
