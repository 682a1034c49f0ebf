"""Pieces of a page of results: what was measured where, and tables."""
from __future__ import annotations


def head_lines(head: dict) -> list[str]:
    machine = head["machine"]
    lines = [f"{head['date']}, commit `{head['commit']}`; {machine['cpu']}, {machine['cores']} cores, "
             f"Linux {machine['kernel']}, {machine['system']}, {head['compiler']}; "
             f"{head['rounds']} interleaved rounds."]
    if head.get("versions"):
        lines += ["", ", ".join(f"{name} {number}" for name, number in head["versions"].items()) + "."]
    if head.get("again"):
        lines += ["", "Measured again: " + "; ".join(f"{name} ({when})" for name, when
                                                     in head["again"].items()) + "."]
    for name, why in head.get("left_out", {}).items():
        lines += ["", f"Left out: {name}: {why.splitlines()[0]}"]
    return [*lines, ""]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Markdown; every column but the first is a number."""
    return ["| " + " | ".join(head) + " |",
            "| --- |" + " ---: |" * (len(head) - 1),
            *("| " + " | ".join(row) + " |" for row in rows), ""]
