"""The frozen picture of the training data: built once, versioned, never replaced in silence."""

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.core import feed
from monitor.core.columns import Floats, Kind
from monitor.core.comparison import Plan, kind_of
from monitor.core.frozen import are_frozen
from monitor.core.over_time.calibration import Calibration
from monitor.core.over_time.phases import Cadence, past_windows, windows_of
from monitor.core.records import ReferenceInfo, Window
from monitor.core.side_by_side import are_held
from monitor.core.summaries.kept import Summaries
from monitor.errors import AskedWrongly, CouldNotLook, ReferenceChanged, nearest
from monitor.ports import Clock, Sample, Snapshots, Source, StoredReference

if TYPE_CHECKING:
    from monitor.archive import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A frozen version together with its rows, and what was worked out of them so far."""

    stored: StoredReference
    sample: Sample
    summaries: Summaries = field(default_factory=Summaries)
    calibrations: dict[Cadence, Calibration] = field(default_factory=dict)

    @property
    def info(self) -> ReferenceInfo:
        return ReferenceInfo(self.stored.version, self.stored.rows)

    @property
    def kinds(self) -> dict[str, Kind]:
        return {name: Kind(kind) for name, kind in self.stored.kinds.items()}

    def calibration(self, cadence: Cadence) -> Calibration | None:
        """How much windows of the reference vary; None when its rows tell no time."""
        times = self.sample.times
        if times is None:
            return None
        if cadence not in self.calibrations:
            past = past_windows(times, windows_of(times, cadence), cadence)
            self.calibrations[cadence] = Calibration(past)
        return self.calibrations[cadence]


@dataclass(frozen=True, slots=True)
class ReferenceMaker:
    """What a monitor's reference is made of: a file of its own, or a range of production."""

    monitor: str
    source: Source
    location: str  # for people: the configured path or table
    window: Window | None  # the range of production; None for a file
    kinds: Mapping[str, Kind]  # as configured; these win over what the values say
    snapshots: Snapshots
    times: Callable[[Sample], Floats | None]  # of the rows, by the time column of production
    elsewhere: Callable[[str], Source]  # the same kind of dataset in another place

    def build(self, store: "Store", clock: Clock) -> Reference:
        """Read the rows, decide the kinds, freeze both as the current version."""
        sample = self._read()
        tell_uneven(sample, f"the reference of {self.monitor}")
        version, path = self._keep(sample)
        picture = self._picture(sample, version, path, clock)
        reference = self._frozen(picture, sample, self.kinds)
        store.add_reference(reference.stored)
        return reference

    def _preview(self, clock: Clock) -> Reference:
        """What `build` would freeze, frozen nowhere."""
        sample = self._read()
        picture = self._picture(sample, "unfrozen", self.location, clock)
        return self._frozen(picture, sample, self.kinds, write=False)

    def load(
        self, store: "Store", clock: Clock, kept: Reference | None = None, *, write: bool = True
    ) -> Reference:
        """The current version with its rows; built on first use. Rows of `kept` are not read again.

        With `write` False nothing is stored or written, whatever is missing.
        Raises ReferenceChanged when the file is not the one that was frozen: never silently. A
        version that was promoted holds until other data are configured than at that time.
        """
        stored = store.current_reference(self.monitor)
        if stored is None:
            return self.build(store, clock) if write else self._preview(clock)
        source = self._configured(stored)
        read: Callable[[], Sample] = source.read if source else self._promoted(stored, store)
        if kept is not None and kept.stored == stored:
            return kept
        known = self.snapshots.frozen(stored, lambda name: read().columns[name])
        if known is not None:
            return Reference(stored, self._with_times(known))
        kinds = {name: Kind(kind) for name, kind in stored.kinds.items()}
        return self._frozen(stored, read(), {**kinds, **self.kinds}, write=write)

    def _configured(self, stored: StoredReference) -> Source | None:
        """Where the rows of a version are, if it is the one that is configured."""
        if self.window is None:
            return self.source if self.source.fingerprint() == stored.version else None
        if stored.origin != self._origin():
            return None
        source = self.snapshots.source(stored.path)
        return source if source.fingerprint() == stored.version else None

    def _promoted(self, stored: StoredReference, store: "Store") -> Callable[[], Sample]:
        """What reads the rows of a version that was promoted over the one that is configured."""
        known = {r.version: r for r in store.list_references(self.monitor)}
        over = known.get(stored.configured_version)
        if over is not None and self._configured(over) is not None:
            return self.rows_of(stored)
        found = stored.version if self.window else self.source.fingerprint()
        raise ReferenceChanged(
            f"the reference of {self.monitor} is not the one that was frozen on "
            f"{stored.built_at:%Y-%m-%d}: {stored.origin} was {_short(stored.version)}, "
            f"now {self._origin()} is {_short(found)}",
            hint=f"`monitor reference build {self.monitor}` accepts it as a new version",
        )

    def rows_of(self, stored: StoredReference) -> Callable[[], Sample]:
        """What reads the rows of any version; AskedWrongly when they are kept nowhere any more.

        Where their frozen picture is all that is left, that is said to who reads them after all.
        """
        source = self.elsewhere(stored.path)

        def read() -> Sample:
            self._refuse_others(source, stored)
            return source.read()

        try:
            self._refuse_others(source, stored)
        except AskedWrongly:
            if self.snapshots.frozen(stored, lambda name: read().columns[name]) is None:
                raise
        return read

    def _refuse_others(self, source: Source, stored: StoredReference) -> None:
        """AskedWrongly where the rows are not those of a version."""
        try:
            if source.fingerprint() == stored.version:
                return
            why = f"{stored.path} holds other data now"
        except (AskedWrongly, CouldNotLook) as error:
            why = str(error)
        raise AskedWrongly(
            f"reference {_short(stored.version)} of {self.monitor} cannot be held against: its "
            f"rows were those of {stored.origin}, and {why}",
            hint=f"put them back there, or configure where they are and run `monitor reference "
            f"build {self.monitor}`",
        )

    def _read(self) -> Sample:
        sample = self.source.read(self.window)
        if not sample.info.rows:
            raise AskedWrongly(
                f"the reference of {self.monitor} has no rows: {self.location}",
                hint="a reference needs the rows the model was trained on",
            )
        return self._with_times(sample)

    def _with_times(self, sample: Sample) -> Sample:
        """A snapshot, or a file of which no time column is configured, may tell times as well."""
        return sample if sample.times is not None else replace(sample, times=self.times(sample))

    def _picture(self, sample: Sample, version: str, path: str, clock: Clock) -> StoredReference:
        plan = Plan({}, kinds=self.kinds)
        decided = {name: kind_of(column, plan)[0] for name, column in sample.columns.items()}
        return StoredReference(
            monitor=self.monitor,
            version=version,
            rows=sample.info.rows,
            path=path,
            kinds={name: str(kind) for name, kind in decided.items()},
            dtypes={name: column.dtype for name, column in sample.columns.items()},
            built_at=clock(),
            origin=self._origin(),
        )

    def _frozen(
        self,
        stored: StoredReference,
        sample: Sample,
        kinds: Mapping[str, Kind],
        *,
        write: bool = True,
    ) -> Reference:
        """The reference as checks use it: rows that are too many to hold are frozen first."""
        if are_held(sample.columns) or are_frozen(sample.columns):
            return Reference(stored, self._with_times(sample))
        found = self.snapshots.freeze(stored, sample, Plan({}, kinds=kinds), keep=write)
        found_kinds = {name: str(column.kind) for name, column in found.columns.items()}
        return Reference(replace(stored, kinds=found_kinds), self._with_times(found))

    def _keep(self, sample: Sample) -> tuple[str, str]:
        """Version and location: the file's own, or a snapshot of the range."""
        if self.window is None:
            return self.source.fingerprint(), self.location
        path = self.snapshots.write(self.monitor, sample)
        return self.snapshots.source(path).fingerprint(), path

    def _origin(self) -> str:
        if self.window is None:
            return self.location
        return (
            f"{self.location} from {self.window.start.isoformat()} to {self.window.end.isoformat()}"
        )


def tell_uneven(sample: Sample, whose: str) -> None:
    """Log which columns only some files of a reference have, once, when it is built."""
    for notice in feed.uneven(sample.layouts, f"{whose}: "):
        log.warning("%s", notice.text)


def version_as_asked(version: str, plan: Plan) -> str:
    """The version of data of which columns and kinds were asked for: that of the data without any.

    The same rows seen as other kinds are another reference.
    """
    asked = {name: str(kind) for name, kind in sorted(plan.kinds.items())}
    if not (asked or plan.only or plan.exclude):
        return version
    told = json.dumps([version, asked, sorted(plan.only), sorted(plan.exclude)])
    return f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"


def content_version(sample: Sample) -> str:
    """`sha256:...` over the values of a sample that has no file."""
    digest = hashlib.sha256()
    for name, stream in sample.columns.items():
        digest.update(f"{name}\x1f{stream.dtype}\x1f".encode())
        for column in stream.pieces():
            digest.update(f"{column.missing}\x1f".encode())
            for part in (column.numbers, column.codes):
                if part is not None:
                    digest.update(part.tobytes())
            digest.update("\x1f".join(column.levels).encode())
    return f"sha256:{digest.hexdigest()}"


def require_columns(reference: Reference, named: Mapping[str, str]) -> None:
    """AskedWrongly when configuration speaks of columns the reference does not have.

    `named` says of each column in which section it is spoken of.
    """
    known = reference.stored.kinds
    unknown = {name: section for name, section in named.items() if name not in known}
    if unknown:
        error = no_such_columns(unknown, known)
        raise AskedWrongly(f"monitor {reference.stored.monitor}: {error}", hint=error.hint)


def no_such_columns(unknown: Mapping[str, str], known: Collection[str]) -> AskedWrongly:
    """What to say of columns, and the sections that speak of them, that a reference lacks."""
    told = ", ".join(f"{name!r} ({section})" for name, section in unknown.items())
    near = {name: nearest(name, known) for name in unknown}
    meant = ", ".join(f"{other!r} for {name!r}" for name, other in near.items() if other)
    return AskedWrongly(
        f"the reference has no column {told}; there are: {', '.join(known)}",
        hint=f"did you mean {meant}?" if meant else "",
    )


def _short(version: str) -> str:
    return version[: len("sha256:") + 12]
