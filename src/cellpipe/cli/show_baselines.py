"""Show published cells on the terminal: those of the review, and a lab's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cellpipe.cli.console import make_console

if TYPE_CHECKING:
    import polars as pl


def show_baselines(own: pl.DataFrame | None = None) -> None:
    """Print the published cells of Table 1, a lab's own rows, and the figures in the text."""
    from cellpipe.analyses.comparison import remarks
    from cellpipe.baselines import REVIEW, REVIEW_DOI, review_text, table1
    from cellpipe.baselines.materials import electrolyte_family

    console = make_console()
    titles = [(f"{REVIEW} (doi {REVIEW_DOI})", table1())]
    if own is not None:
        titles.append(("The lab's own baselines.csv", own))
    of_cells = ("Row", "Cell", "Anode", "Electrolyte (family*)", "Cathode", "Kind*", "Basis*",
                "Initial", "Later", "Retention", "To bear in mind")  # fmt: skip
    for title, rows in titles:
        shown = []
        for row in rows.to_dicts():
            family = electrolyte_family(row["solid_electrolyte"]) or "not known"
            shown.append((
                str(row["row"]), row["first_author_year"], row["anode_composition"],
                f"{row['solid_electrolyte']} ({family})", row["cathode_composition"],
                row["cell_kind_inferred"], row["capacity_basis_inferred"], row["initial_text"],
                row["later_text"], row["retention_text"], "; ".join(remarks(row)),
            ))  # fmt: skip
        _show_rows(console, title, of_cells, shown)
    console.print("* read off the row, not printed in the paper; '-' is as printed.")
    figures = [
        (f"[{row['ref']}]", row["system"], row["quantity"], f"{row['value_low']:g} {row['unit']}",
         row["section"], row["conditions"])
        for row in review_text().to_dicts()
    ]  # fmt: skip
    title = "Figures in the running text of the review"
    heads = ("Reference", "Cell", "Quantity", "Value", "Section", "Conditions")
    _show_rows(console, title, heads, figures)


def _show_rows(
    console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> None:
    """Print rows as a table if all but the last column fit on one line each, else as a list."""
    widths = [
        max(len(head), *(len(row[index] or "") for row in rows)) for index, head in enumerate(heads)
    ]
    if sum(widths[:-1]) + 30 + 3 * len(heads) <= console.width:
        table = Table(title=title, title_justify="left")
        for head in heads:
            table.add_column(head)
        for row in rows:
            table.add_row(*(Text(value or "") for value in row))
        console.print(table)
        return
    console.print(Text(title, style="italic"))
    for row in rows:
        console.print(Text(f"{row[0]}  {row[1]}", style="bold"))
        grid = Table.grid(padding=(0, 2))
        for head, value in zip(heads[2:], row[2:], strict=True):
            if value:
                grid.add_row(f"  {head}", Text(value))
        console.print(grid)
