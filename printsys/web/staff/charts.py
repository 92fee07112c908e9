"""Charts of a report as SVG, drawn here: readable without color, on paper, light and dark, without a script."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pygal
from pygal.style import Style

from printsys.texts import amount, money, xml_text

# The library leaves an importer for its plugins, of a kind that Python 3.12 dropped and that other programs trip over.
sys.meta_path[:] = [importer for importer in sys.meta_path if type(importer).__module__ != pygal.__name__]

Values = Sequence[float]
FILLED = ".color-0 rect, rect.color-0 { fill: #0f766e; stroke: #0f766e }"
OUTLINED = ".color-1 rect, rect.color-1 { fill: none; stroke: #566270; stroke-width: 1.5; stroke-dasharray: 5 3 }"
SIZES = Style(
    font_family="system-ui, sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    value_font_size=13,
    legend_font_size=13,
    no_data_font_size=16,
)
"""The library leaves as much room for the texts."""
STYLE = f"""
svg {{ font-family: system-ui, sans-serif }}
svg text, svg text.value {{ fill: #1f2933; font-size: 13px; font-family: system-ui, sans-serif }}
svg text.value {{ paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round }}
.axis.y text {{ text-anchor: end }}
.background {{ fill: none }}
.line {{ fill: none; stroke: #d9dee3 }}
.tooltip, .tooltip-overlay {{ display: none }}
{FILLED}
{OUTLINED}
@media (prefers-color-scheme: dark) {{
  svg text, svg text.value {{ fill: #e4e8ec }}
  svg text.value {{ stroke: #1c2126 }}
  .line {{ stroke: #38414a }}
  .color-0 rect, rect.color-0 {{ fill: #2fb8aa; stroke: #2fb8aa }}
  .color-1 rect, rect.color-1 {{ stroke: #a3afbb }}
}}
"""
"""Two series at most: the first is filled, the second a dashed outline."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""Of a chart: its style is inside of it, and there is nothing else."""
MOST_NAMES = 14
"""More labels than that would run into each other."""


def columns(labels: Sequence[str], series: Sequence[tuple[str, Values]], write: Callable[[float], str]) -> bytes:
    step = -(-len(labels) // MOST_NAMES)
    chart = _chart(pygal.Bar, series, write, len(labels) <= MOST_NAMES, width=720, height=300)
    chart.x_labels = [xml_text(label) for label in labels]
    chart.x_labels_major = chart.x_labels[::step]
    chart.show_minor_x_labels = step == 1
    chart.x_label_rotation = 30 if len(labels) > 6 else 0
    return _svg(chart)


def bars(labels: Sequence[str], series: Sequence[tuple[str, Values]], write: Callable[[float], str]) -> bytes:
    height = 90 + 44 * len(labels)
    chart = _chart(pygal.HorizontalBar, [(n, v[::-1]) for n, v in series], write, True, width=720, height=height)
    chart.x_labels = [xml_text(label) for label in labels[::-1]]
    return _svg(chart)


def count(value: float) -> str:
    return f"{value:.0f}"


def dollars(value: float) -> str:
    return money(Decimal(str(round(value, 2))))


def hours(value: float) -> str:
    return f"{amount(Decimal(str(round(value, 1))))} h"


def _chart(
    kind: Any, series: Sequence[tuple[str, Values]], write: Callable[[float], str], has_values: bool, **size: int
) -> Any:
    chart = kind(
        js=(),
        style=SIZES,
        css=(f"inline:{STYLE}",),
        print_values=has_values,
        print_values_position="top" if kind is pygal.Bar else "center",
        show_legend=len(series) > 1,
        legend_at_bottom=True,
        value_formatter=write,
        include_x_axis=True,
        min_scale=2,
        max_scale=5,
        zero=0,
        no_data_text="Nothing in this range",
        explicit_size=True,
        **size,
    )
    for name, values in series:
        chart.add(name, [float(value) or None for value in values])
    most = max((value for _, values in series for value in values), default=0)
    if write is count and most < 5:  # the library would have halves between them
        chart.y_labels = [*range(int(most or 1) + 1)]
    chart.add_xml_filter(_without_scripts)
    return chart


def _svg(chart: Any) -> bytes:
    return bytes(chart.render())


def _without_scripts(root: Any) -> Any:
    """The library writes one for its own viewer, whatever it is told."""
    for script in [*root.iter("{*}script")]:
        script.getparent().remove(script)
    return root
