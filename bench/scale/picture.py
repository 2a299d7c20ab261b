"""The figures of `bench/scale` as a picture: CPU per verification over the number of keys."""

from __future__ import annotations

from typing import Any, Final

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 720, 300, 64, 48, 44, 24
# Readable on a light and on a dark page.
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#6b7280}.title{font-size:15px;font-weight:600}"
    ".ours{stroke:#2f6f5e;fill:#2f6f5e}.bare{stroke:#9aa0a6;fill:#9aa0a6}.grid{stroke:#9aa0a6;stroke-opacity:.3}"
    "@media(prefers-color-scheme:dark){text{fill:#b6bcc4}.ours{stroke:#7cc4ae;fill:#7cc4ae}}"
)


def drawn(results: list[dict[str, Any]], database: str) -> str:
    """An SVG document: one line for a verification and one for a function that does nothing, on one axis from zero."""
    most = max(each["cpu"] for each in results) * 1.25
    step = 20 if most > 60 else 10
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(number: int) -> float:
        return _LEFT + inner_width * (number / max(1, len(results) - 1))

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / most)

    title = f"CPU per verification, in microseconds, by the number of keys ({database})"
    parts = [f'<text class="title" x="{_LEFT}" y="24">{title}</text>']
    for value in range(0, int(most) + 1, step):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 10}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for number, each in enumerate(results):
        anchor = "start" if number == 0 else "end" if number == len(results) - 1 else "middle"
        parts.append(f'<text x="{x(number):.1f}" y="{_HEIGHT - 18}" text-anchor="{anchor}">{each["keys"]:,}</text>')
    for name, kind, label in (("cpu", "ours", "/v1/forward-auth"), ("floor", "bare", "a function that does nothing")):
        points = " ".join(f"{x(number):.1f},{y(each[name]):.1f}" for number, each in enumerate(results))
        parts.append(f'<polyline class="{kind}" points="{points}" style="fill:none" stroke-width="2.5"/>')
        for number, each in enumerate(results):
            parts.append(f'<circle class="{kind}" cx="{x(number):.1f}" cy="{y(each[name]):.1f}" r="4"/>')
        parts.append(f'<text x="{_LEFT + 12}" y="{y(results[0][name]) - 12:.1f}">{label}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f"<style>{_STYLE}</style>{''.join(parts)}</svg>\n"
    )
