"""What docs/trust.md says around its figures."""

TITLE = "# Can the verdicts be trusted?"
INTRODUCTION = """\
Every figure on this page was measured by simulation: both samples are drawn afresh, the tests of
Drift Monitor measure them as they would in a check, and what they say is counted. Where nothing
drifts, what they say is a false alarm; where something drifts by a known amount, it is power.
`make bench-trust` makes the figures again and `benchmarks/trust/results.json` keeps them; nobody
edits this page by hand, and a test compares the two.

A rate of false alarms **fails** when even its lower 99.9 % bound exceeds 1.5 times the nominal
level (2 times where rows depend on one another); a classical p-value also fails when its upper
bound lies below half the nominal level, unless the test declares itself conservative. With hundreds
of figures on a page a few lie at the edge by chance; the bound keeps those from being called
failures.

What this page cannot show: data are as varied as the world, and a simulation only has the laws it
was given. Where the tables stop, so does the proof."""

REPLICATES = """\
How many replicates stand behind a figure is in its table. 20 000 is the aim. A test that permutes,
solves for eigenvalues or counts paths costs milliseconds a window, and such figures got as many of
500, 1 000, 2 000, 5 000, 10 000 or 20 000 as its run allowed (its cap stands at the end of this
page; `make bench-trust` allows 4 s of one core), 500 at least; a test of more than {costly:g} ms a
window is measured at windows of {windows} rows against 5 000 only. All tests of one draw see the
same rows, and all windows of one replicate share a reference, so neighbouring figures err together;
each by itself is as good as its replicates."""

READING = {
    "null": """\
The classical p-value asks whether anything changed at all; where nothing did, it must be at most
1 % in about 1 % of windows and at most 5 % in about 5 %. Ties and few rows make some tests say so
less often than that, and those declare it (*conservative*).""",
    "tolerance": """\
The tolerance p-value asks whether a change is larger than tolerated; the hardest case is a change
that is exactly as large as tolerated, and there it must be at most 1 % in at most 1 % of windows.
The change is solved for each test by its own definition of an effect on the whole population; in
windows of 50 rows cells that expect too few rows are merged, which hides part of a change of
numbers, so those figures lie low. A change that no size of this kind can bring to the tolerance has
no row (a scale leaves the middle where it was; an emptied cell moves a tenth of rows at most).""",
    "defaults": """\
Fifty correlated columns (30 of numbers, 20 of levels, any two correlated by 0.5) without any drift,
through the whole comparison with its defaults. Beside it Evidently {evidently} with its own
defaults on rows drawn the same way, told which columns are numbers: fewer replicates, since one
such check takes seconds, and its reference has 5 000 rows only.""",
    "power": """\
How large a shift of a normal column must be, in PSI of the whole population, to be seen in 80 % of
windows; the reference has 20 000 rows. A fixed rule sees smaller drift because it also cries wolf:
its alarms without any drift, and at a PSI of 0.1 that is tolerated, stand beside it, and with its
cut moved to 1 % alarms at that PSI it sees what is left.""",
    "flip": """\
Two columns correlated by 0.5 whose correlation turns to −0.5 while neither of them moves alone: the
share of windows in which the dataset test says so, and in which a test of columns does.""",
    "series-null": """\
As table (a), with rows that depend on one another: each row follows the one before by φ (AR(1)), or
the level of a day turns with the week by so many standard deviations. Calibration is on and learns
from the windows of the reference alone; claimed is at most 2 × nominal up to φ = 0.8, and 0.9 is
measured. In a full run the default tests get 5 000 replicates, since every one draws weeks of rows
and measures how they vary, and the others 500; those that permute or solve for eigenvalues are
measured with 28 windows of 200 rows only.""",
    "series-tolerance": """\
As table (b) on the same data: a shift, and a scale, of exactly what is tolerated against a day of
the same kind, with as many replicates.""",
    "budget": """\
A budget of one false alarm in 90 daily checks of 30 columns, over years in which nothing drifts:
the mean number of false episodes a year with its upper 99 % bound must stay within the budget, with
exact uniform p-values, the hardest a valid test can give (as the classical p), and with the
tolerance p. Below, how many checks pass until a drift of one column is told.""",
}

EDGES_READING = """\
**Not claimed: values at the edge of a cell.** The laws above have their zeros and ties off the
edges of cells; these were moved there after a first run in which the two below had rates far above
nominal. Here 40 % of rows are zero, exactly a decile, or ties stand where a tenth of rows decides
whether two values share a cell. Some references then get a cell that others do not, in which the
same change is larger than tolerated, and the tests say so; the proof is about the cells of the
reference at hand, not about the population behind it. Such a column drifts by less than tolerated
and is called drifted, again and again, until its reference is replaced."""

HEADINGS = {
    "null": "## (a) No change: classical p-values",
    "tolerance": "## (b) A change of exactly what is tolerated",
    "defaults": "## (c) The defaults where nothing drifts",
    "power": "## (d) What is seen",
    "flip": "### A correlation that turns round",
    "series-null": "## (e) No change, rows that depend on one another",
    "series-tolerance": "## (f) A tolerated change, rows that depend on one another",
    "budget": "## (g) The alarm budget",
}
