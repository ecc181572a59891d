"""Plots as inline SVG: no script, colours by class, every mark with its figure as a title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healconsole.core.frozen import Frozen
from healconsole.core.report.circuits import Episode
from healconsole.core.report.span import Span
from healconsole.core.report.tally import HealerTally
from healconsole.report.html import Markup, joined, tag
from healconsole.report.telling import place, span_of, when

WIDTH: Final = 960
_LEFT, _RIGHT, _TOP = 48, 8, 10
_BARS: Final = 150
"""Height of a plot of bars."""
_ROW: Final = 22
"""Height of one line of the timeline."""
MOST_ROWS: Final = 20
MOST_BARS: Final = 92
"""Days with a bar each; of a longer span, several days share one."""


class Layer(Frozen):
    """One colour of the bars: its class in the style sheet, its word, a value for each bar."""

    style: str
    word: str
    values: tuple[int, ...]


def daily_layers(healer: HealerTally, days: Sequence[str]) -> tuple[Layer, ...]:
    """Return what a healer did each day, over all hosts, in the order of the stack."""
    place_of = {day: number for number, day in enumerate(days)}
    done, failed, would = ([0] * len(days) for _ in range(3))
    for (_, day), on in healer.days.items():
        number = place_of.get(day)
        if number is not None:
            done[number] += max(0, on.actions - on.failures)
            failed[number] += on.failures
            would[number] += on.would_be
    return (
        Layer("done", "acted", tuple(done)),
        Layer("failed", "failed", tuple(failed)),
        Layer("would", "would have acted", tuple(would)),
    )


def bars(days: Sequence[str], layers: Sequence[Layer], label: str) -> Markup:
    """Return stacked bars, one for each day; of a long span, one for several days."""
    step = -(-len(days) // MOST_BARS) or 1
    starts = range(0, len(days), step)
    stacks = [[sum(layer.values[at : at + step]) for layer in layers] for at in starts]
    top = nice(max((sum(stack) for stack in stacks), default=0))
    across = (WIDTH - _LEFT - _RIGHT) / max(1, len(stacks))
    marks: list[str] = [_level(top, share) for share in (0, 0.5, 1)]
    for number, (at, stack) in enumerate(zip(starts, stacks, strict=True)):
        last = days[min(at + step, len(days)) - 1]
        name = days[at] if step == 1 else f"{days[at]} to {last}"
        marks.append(_stack(name, stack, layers, top, _LEFT + number * across, across))
    marks += _day_names([days[at] for at in starts], across)
    return tag("svg", *marks, viewBox=f"0 0 {WIDTH} {_BARS + 44}", role="img", aria_label=label)


def timeline(span: Span, episodes: Sequence[Episode], utc_offset_s: int) -> Markup:
    """Return when which circuit was open: a line for each, those open longest first."""
    lines: dict[tuple[str, str], list[Episode]] = {}
    for episode in episodes:
        lines.setdefault((episode.host, episode.scope), []).append(episode)
    longest = sorted(lines.items(), key=lambda item: -sum(it.denying_s for it in item[1]))
    shown = longest[:MOST_ROWS]
    left = 300
    scale = (WIDTH - left - _RIGHT) / span.seconds
    marks: list[str] = []
    for number, ((host, _), found) in enumerate(shown):
        y = _TOP + number * _ROW
        name = f"{host} / {place(found[0])}"
        cut = name if len(name) <= 44 else name[:43] + "…"
        marks.append(tag("text", cut, x=left - 8, y=y + 13, class_="name"))
        marks.append(tag("line", x1=left, x2=WIDTH - _RIGHT, y1=y + 9, y2=y + 9, class_="grid"))
        for it in found:
            begin = max(it.opened, span.since)
            end = span.until if it.ended is None else it.ended
            said = f"{when(it.opened, utc_offset_s)}: open for {span_of(it.denying_s)}"
            marks.append(
                tag(
                    "rect",
                    tag("title", f"{name} · {said} · {it.why}"),
                    x=left + (begin - span.since) * scale,
                    y=y + 3,
                    width=max(2.5, (end - begin) * scale),
                    height=12,
                    rx=2,
                    class_="forced" if it.by else "open",
                )
            )
    bottom = _TOP + len(shown) * _ROW
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = left + share * (WIDTH - left - _RIGHT)
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        at = when(span.since + share * span.seconds, utc_offset_s)[5:16]
        marks.append(tag("text", at, x=x, y=bottom + 14, class_="tick", text_anchor=anchor))
    return tag(
        "svg",
        *marks,
        viewBox=f"0 0 {WIDTH} {bottom + 22}",
        role="img",
        aria_label="when each circuit was open",
    )


def shares(counts: Sequence[tuple[str, int]], label: str) -> Markup:
    """Return lying bars, one for each word, the most first."""
    most = max((number for _, number in counts), default=0)
    left, right = 150, 90
    marks: list[str] = []
    for number, (word, count) in enumerate(counts[:MOST_ROWS]):
        y = number * _ROW
        width = max(1.0, (WIDTH / 2 - left - right) * count / most) if most else 0
        marks.append(tag("text", word[:22], x=left - 8, y=y + 15, class_="name"))
        marks.append(tag("rect", x=left, y=y + 4, width=width, height=14, rx=2, class_="denied"))
        marks.append(tag("text", f"{count:,}", x=left + width + 6, y=y + 15, class_="value"))
    height = max(1, min(len(counts), MOST_ROWS)) * _ROW + 4
    return tag("svg", *marks, viewBox=f"0 0 {WIDTH // 2} {height}", role="img", aria_label=label)


def legend(layers: Sequence[Layer]) -> Markup:
    """Return what the colours of the bars mean, without those that do not occur."""
    items = [
        tag("li", tag("span", class_=f"key {layer.style}"), f"{layer.word} ({sum(layer.values):,})")
        for layer in layers
        if any(layer.values)
    ]
    return tag("ul", *items, class_="legend") if items else Markup("")


def nice(most: int) -> int:
    """Return an end of the scale that halves well and is not under `most`.

    >>> [nice(n) for n in (0, 1, 3, 7, 23, 101, 999)]
    [2, 2, 4, 10, 40, 200, 1000]
    """
    size = 1
    while True:
        for step in (2, 4, 6, 10):
            if most <= step * size:
                return step * size
        size *= 10


def _stack(
    name: str, stack: Sequence[int], layers: Sequence[Layer], top: int, x: float, across: float
) -> Markup:
    said = ", ".join(
        f"{count:,} {layer.word}" for count, layer in zip(stack, layers, strict=True) if count
    )
    y = float(_TOP + _BARS)
    parts: list[str] = []
    gap = min(3.0, across * 0.2)
    for count, layer in zip(stack, layers, strict=True):
        height = _BARS * count / top
        y -= height
        if count:
            parts.append(
                tag(
                    "rect",
                    x=x + gap / 2,
                    y=y,
                    width=min(across - gap, 48),
                    height=height,
                    class_=layer.style,
                )
            )
    return tag("g", tag("title", f"{name}: {said or 'nothing'}"), joined(*parts))


def _level(top: int, share: float) -> Markup:
    y = _TOP + _BARS * (1 - share)
    return joined(
        tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid"),
        tag("text", f"{int(top * share):,}", x=_LEFT - 8, y=y + 4, class_="name"),
    )


def _day_names(days: Sequence[str], across: float) -> list[Markup]:
    every = max(1, -(-64 // int(max(across, 1))))
    return [
        tag(
            "text",
            day[5:],
            x=_LEFT + number * across + min(across, 48) / 2,
            y=_TOP + _BARS + 18,
            class_="tick",
            text_anchor="middle",
        )
        for number, day in enumerate(days)
        if number % every == 0
    ]
