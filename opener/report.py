"""What `status` and `doctor` say: what is registered, what would be launched for each kind, and what is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opener import config, names, remembered, showing, slicers
from opener.opening import Desktop
from opener.record import RequestLog
from opener.refusals import Refused
from opener.registration import Registration
from opener.slicers import Slicer
from opener.storage import Storage


@dataclass(frozen=True)
class DoctorFinding:
    """One line of doctor's: what was looked at, and what is to be done where it is not well."""

    ok: bool
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Kind:
    """What would happen with one kind of file. `opens` is a slicer's name, "ask" or "nothing"."""

    kind: str
    opens: str
    fits: list[str]


def kinds(desktop: Desktop, settings: config.Config) -> list[Kind]:
    here = slicers.on_this_computer(settings, desktop.computer)
    chosen = remembered.read(desktop.places.remembered)
    return [_kind(extension, record, here, chosen) for extension, record in _cases(here)]


def _cases(here: Sequence[Slicer]) -> Iterator[tuple[str, RequestLog]]:
    """Models by method and by every printer that the settings name; slicers' own files by themselves."""
    printers = sorted({printer for slicer in here for printer in slicer.printers})
    for extension in sorted(names.MODELS):
        yield from ((extension, RequestLog(method=method)) for method in ("Filament", "Resin"))
        yield from ((extension, RequestLog(printer=printer)) for printer in printers)
    yield from ((extension, RequestLog()) for extension in sorted(names.SLICED))


def _kind(extension: str, record: RequestLog, here: Sequence[Slicer], chosen: dict[str, str]) -> Kind:
    kind = slicers.kind(extension, record)
    fits = [slicer.name for slicer in slicers.fitting(here, extension, record)]
    if len(fits) == 1 or chosen.get(kind) in fits:
        return Kind(kind, chosen[kind] if len(fits) > 1 else fits[0], fits)
    return Kind(kind, "ask" if fits else "nothing", fits)


def status(desktop: Desktop, registration: Registration, command: Sequence[str]) -> dict[str, Any]:
    """Everything that `status` prints, as JSON has it. Raises Refused where the settings cannot be read."""
    settings = config.read(desktop.places.config)
    expected = registration.expected(command)
    links = {
        scheme: {"calls": called, "this_opener": called == expected}
        for scheme, called in registration.registered().items()
    }
    return {
        "links": links,
        "storage": settings.storage or None,
        "storage_says": _storage_says(settings),
        "config": str(desktop.places.config),
        "log": str(desktop.places.log),
        "slicers": {s.name: str(s.path) for s in slicers.on_this_computer(settings, desktop.computer)},
        "kinds": [asdict(kind) for kind in kinds(desktop, settings)],
    }


def _storage_says(settings: config.Config) -> str:
    """ "ready", or the sentence that says why not."""
    try:
        if not settings.storage:
            return "not set up"
        Storage(Path(settings.storage), settings.storage_id).prove()
    except Refused as refused:
        return str(refused)
    return "ready"


def as_text(found: dict[str, Any]) -> str:
    lines = ["Links"]
    for scheme, link in found["links"].items():
        said = link["calls"] or "not registered"
        lines.append(f"  {scheme}://  {said}" + ("" if link["this_opener"] else "  (not this opener)"))
    lines += ["Storage", f"  {found['storage'] or '-'}  {found['storage_says']}"]
    lines += ["Programs", *(f"  {name}  {path}" for name, path in found["slicers"].items() or {"none": ""}.items())]
    lines.append("Files")
    for kind in found["kinds"]:
        if kind["fits"]:
            several = f" ({', '.join(kind['fits'])})" if len(kind["fits"]) > 1 else ""
            lines.append(f"  {kind['kind']:<24} {kind['opens']}{several}")
    without = [kind["kind"] for kind in found["kinds"] if not kind["fits"]]
    lines.append(f"  nothing opens: {', '.join(without) or '-'}")
    lines += ["Settings", f"  {found['config']}", "Log", f"  {found['log']}"]
    return "\n".join(lines)


def findings(desktop: Desktop, registration: Registration, command: Sequence[str]) -> Iterator[DoctorFinding]:
    yield DoctorFinding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer")
    missing = showing.no_windows()
    yield DoctorFinding(
        not missing, f"windows can be shown{': ' + missing if missing else ''}", "refusals may go unseen"
    )
    try:
        settings = config.read(desktop.places.config)
    except Refused as refused:
        yield DoctorFinding(False, str(refused), "correct that file")
        return
    yield DoctorFinding(True, f"settings in {desktop.places.config}")
    says = _storage_says(settings)
    yield DoctorFinding(says == "ready", f"storage: {says}", "python -m opener install --storage PATH")
    yield from _registered(registration, command)
    yield from _programs(desktop, settings)
    yield _log(desktop.places.log)


def _registered(registration: Registration, command: Sequence[str]) -> Iterator[DoctorFinding]:
    try:
        called = registration.registered()
    except Refused as refused:
        yield DoctorFinding(False, str(refused), "correct that and run doctor again")
        return
    for scheme, calls in called.items():
        ours = calls == registration.expected(command)
        said = "this opener" if ours else calls or "nothing"
        yield DoctorFinding(ours, f"{scheme}:// links call {said}", "python -m opener install")


def _programs(desktop: Desktop, settings: config.Config) -> Iterator[DoctorFinding]:
    here = slicers.on_this_computer(settings, desktop.computer)
    yield DoctorFinding(
        bool(here), f"{len(here)} slicers found", f"install one, or name one in {desktop.places.config}"
    )
    for slicer in here:
        there = os.path.exists(slicer.path)
        yield DoctorFinding(there, f"{slicer.name}: {slicer.path}", f"correct its path in {desktop.places.config}")


def _log(path: Path) -> DoctorFinding:
    folder = next(parent for parent in path.parents if parent.exists())
    writable = os.access(path if path.exists() else folder, os.W_OK)
    return DoctorFinding(writable, f"log {path}", "its folder cannot be written")
