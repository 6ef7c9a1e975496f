"""A preview in plain text for the command line: a table to read, JSON or CSV for another program."""

import csv
import io
import json
from decimal import Decimal
from enum import StrEnum

from driftdesk.engine.plan import PlannedOrder, SkippedOrder
from driftdesk.engine.preview import Preview
from driftdesk.engine.snapshot import label
from driftdesk.money import ZERO, format_decimal, fraction_to_percent, round_cents

ORDER_COLUMNS = ("line", "side", "symbol", "notional", "quantity", "price", "status", "reason")


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def render_preview(preview: Preview, form: Format) -> str:
    """The orders, the skipped orders, their reasons and the warnings of `preview`. Ends without a line feed.

    Notionals in USD, quantities in shares, weights in percent. Decimals are text in JSON, as on the wire (rules.md
    1.5). CSV has one row per order, sent or skipped; its warnings belong on another stream.
    """
    match form:
        case Format.JSON:
            return json.dumps(_document(preview), indent=2, ensure_ascii=False)
        case Format.CSV:
            return _csv(preview)
        case Format.TABLE:
            return _table(preview)


def _row(order: PlannedOrder) -> dict[str, str]:
    return {
        "line": str(order.line),
        "side": order.side.value,
        "symbol": order.symbol,
        "notional": f"{order.notional:f}",
        "quantity": format_decimal(order.quantity if order.quantity is not None else order.estimated_quantity),
        "price": f"{order.price:.4f}" if order.price != round_cents(order.price) else f"{order.price:.2f}",
        "status": "to send",
        "reason": order.reason,
    }


def _skip(order: SkippedOrder) -> dict[str, str]:
    return {
        "line": "",
        "side": order.side.value,
        "symbol": order.symbol,
        "notional": f"{order.notional:f}",
        "quantity": "",
        "price": "",
        "status": "skipped",
        "reason": f"{order.reason_details} ({order.reason})",
    }


def _rows(preview: Preview) -> list[dict[str, str]]:
    return [_row(order) for order in preview.plan.orders] + [_skip(order) for order in preview.plan.skipped]


def _percent(fraction: Decimal) -> str:
    return f"{round_cents(fraction_to_percent(fraction)):.2f}"


def _document(preview: Preview) -> dict[str, object]:
    after = {row.symbol: row.actual for row in preview.after.rows}
    return {
        "account_id": preview.snapshot.account_id,
        "as_of": preview.snapshot.as_of.isoformat(),
        "type": preview.plan.run_type.value,
        "equity": format_decimal(preview.before.equity),
        "orders": [_row(order) for order in preview.plan.orders],
        "skipped_orders": [_skip(order) for order in preview.plan.skipped],
        "sells_total": format_decimal(preview.sells_total),
        "buys_total": format_decimal(preview.buys_total),
        "cash_after": format_decimal(preview.cash_after),
        "turnover_percent": _percent(preview.turnover),
        "weights": [
            {
                "symbol": label(row.symbol),
                "target": _percent(row.target),
                "before": _percent(row.actual),
                "after": _percent(after.get(row.symbol, ZERO)),
            }
            for row in preview.before.rows
        ],
        "warnings": list(preview.warnings),
        "preview_hash": preview.hash,
    }


def _safe(cell: str) -> str:
    """A spreadsheet would run text that starts like a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _csv(preview: Preview) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ORDER_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _safe(cell) for name, cell in row.items()} for row in _rows(preview))
    return out.getvalue().rstrip("\n")


def _aligned(header: tuple[str, ...], rows: list[tuple[str, ...]], numeric: frozenset[str]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if name in numeric else cell.ljust(width)
            for name, cell, width in zip(header, line, widths, strict=True)
        ).rstrip()
        for line in (header, *rows)
    ]


def _table(preview: Preview) -> str:
    rows = _rows(preview)
    numeric = frozenset({"line", "notional", "quantity", "price"})
    lines = [
        f"{preview.plan.run_type.value} of {preview.snapshot.account_id}: equity {preview.before.equity:,.2f} USD, "
        f"cash {preview.before.cash:,.2f} USD",
        "",
    ]
    if rows:
        lines += _aligned(ORDER_COLUMNS, [tuple(row.values()) for row in rows], numeric)
    else:
        lines.append("Nothing to trade.")
    lines += [
        "",
        f"sells {preview.sells_total:,.2f} · buys {preview.buys_total:,.2f} · cash after {preview.cash_after:,.2f} USD"
        f" · turnover {_percent(preview.turnover)} %",
        f"preview hash {preview.hash}",
    ]
    lines += [f"warning: {warning}" for warning in preview.warnings]
    return "\n".join(lines)
