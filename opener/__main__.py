"""python -m opener install|uninstall|status|doctor|open URL

Exit codes: 0 done; 1 refused, or doctor found something; 2 called wrongly; 3 a mistake of the opener's own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # called by its path: `python -I …/opener/__main__.py`
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from opener import config, opening, registry, report, request_log
from opener.messagebox import MessageBox
from opener.on_demand import DialogsOnDemand
from opener.opening import Desktop
from opener.paths import opener_paths
from opener.refusals import Reason, Refused
from opener.registration import own_command, registration
from opener.slicer_search import HostSystem
from opener.storage import Storage

DONE, REFUSED, BROKEN = 0, 1, 3


def this_desktop() -> Desktop:
    winreg = registry.real() if sys.platform == "win32" else None
    system = HostSystem(sys.platform, os.environ, Path.home(), registry=winreg)
    return Desktop(opener_paths(), system, DialogsOnDemand())


def install(options: argparse.Namespace) -> int:
    desktop = this_desktop()
    settings = config.read(desktop.paths.config)
    storage = os.path.abspath(os.path.expanduser(options.storage)) if options.storage else settings.storage
    if not storage:
        raise Refused(Reason.NOT_SET_UP)
    if options.storage:
        config.set_storage(desktop.paths.config, storage, Storage(Path(storage)).id())
    registration().install(own_command())
    print(f"Links are opened with this opener now. Storage: {storage}. Try: python -m opener doctor")
    return DONE


def uninstall(options: argparse.Namespace) -> int:
    was_registered = registration().uninstall()
    if not options.keep_settings:
        paths = opener_paths()
        for path in (paths.config, paths.choices, *request_log.files(paths.log)):
            path.unlink(missing_ok=True)
        if paths.folder.is_dir() and not any(paths.folder.iterdir()):
            paths.folder.rmdir()
    print(
        "The opener is gone from this account." if was_registered else "The opener was not registered; nothing is left."
    )
    return DONE


def status(options: argparse.Namespace) -> int:
    summary = report.status(this_desktop(), registration(), own_command())
    print(json.dumps(summary, indent=2, ensure_ascii=False) if options.json else report.as_text(summary))
    return DONE


def doctor(options: argparse.Namespace) -> int:
    findings = list(report.findings(this_desktop(), registration(), own_command()))
    if options.json:
        print(json.dumps([vars(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            remedy = f" → {finding.remedy}" if finding.remedy and not finding.ok else ""
            print(f"{'ok ' if finding.ok else 'NOT'} {finding.what}{remedy}")
    return DONE if all(finding.ok for finding in findings) else REFUSED


def open_link(options: argparse.Namespace) -> int:
    """The outermost loop of a click: nobody sees the traceback of a program that a browser started."""
    try:
        return DONE if opening.follow_link(options.url, this_desktop()) else REFUSED
    except Exception:
        path = opener_paths().log
        log = request_log.opener_log(path)
        log.exception("a mistake of the opener")
        text = f"The opener made a mistake, and nothing was opened. What happened is written in {path}"
        try:
            DialogsOnDemand().tell(text)
        except Exception:
            log.exception("a mistake of the opener's windows")
            MessageBox().tell(text)
        return BROKEN


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m opener",
        description="Opens the files that links of the print lab's dashboard name, in this computer's slicer.",
        epilog=(__doc__ or "").partition("\n\n")[2],
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    installing = commands.add_parser("install", help="register for this account; no administrator is needed")
    installing.add_argument("--storage", metavar="PATH", help="the lab's storage folder as this computer sees it")
    installing.set_defaults(run=install)
    uninstalling = commands.add_parser("uninstall", help="take the registration, the settings and the log away")
    uninstalling.add_argument("--keep-settings", action="store_true", help="leave settings and log")
    uninstalling.set_defaults(run=uninstall)
    for name, run, text in (
        ("status", status, "what is registered, and what would be launched for each kind of file"),
        ("doctor", doctor, "what is not well, and what to do about it"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--json", action="store_true", help="for programs")
        command.set_defaults(run=run)
    following = commands.add_parser("open", help="follow a link")
    following.add_argument("url", nargs="*", metavar="URL")
    following.set_defaults(run=open_link)
    return top


def print_in_utf8() -> None:
    """Whatever the output goes to: Windows would take the code page of old for a pipe or a file, and end at a letter
    that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pythonw.exe has none
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def main(arguments: Sequence[str] | None = None) -> int:
    print_in_utf8()
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return REFUSED
    return code


if __name__ == "__main__":
    sys.exit(main())
