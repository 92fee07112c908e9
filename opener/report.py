"""What `status` and `doctor` print: what is registered, what each kind of file opens in, and the problems."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opener import choices, config, names, on_demand, slicers
from opener.opening import Desktop
from opener.record import RecordedJob
from opener.refusals import Refused
from opener.registration import Registration
from opener.slicers import Slicer
from opener.storage import Storage


@dataclass(frozen=True)
class DoctorFinding:
    """One line of doctor's: `what` it checked, and the `remedy` where that is not `ok`."""

    ok: bool
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class FileKindReport:
    """What would happen with one kind of file. `opens` is a slicer's name, "ask" or "nothing"."""

    kind: str
    opens: str
    fits: list[str]


def kinds(desktop: Desktop, settings: config.Config) -> list[FileKindReport]:
    installed = slicers.on_this_computer(settings, desktop.system)
    chosen = choices.read(desktop.paths.choices)
    reports = []
    for extension, record in _cases(installed):
        kind = slicers.kind(extension, record)
        fits = [slicer.name for slicer in slicers.fitting(installed, extension, record)]
        if len(fits) == 1:
            opens = fits[0]
        elif chosen.get(kind) in fits:
            opens = chosen[kind]
        else:
            opens = "ask" if fits else "nothing"
        reports.append(FileKindReport(kind, opens, fits))
    return reports


def _cases(installed: Sequence[Slicer]) -> Iterator[tuple[str, RecordedJob]]:
    """Models by method and by every printer that the settings name; slicers' own files by themselves."""
    printers = sorted({printer for slicer in installed for printer in slicer.printers})
    for extension in sorted(names.MODELS):
        yield from ((extension, RecordedJob(method=method)) for method in ("Filament", "Resin"))
        yield from ((extension, RecordedJob(printer=printer)) for printer in printers)
    yield from ((extension, RecordedJob()) for extension in sorted(names.SLICED))


def status(desktop: Desktop, registration: Registration, command: Sequence[str]) -> dict[str, Any]:
    """Everything that `status` prints, as in its JSON. Raises Refused where the settings cannot be read."""
    settings = config.read(desktop.paths.config)
    expected = registration.expected(command)
    links = {
        scheme: {"calls": called, "this_opener": called == expected}
        for scheme, called in registration.registered().items()
    }
    return {
        "links": links,
        "storage": settings.storage or None,
        "storage_says": _storage_says(settings),
        "config": str(desktop.paths.config),
        "log": str(desktop.paths.log),
        "slicers": {s.name: str(s.path) for s in slicers.on_this_computer(settings, desktop.system)},
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


def as_text(summary: dict[str, Any]) -> str:
    lines = ["Links"]
    for scheme, link in summary["links"].items():
        target = link["calls"] or "not registered"
        lines.append(f"  {scheme}://  {target}" + ("" if link["this_opener"] else "  (not this opener)"))
    lines += ["Storage", f"  {summary['storage'] or '-'}  {summary['storage_says']}"]
    lines += ["Programs", *(f"  {name}  {path}" for name, path in summary["slicers"].items() or {"none": ""}.items())]
    lines.append("Files")
    for kind in summary["kinds"]:
        if kind["fits"]:
            several = f" ({', '.join(kind['fits'])})" if len(kind["fits"]) > 1 else ""
            lines.append(f"  {kind['kind']:<24} {kind['opens']}{several}")
    without = [kind["kind"] for kind in summary["kinds"] if not kind["fits"]]
    lines.append(f"  nothing opens: {', '.join(without) or '-'}")
    lines += ["Settings", f"  {summary['config']}", "Log", f"  {summary['log']}"]
    return "\n".join(lines)


def findings(desktop: Desktop, registration: Registration, command: Sequence[str]) -> Iterator[DoctorFinding]:
    yield DoctorFinding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer")
    missing = on_demand.why_no_windows()
    yield DoctorFinding(
        not missing, f"windows can be shown{': ' + missing if missing else ''}", "refusals may go unseen"
    )
    try:
        settings = config.read(desktop.paths.config)
    except Refused as refused:
        yield DoctorFinding(False, str(refused), "correct that file")
        return
    yield DoctorFinding(True, f"settings in {desktop.paths.config}")
    says = _storage_says(settings)
    yield DoctorFinding(says == "ready", f"storage: {says}", "python -m opener install --storage PATH")
    yield from _link_findings(registration, command)
    installed = slicers.on_this_computer(settings, desktop.system)
    yield DoctorFinding(
        bool(installed), f"{len(installed)} slicers found", f"install one, or name one in {desktop.paths.config}"
    )
    for slicer in installed:
        exists = os.path.exists(slicer.path)
        yield DoctorFinding(exists, f"{slicer.name}: {slicer.path}", f"correct its path in {desktop.paths.config}")
    log = desktop.paths.log
    existing = log if log.exists() else next(parent for parent in log.parents if parent.exists())
    yield DoctorFinding(os.access(existing, os.W_OK), f"log {log}", "its folder cannot be written")


def _link_findings(registration: Registration, command: Sequence[str]) -> Iterator[DoctorFinding]:
    try:
        called = registration.registered()
    except Refused as refused:
        yield DoctorFinding(False, str(refused), "correct that and run doctor again")
        return
    for scheme, calls in called.items():
        ours = calls == registration.expected(command)
        target = "this opener" if ours else calls or "nothing"
        yield DoctorFinding(ours, f"{scheme}:// links call {target}", "python -m opener install")
