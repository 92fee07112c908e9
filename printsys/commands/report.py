"""What happened in a range of days: jobs, failures, waiting times, use of the printers, money, beside the range before;
docs/reports.md says how it counts. Without a range: this month. Exit code 0: done, 2: could not run."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime

from indexer.report_queries import ReportQueries
from printsys.commands.common import add_storage_argument, migrated_engine, print_result, read_settings
from printsys.commands.export import day
from printsys.config import Lab, load_lab
from printsys.errors import FoldersNotRead, PrintSysError
from printsys.reports.figures import as_json, report
from printsys.reports.periods import NAMES, STEPS, Range, chosen, named
from printsys.reports.plain_text import report_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--range", metavar="NAME", help=f"{', '.join(NAMES)}, or the name of a term in lab.toml")
    parser.add_argument("--from", dest="first", type=day, metavar="DAY", help="from this day on, like 2026-03-02")
    parser.add_argument("--to", dest="last", type=day, metavar="DAY", help="up to and with this day (default: today)")
    parser.add_argument("--by", choices=STEPS, default="month", help="the parts of the range (default: month)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_storage_argument(parser)


def run(args: argparse.Namespace) -> int:
    settings = read_settings(args)
    lab = load_lab(settings.lab_config)
    days = _range(args, lab, lab.today(datetime.now(UTC)))
    with migrated_engine(settings) as engine:
        queries = ReportQueries(engine)
        if not queries.has_read_folders():
            raise FoldersNotRead
        figures = report(queries, lab, days, args.by)
    print_result(args, as_json(figures), report_text(figures))
    return 0


def _range(args: argparse.Namespace, lab: Lab, today: date) -> Range:
    if args.range and (args.first or args.last):
        raise PrintSysError("Please give either --range or --from and --to.")
    if args.last and not args.first:
        raise PrintSysError("Please say with --from when the range begins.")
    if args.first:
        return chosen(args.first, args.last or today, lab.terms)
    name = args.range or "this-month"
    days = named(name, today, lab.terms)
    if days is None:
        known = ", ".join([*NAMES, *(term.name for term in lab.terms)])
        raise PrintSysError(f"There is no range called {name}; there are {known}.")
    return days
