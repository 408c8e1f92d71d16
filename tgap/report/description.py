"""A dataset's description on a terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tgap.description import SIDES, Description

if TYPE_CHECKING:
    from rich.console import Console


def show_description(found: Description, console: "Console") -> None:
    """Print counts by side, images per patient, overlaps and what was left out."""
    height, width, channels = found.shape
    console.print(
        f"{found.images:,} images of {height} x {width}, {'grey' if channels == 1 else 'colour'}, "
        f"{found.patients:,} patients (images of one: "
        f"median {found.images_per_patient['median']:g}, most {found.images_per_patient['max']:g})"
    )
    console.print()
    console.print(_table(found))
    console.print()
    for name, column in found.metadata.items():
        if "median" in column:
            console.print(
                f"{name}: {column['min']:g} to {column['max']:g}, median {column['median']:g}, "
                f"unknown for {column['unknown']:,}",
                markup=False,
            )
    for line in warnings(found) or ["no patient and no image stands on two sides"]:
        console.print(line, markup=False)
    for name, note in found.notes.items():
        console.print(f"{name.replace('_', ' ')}: {_note(note)}", markup=False)


def warnings(found: Description) -> list[str]:
    """Overlaps between the sides, as sentences."""
    lines = [
        f"{count:,} patients stand on two sides: {sides}"
        for sides, count in found.shared_patients.items()
        if count
    ]
    lines += [
        f"{count:,} images stand on two sides, pixel by pixel the same: {sides}"
        for sides, count in found.shared_images.items()
        if count
    ]
    if found.duplicates:
        lines.append(f"{found.duplicates:,} images are exact copies of another")
    return lines


def _table(found: Description) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("images")
    for side in ("all", *SIDES):
        table.add_column(side, justify="right")
    table.add_row("all", f"{found.images:,}", *(f"{found.sides[s]['images']:,}" for s in SIDES))
    table.add_row("patients", f"{found.patients:,}",
                  *(f"{found.sides[s]['patients']:,}" for s in SIDES))  # fmt: skip
    for title, counts in (("label", found.labels), ("finding", found.findings)):
        for name, by_side in counts.items():
            table.add_row(f"{title} {name}", *_cells(by_side, found))
    for name, column in found.metadata.items():
        for value, content in column.items():
            if isinstance(content, Mapping):
                table.add_row(f"{name} {value}", *_cells(content, found))
    return table


def _cells(by_side: Mapping[str, int], found: Description) -> list[str]:
    totals = {"all": found.images} | {side: found.sides[side]["images"] for side in SIDES}
    return [f"{n:,} ({n / max(1, totals[side]):.1%})" for side, n in by_side.items()]


def _note(note: Any) -> str:
    if isinstance(note, Mapping):
        return "; ".join(f"{name} {_note(value)}" for name, value in note.items())
    if isinstance(note, list):
        return f"{len(note):,} ({', '.join(map(str, note[:5]))}{', ...' if len(note) > 5 else ''})"
    return f"{note:,}" if isinstance(note, int) else str(note)
