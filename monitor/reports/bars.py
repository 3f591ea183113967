"""Small measures as inline SVG: an effect against its threshold, a share, a range, a past."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from monitor.core import numerals
from monitor.core.records import Finding
from monitor.reports import words

_THRESHOLD_AT = 40.0  # per cent of the width: the same place in every bar, so that rows compare


def effect_bar(finding: Finding) -> Markup:
    """The effect as a bar whose unit is the threshold; beyond 2.5 thresholds it is cut off.

    A full line is the threshold, the filled mark the tolerance, the hollow one the smallest
    effect that such a window would show.
    """
    unit = first_positive(finding.threshold, finding.tolerance, finding.minimum_detectable)
    effect = finding.effect if finding.effect is not None else finding.statistic
    if unit is None:
        return Markup("")
    parts = ['<line class="axis" x2="100%" y1="50%" y2="50%"/>']
    if effect is not None and math.isfinite(effect):
        width = _place(abs(effect), unit)
        over = " over" if width >= 100 else ""
        parts.append(f'<rect class="fill{over}" y="34%" height="32%" width="{width:.3g}%"/>')
        parts.append(_whisker(finding.effect_low, finding.effect_high, unit))
        if over:
            parts.append('<svg x="100%"><path class="cut" d="M-9 2l-4 18m8-18l-4 18"/></svg>')
    if first_positive(finding.threshold):
        parts.append(f'<line class="limit" x1="{_THRESHOLD_AT}%" x2="{_THRESHOLD_AT}%" y2="100%"/>')
    parts.append(_mark("tol", finding.tolerance, unit, "M0 7l-4-7h8z"))
    parts.append(_mark("mde", finding.minimum_detectable, unit, "M0 15l-4 6.5h8z"))
    return Markup(f'<svg class="eff">{"".join(parts)}</svg>')


def first_positive(*values: float | None) -> float | None:
    """The first of some numbers that can serve as a unit."""
    return next((v for v in values if v is not None and 0 < v < math.inf), None)


def _place(value: float, unit: float) -> float:
    return min(_THRESHOLD_AT * value / unit, 100.0)


def _whisker(low: float | None, high: float | None, unit: float) -> str:
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    x1, x2 = _place(max(low, 0.0), unit), _place(max(high, 0.0), unit)
    if x1 >= 100 or x2 <= x1:
        return ""
    return f'<line class="ci" x1="{x1:.3g}%" x2="{x2:.3g}%" y1="50%" y2="50%"/>'


def _mark(style: str, value: float | None, unit: float, path: str) -> str:
    if first_positive(value) is None:
        return ""
    return f'<svg x="{_place(value or 0.0, unit):.3g}%"><path class="{style}" d="{path}"/></svg>'


def sparkline(values: Sequence[float | None], *, line_at: float | None = 1.0) -> Markup:
    """Past values oldest first, this check last and dotted; gaps where nothing was measured."""
    finite = [v if v is not None and math.isfinite(v) else None for v in values]
    known = [v for v in finite if v is not None]
    if len(known) < 2:
        return Markup("")
    top = 1.1 * max([*known, line_at or 0.0, 1e-12])
    rule = ""
    if line_at is not None:
        y = f"{_depth(line_at, top):.3g}"
        rule = f'<line class="limit" x2="100" y1="{y}" y2="{y}"/>'
    dot = ""
    if finite[-1] is not None:
        dot = f'<circle class="dot" cx="98%" cy="{_depth(finite[-1], top):.3g}%"/>'
    return Markup(
        f'<svg class="spark"><svg viewBox="0 0 100 100" preserveAspectRatio="none">{rule}'
        f'<path d="{_curve(finite, top)}"/></svg>{dot}</svg>'
    )


def _curve(values: Sequence[float | None], top: float) -> str:
    step = 96 / (len(values) - 1)
    path, pen = "", "M"
    for i, value in enumerate(values):
        if value is not None:
            path += f"{pen}{2 + i * step:.3g} {_depth(value, top):.3g}"
        pen = "M" if value is None else "L"
    return path


def _depth(value: float, top: float) -> float:
    return 95 - 90 * max(value, 0.0) / top


def share_bar(share: float) -> Markup:
    """A share of all rows, on an axis from none to all of them."""
    width = 100 * min(max(share, 0.0), 1.0)
    return Markup(
        '<svg class="rng"><rect class="ref" y="20%" height="26%" width="100%"/>'
        f'<rect class="fill" y="20%" height="26%" width="{max(width, 0.6):.3g}%"/>'
        '<text y="92%">no rows</text><text class="end" x="100%" y="92%">all rows</text></svg>'
    )


def range_line(observed: float, low: float | None, high: float | None, unit: str = "") -> Markup:
    """Where an observed value lies against the range that was expected."""
    ends = [value for value in (low, high, observed) if value is not None]
    if not all(map(math.isfinite, ends)) or min(ends) == max(ends):
        return Markup("")
    width = max(ends) - min(ends)
    if not math.isfinite(width):
        return Markup("")
    start, stop = min(ends) - 0.15 * width, max(ends) + 0.15 * width
    x1 = 0.0 if low is None else 100 * (low - start) / (stop - start)
    x2 = 100.0 if high is None else 100 * (high - start) / (stop - start)
    x, middle = 100 * (observed - start) / (stop - start), (x1 + x2) / 2
    wanted = words.wanted({"min_value": low, "max_value": high}, named=True)
    found = f"found {numerals.number(observed)}{unit}"
    return Markup(
        f'<svg class="rng"><line class="axis" x2="100%" y1="50%" y2="50%"/>'
        f'<rect class="ref" x="{x1:.3g}%" width="{max(x2 - x1, 0):.3g}%" y="38%" height="24%"/>'
        f'<line class="seen" x1="{x:.3g}%" x2="{x:.3g}%" y1="30%" y2="70%"/>'
        f'<text x="{x:.3g}%" y="22%" class="{_side(x)} tnow">{found}</text>'
        f'<text x="{middle:.3g}%" y="94%" class="{_side(middle)} tref">'
        f"expected {wanted}{unit}</text></svg>"
    )


def _side(x: float) -> str:
    return "end" if x > 66 else "mid" if x > 33 else ""
