"""Start the system by itself at each log-on of this account, without a window (Windows)."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from printsys.commands.common import is_running, read_settings
from printsys.commands.run import START_PATIENCE_S, add_serving_arguments, show_first_password
from printsys.config import ROOT, Settings, load_lab
from printsys.errors import PrintSysError
from printsys.jobstore.layout import Layout
from printsys.ops import desktop
from printsys.ops.service import ServedSystem, Service, service
from printsys.ops.windowless import LOG

DONE, NOT_SO = 0, 1
STOP_PATIENCE_S = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    installing = actions.add_parser("install", help="from now on; it takes the options of `run`, and starts at once")
    add_serving_arguments(installing)
    installing.set_defaults(act=install)
    asking = actions.add_parser("status", help="whether it is installed, and whether the system runs")
    asking.add_argument("--json", action="store_true", help="for programs")
    asking.set_defaults(act=status, storage=None)
    uninstalling = actions.add_parser("uninstall", help="stop it, and do not start it again; storage stays as it is")
    uninstalling.set_defaults(act=uninstall, storage=None)


def run(args: argparse.Namespace) -> int:
    code: int = args.act(args, service())
    return code


def install(args: argparse.Namespace, service: Service) -> int:
    settings = read_settings(args)
    load_lab(settings.lab_config)
    Layout(settings.storage)  # refuses a path too long for the names below it
    if service.starts(ROOT) is False:
        raise PrintSysError("Another copy of this system starts at log-on. Call `service uninstall` there first.")
    show_first_password(settings)  # nobody would see what a process without a window prints
    arguments = ["--host", args.host, "--port", str(args.port), "--storage", str(settings.storage)]
    service.install(ServedSystem(ROOT, settings.instance, tuple(arguments)))
    print("The system starts at each log-on of this account from now on, without a window.")
    if is_running(settings):
        print("A copy runs already, and goes on.")
        return DONE
    service.start()
    return _wait_until_served(settings)


def _wait_until_served(settings: Settings) -> int:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if address := desktop.running_address(settings.instance):
            print(f"Ready: {address}/")
            return DONE
        time.sleep(0.2)
    print(f"It has not answered within {START_PATIENCE_S} s; {_log(settings)} says why.")
    return NOT_SO


def status(args: argparse.Namespace, service: Service) -> int:
    settings = read_settings(args)
    is_ours = service.starts(ROOT)
    summary = {
        "installed": is_ours is not None,
        "this_copy": bool(is_ours),
        "running": is_running(settings),
        "address": desktop.running_address(settings.instance),
        "log": str(_log(settings)),
    }
    if args.json:
        print(json.dumps(summary, indent=2))
    else:
        subject = {None: "Nothing", False: "Another copy of this system", True: "The system"}[is_ours]
        print(f"{subject} starts at log-on.")
        print(f"It runs now, at {summary['address']}/" if summary["address"] else "It does not answer now.")
        print(f"What it printed is in {summary['log']}")
    return DONE if is_ours else NOT_SO


def uninstall(args: argparse.Namespace, service: Service) -> int:
    settings = read_settings(args)
    is_ours = service.starts(ROOT)
    if is_ours is None:
        print("Nothing was installed; nothing is left.")
        return DONE
    if not is_ours:
        raise PrintSysError("Another copy of this system starts at log-on. Call `service uninstall` there.")
    service.stop()
    service.uninstall()
    print("The system does not start at log-on any more. Storage and instance/ stay as they are.")
    deadline = time.monotonic() + STOP_PATIENCE_S
    while is_running(settings) and time.monotonic() < deadline:
        time.sleep(0.2)
    if is_running(settings):
        print("A copy still runs. If you started it in a window, close that window to stop it.")
    return DONE


def _log(settings: Settings) -> Path:
    return settings.instance / "logs" / f"{LOG}.log"
