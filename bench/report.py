"""One table for all benches, and the arithmetic behind its cells."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

HEAD = ("what", "measured", "floor or peer, same run", "ratio", "must", "aim", "met")
_WIDTHS = (44, 34, 34, 7, 15, 15, 6)


@dataclass(frozen=True)
class Row:
    """One line. `met` is "aim", "must", "NO", or "" where quality.md asks for nothing."""

    what: str
    measured: str
    floor: str = ""
    ratio: float | None = None
    must: str = ""
    aim: str = ""
    met: str = ""
    limit: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them don't exceed (nearest rank); not a number where there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(seconds: Sequence[float]) -> str:
    """p50 / p95 / p99 in milliseconds."""
    return " / ".join(_short(quantile(seconds, share) * 1000) for share in (0.5, 0.95, 0.99)) + " ms"


def below(value: float, *, must: float, aim: float | None = None) -> str:
    if aim is not None and value < aim:
        return "aim"
    return "must" if value < must else "NO"


def above(value: float, *, must: float, aim: float | None = None) -> str:
    if aim is not None and value > aim:
        return "aim"
    return "must" if value >= must else "NO"


def table(rows: Iterable[Row]) -> str:
    """What limits a row stands below it."""
    lines = [_line(HEAD), _line(tuple("-" * width for width in _WIDTHS))]
    for row in rows:
        ratio = "" if row.ratio is None or math.isnan(row.ratio) else f"{row.ratio:.2f}"
        cells = (row.what, row.measured, row.floor, ratio, row.must, row.aim, row.met)
        wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, _WIDTHS, strict=True)]
        lines += [_line(cells) for cells in itertools.zip_longest(*wrapped, fillvalue="")]
        if row.limit:
            lines += textwrap.wrap(row.limit, 150, initial_indent="    > ", subsequent_indent="      ")
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
