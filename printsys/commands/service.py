"""Start the system by itself: at each log-on of this account, on Linux also at each start of the computer."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from printsys.commands.common import is_running, read_settings
from printsys.commands.run import START_PATIENCE_S, add_serving_arguments, show_first_password
from printsys.config import ROOT, Settings, load_lab
from printsys.errors import PrintSysError
from printsys.jobstore.layout import Layout
from printsys.ops import desktop
from printsys.ops.service import ServedSystem, Service
from printsys.ops.service_linux import SystemdUnit, as_owner
from printsys.ops.service_macos import LaunchAgent
from printsys.ops.service_windows import ScheduledTask

DONE, NOT_SO = 0, 1
ANOTHER_COPY = "Another copy of this system starts by itself here."
STOP_PATIENCE_S = 30
SERVICES: dict[str, Callable[[], Service]] = {"win32": ScheduledTask, "linux": SystemdUnit, "darwin": LaunchAgent}
"""By `sys.platform`: what `service` installs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    installing = actions.add_parser("install", help="from now on; it takes the options of `run`, and starts at once")
    add_serving_arguments(installing)
    installing.set_defaults(act=install)
    asking = actions.add_parser("status", help="whether it is installed, and whether the system runs")
    asking.add_argument("--json", action="store_true", help="for programs")
    asking.set_defaults(act=status, storage=None)
    starting = actions.add_parser("start", help="start what is installed, now")
    starting.set_defaults(act=start, storage=None)
    stopping = actions.add_parser("stop", help="stop it until the next log-on, or `service start`")
    stopping.set_defaults(act=stop, storage=None)
    uninstalling = actions.add_parser("uninstall", help="stop it, and do not start it again; storage stays as it is")
    uninstalling.set_defaults(act=uninstall, storage=None)
    for action in (installing, asking, starting, stopping, uninstalling):
        action.add_argument(
            "--system", action="store_true", help="Linux, as root: for the account that owns this folder, at each start"
        )


def run(args: argparse.Namespace) -> int:
    code: int = args.act(args, service(args.system))
    return code


def service(is_system: bool = False) -> Service:
    """This computer's."""
    if is_system and sys.platform == "linux":
        return SystemdUnit(is_system=True)
    if is_system:
        raise PrintSysError("`--system` is for Linux. Call `service` without it.")
    if sys.platform not in SERVICES:
        raise PrintSysError("This system's service manager is not known. Let it call `python manage.py run`.")
    return SERVICES[sys.platform]()


def install(args: argparse.Namespace, service: Service) -> int:
    with _account(args):
        settings = read_settings(args)
        load_lab(settings.lab_config)
        Layout(settings.storage)  # refuses a path too long for the names below it
        if service.starts(ROOT) is False:
            raise PrintSysError(f"{ANOTHER_COPY} Call `service uninstall` there first.")
        show_first_password(settings)  # nobody would see what a process without a window prints
        runs_already = is_running(settings)
    arguments = ["--host", args.host, "--port", str(args.port), "--storage", str(settings.storage)]
    service.install(ServedSystem(ROOT, settings.instance, tuple(arguments)))
    print(f"The system starts {service.occasion} from now on, without a window.")
    if service.advice:
        print(service.advice)
    if runs_already:
        print("A copy runs already, and goes on.")
        return DONE
    service.start()
    return _wait_until_served(settings, service)


def _account(args: argparse.Namespace) -> AbstractContextManager[None]:
    """While the body runs, what it writes belongs to the account for which the system runs."""
    return as_owner(ROOT) if args.system else contextlib.nullcontext()


def _wait_until_served(settings: Settings, service: Service) -> int:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if address := desktop.running_address(settings.instance):
            print(f"Ready: {address}/")
            return DONE
        time.sleep(0.2)
    print(f"It has not answered within {START_PATIENCE_S} s; {service.log(settings.instance)} says why.")
    return NOT_SO


def status(args: argparse.Namespace, service: Service) -> int:
    with _account(args):
        settings = read_settings(args)
        runs = is_running(settings)
    is_ours = service.starts(ROOT)
    summary = {
        "installed": is_ours is not None,
        "this_copy": bool(is_ours),
        "running": runs,
        "address": desktop.running_address(settings.instance),
        "log": service.log(settings.instance),
    }
    if args.json:
        print(json.dumps(summary, indent=2))
    else:
        subject = {None: "Nothing", False: "Another copy of this system", True: "The system"}[is_ours]
        print(f"{subject} starts {service.occasion}.")
        print(f"It runs now, at {summary['address']}/" if summary["address"] else "It does not answer now.")
        print(f"What it printed: {summary['log']}")
    return DONE if is_ours else NOT_SO


def start(args: argparse.Namespace, service: Service) -> int:
    _require_ours(service)
    service.start()
    with _account(args):
        return _wait_until_served(read_settings(args), service)


def stop(args: argparse.Namespace, service: Service) -> int:
    _require_ours(service)
    service.stop()
    with _account(args):
        if not has_stopped(read_settings(args)):
            print("It has not ended yet. If you started it in a window, close that window to stop it.")
            return NOT_SO
    print("It is stopped.")
    return DONE


def _require_ours(service: Service) -> None:
    is_ours = service.starts(ROOT)
    if is_ours is None:
        raise PrintSysError("Nothing is installed here. `service install` does that.")
    if not is_ours:
        raise PrintSysError(f"{ANOTHER_COPY} Call this there.")


def uninstall(args: argparse.Namespace, service: Service) -> int:
    if service.starts(ROOT) is None:
        print("Nothing was installed; nothing is left.")
        return DONE
    _require_ours(service)
    service.stop()
    service.uninstall()
    print("The system does not start by itself any more. Storage and instance/ stay as they are.")
    with _account(args):
        settings = read_settings(args)
        if not has_stopped(settings):
            print("A copy still runs. If you started it in a window, close that window to stop it.")
    return DONE


def has_stopped(settings: Settings) -> bool:
    """Whether nothing runs the system any more, at the latest after STOP_PATIENCE_S."""
    deadline = time.monotonic() + STOP_PATIENCE_S
    while is_running(settings):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
