"""What a test of the whole dataset is: what it declares, and how it becomes a finding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.core.drift_socket import Bounds, Evidence, Rule, Spec, bounds_of, finding_of
from monitor.core.records import Finding, Verdict
from monitor.core.table import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(Spec):
    """A test of the whole dataset: no guard, for it looks at what it was asked to look at."""

    default: bool = False
    guard: bool = field(default=False, init=False)
    decides: bool = field(default=True, init=False)


class DatasetTest(Protocol):
    """One file in `core/dataset_drift/`: a spec, and a pure function of the rows of both sides."""

    SPEC: DatasetSpec

    def measure(self, rows: Rows, bounds: Bounds) -> Evidence | None:
        """Evidence on the table; None when the test has nothing to say about it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding on the whole dataset, and how much each column has to do with it."""

    finding: Finding
    by_column: Mapping[str, float] = field(default_factory=dict)


def find_in_table(name: str, test: DatasetTest, rows: Rows, rule: Rule) -> Found | None:
    """Run one test on the table and apply the rule; what breaks in it is told and ends nothing."""
    try:
        evidence = test.measure(rows, bounds_of(name, test.SPEC, rule))
    except Exception as error:
        reason = f"{test.SPEC.title} could not be measured ({type(error).__name__}: {error})"
        broken = Finding(name, Verdict.UNDECIDED, reason[:300], tolerance=test.SPEC.tolerance)
        return Found(broken)
    if evidence is None:
        return None
    finding = finding_of(name, test.SPEC, evidence, rule, rows.sizes)
    return Found(finding, evidence.by_column)
