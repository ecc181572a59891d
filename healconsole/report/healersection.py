"""The sections of a page on what healers did: the overview, and one for each healer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from healconsole.core.report.report import Report, acts_by_host
from healconsole.core.report.tally import USUAL, HealerTally
from healconsole.report import plots, telling
from healconsole.report.html import Markup, joined, tag
from healconsole.report.parts import more, table, tiles

HEAT_DAYS: Final = 16
"""Days that have a column; the newest."""
HEAT_HOSTS: Final = 60
"""Hosts that have a row; the busiest."""


def overview(report: Report) -> Markup:
    """All healers in one table."""
    rows = []
    for healer in report.healers:
        over = len(telling.host_days(healer, report.days).over)
        opened = healer.circuits.opened
        rows.append(
            (
                tag("span", healer.name, class_="strong"),
                f"{healer.actions:,}",
                telling.success_share(healer),
                f"{healer.failures:,}",
                f"{sum(healer.denials.values()):,}",
                f"{healer.would_be:,}",
                f"{opened:,}",
                telling.span_of(healer.circuits.open_s if opened else None),
                telling.span_of(healer.repairs.healed.mean),
                tag("span", f"{over:,}", class_="alarm") if over else "0",
            )
        )
    header = (
        *("healer", "actions", "succeeded", "failed", "denied", "would-be", "opened"),
        *("time open", "MTTR", f"days over {USUAL}"),
    )
    return tag(
        "section",
        tag("h2", "All healers"),
        table(header, rows, right=range(1, len(header))),
        tag(
            "p",
            f"MTTR: mean time from the first fact that asked for an act to a success. Days over "
            f"{USUAL}: days of one host with more actions than the usual 0 to {USUAL}.",
            class_="soft",
        ),
    )


def healer_section(healer: HealerTally, report: Report) -> Markup:
    """Everything on one healer."""
    layers = plots.daily_layers(healer, report.days)
    return tag(
        "section",
        tag("h2", healer.name),
        _figures(healer),
        *(tag("p", note, class_="note") for note in telling.notes(healer)),
        tag("h3", "What it did each day, over all hosts"),
        tag("div", plots.bars(report.days, layers, "what it did each day"), class_="scroll"),
        plots.legend(layers),
        _shares(healer),
        _actions(healer, report),
        _breaker(healer, report),
    )


def heat_table(
    days: Sequence[str],
    hosts: Mapping[str, Mapping[str, int]],
    missing: Callable[[str, str], bool] = lambda _host, _day: False,
) -> Markup:
    """Figures by host and day, shaded; what is over the usual stands out, also in print."""
    shown = days[-HEAT_DAYS:]
    busiest = sorted(hosts.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    rows = [
        tag(
            "tr",
            tag("td", host, class_="keep"),
            *(_heat(on.get(day, 0), missing=missing(host, day)) for day in shown),
        )
        for host, on in busiest[:HEAT_HOSTS]
    ]
    head = tag("tr", tag("th", "host"), *(tag("th", day[5:], class_="n") for day in shown))
    return joined(
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", *rows), class_="heat"),
            class_="scroll",
        ),
        more(len(hosts) - HEAT_HOSTS),
        tag("p", f"The newest {HEAT_DAYS} of {len(days)} days.", class_="soft")
        if len(days) > HEAT_DAYS
        else "",
    )


def _figures(healer: HealerTally) -> Markup:
    healed = healer.repairs.healed
    circuits = healer.circuits
    ended = f"{telling.success_share(healer)} succeeded"
    items = [
        ("actions", f"{healer.actions:,}", ended if healer.actions else ""),
        ("failed", f"{healer.failures:,}", ""),
        ("denied", f"{sum(healer.denials.values()):,}", ""),
        (
            "MTTR",
            telling.span_of(healed.mean),
            f"median {telling.span_of(healed.median)}, 95 % {telling.span_of(healed.p95)}"
            if healed.count
            else "",
        ),
        ("healed", f"{healed.count:,}", _not_healed(healer.repairs.unhealed)),
        (
            "breaker opened",
            f"{circuits.opened:,}",
            f"open for {telling.span_of(circuits.open_s)}" if circuits.opened else "",
        ),
    ]
    if healer.would_be:
        items.insert(1, ("would-be actions", f"{healer.would_be:,}", "in dry-run"))
    return tiles(items)


def _not_healed(number: int) -> str:
    return f"{telling.incidents(number)} {'was' if number == 1 else 'were'} not"


def _shares(healer: HealerTally) -> Markup:
    def half(title: str, counts: Mapping[str, int]) -> Markup:
        inside = plots.shares(list(counts.items()), title) if counts else tag("p", "None.")
        return tag("div", tag("h3", title), inside)

    return tag(
        "div",
        half("Outcomes", healer.outcomes),
        half("Denials by guardrail", healer.denials),
        class_="pair",
    )


def _actions(healer: HealerTally, report: Report) -> Markup:
    compared = telling.host_days(healer, report.days)
    said, what = telling.compared_line(healer, report.days), telling.acts_word(healer)
    over = f"{len(compared.over):,} with more"
    acts = acts_by_host(healer)
    quiet = len(healer.hosts) - len(acts)
    busy = [(it.day, it.host, f"{it.actions:,}") for it in compared.over[:10]]
    return joined(
        tag("h3", f"{what.capitalize()} per host and day (usual: 0 to {USUAL})"),
        tag("p", said, tag("span", over, class_="alarm") if compared.over else over, "."),
        heat_table(report.days, acts) if acts else "",
        tag("p", f"Hosts without any: {quiet:,}.", class_="soft") if quiet else "",
        joined(tag("h3", "The busiest"), table(("day", "host", "actions"), busy, right={2}))
        if busy
        else "",
    )


def _breaker(healer: HealerTally, report: Report) -> Markup:
    circuits, offset = healer.circuits, report.utc_offset_s
    title = tag("h3", "When its breaker was open, and why")
    if not circuits.episodes:
        return joined(title, tag("p", "Never."))
    openings = [
        (
            telling.when(it.opened, offset),
            it.host,
            tag("span", telling.place(it), class_="id"),
            telling.opened_because(it),
            telling.span_of(it.denying_s),
            str(it.probes_failed),
            telling.ended_because(it, offset),
        )
        for it in reversed(circuits.episodes)
    ]
    resets = [
        (
            telling.when(it.at, offset),
            it.host,
            it.scope or "all",
            it.by,
            it.incident,
            it.reason,
            telling.undone_because(it, offset),
        )
        for it in reversed(circuits.resets)
    ]
    header = ("opened", "host", "scope", "why", "open for", "probes failed", "ended")
    keys = tag(
        "ul",
        tag("li", tag("span", class_="key open"), "by failures"),
        tag("li", tag("span", class_="key forced"), "by an operator"),
        class_="legend",
    )
    return joined(
        title,
        tag("div", plots.timeline(report.span, circuits.episodes, offset), class_="scroll"),
        keys,
        table(header, openings, right={4, 5}, keep={1}),
        joined(
            tag("h3", telling.resets_line(circuits)),
            table(
                ("at", "host", "scope", "by", "incident", "reason", "taken back"),
                resets,
                keep={0},
            ),
        )
        if resets
        else "",
    )


def _heat(number: int, *, missing: bool) -> Markup:
    if missing:
        return tag("td", "?", class_="n gone", title="no sign of life on this day")
    style = "over" if number > USUAL else "c0" if not number else "c1" if number < 3 else "c2"
    return tag("td", f"{number:,}" if number else "·", class_=f"n {style}")
