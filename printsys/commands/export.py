"""One row a job, as CSV or JSON, for a spreadsheet or another program; docs/export.md has the columns. Without
students' names, addresses and words unless asked for. Exit code 0: done, 1: some jobs could not be read,
2: could not run."""

from __future__ import annotations

import argparse
import io
import json
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from printsys.commands.common import add_storage_argument, existing_store, print_all, read_settings
from printsys.commands.progress import add_progress_argument, progress_bar
from printsys.config import load_lab
from printsys.errors import PrintSysError
from printsys.reports.export import Period, Row, columns, rows, write_csv

DONE, SOME_LEFT_OUT = 0, 1


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day; write it like 2026-03-02") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--csv", action="store_true", help="as CSV (the default)")
    kind.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--from", dest="first", type=day, metavar="DAY", help="jobs from this day on, like 2026-03-02")
    parser.add_argument("--to", dest="last", type=day, metavar="DAY", help="jobs up to and with this day")
    parser.add_argument("--by", choices=("created", "paid"), default="created", help="which day that is")
    parser.add_argument("--with-students", action="store_true", help="with names, addresses and what people wrote")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there (a CSV as spreadsheets like it)")
    add_progress_argument(parser)
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    store = existing_store(settings)
    if args.first and args.last and args.first > args.last:
        raise PrintSysError(f"The period ends ({args.last}) before it begins ({args.first}).")
    period = Period(ZoneInfo(load_lab(settings.lab_config).about.timezone), args.first, args.last, f"{args.by}_at")
    left_out: dict[str, str] = {}
    store.require_online()
    with progress_bar(args.progress, "Reading") as progress:
        job_rows = rows(store, period, args.with_students, left_out, progress)
    store.require_online()
    _write(args, job_rows, left_out)
    for job_id, why in left_out.items():
        print(f"Job {job_id} is left out: {why}", file=sys.stderr)
    return SOME_LEFT_OUT if left_out else DONE


def _write(args: argparse.Namespace, job_rows: list[Row], left_out: dict[str, str]) -> None:
    text = io.StringIO(newline="")
    if args.json:
        json.dump({"jobs": job_rows, "left_out": left_out}, text, ensure_ascii=False, indent=2)
        text.write("\n")
    else:
        # Text that is printed gets the system's own line ends by itself.
        write_csv(job_rows, columns(args.with_students), text, "\r\n" if args.output else "\n")
    if args.output is None:
        print_all(text.getvalue(), end="")
        return
    try:
        # Spreadsheets know UTF-8 by its mark; programs that read JSON stumble over it.
        args.output.write_text(text.getvalue(), "utf-8" if args.json else "utf-8-sig", newline="")
    except OSError as error:
        raise PrintSysError(f"{args.output} cannot be written: {error.strerror}.") from error
