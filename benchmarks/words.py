"""What docs/performance.md says around its tables."""

TITLE = "# How fast is it?"

INTRODUCTION = """\
What a comparison takes, from the start of the process to its result: beside the least that any
exact comparison must do, and beside other libraries on the same files. `make bench` measures it
again, `benchmarks/results.json` keeps the figures, this page is drawn from them alone, and a test
compares the two. What was not measured does not stand here."""

READING = """\
**What was measured.** Every run is a process of its own, with its start, its imports and the
reading of both Parquet files in it. Wall time is that of the process; processor time and peak
memory are what the operating system counted for it. Contenders take turns (A B C, A B C), so that
a slow minute of the machine meets all of them. A round that is not counted comes first; only peers
on the larger workloads, which take minutes, go without. Shown are medians; a ratio is the median of
ratios of two runs in the same round, and is the steadier figure: seconds depend on the machine.

**The floor** is a process that reads every column but `id` of both files with pyarrow on two
threads, text as dictionaries, and sorts every column of numbers in place with numpy, and nothing
else. It decides nothing and draws nothing; an exact comparison by ranks can hardly take less.

**The files** are made by `benchmarks/workload.py`, the same in every place: 70 % of the columns are
decimal numbers (normal, lognormal, with many zeros; 2 % missing), 15 % whole numbers, 15 % text of
5 to 5 000 levels and one `id` that differs in nearly every row. A third of the columns has
drifted.

**Ours** is `monitor compare REFERENCE CURRENT --exclude id --json … --html …` with its defaults:
every column tested, the correlations of all columns together, the report drawn. In the line with
the id nothing is excluded."""

HEADINGS = {
    "W1": "## W1: 100 000 rows a side, 30 columns",
    "W2": "## W2: 1 000 000 rows a side, 50 columns",
    "W3": "## W3: 10 000 000 rows a side, 20 columns",
    "W4": "## W4: 50 000 rows a side, 1 000 columns",
}

NAMES = {
    "floor": "the floor",
    "monitor": "`monitor compare`",
    "monitor-with-id": "`monitor compare`, with the id",
    "monitor-frozen": "`monitor compare`, frozen reference",
    "bare": "an interpreter that does nothing",
    "help": "`monitor --help`",
}

START = """\
## Starting

What the command line takes before it does anything."""

REPORTS = """\
## The report alone

Drawing the page of a finished comparison of 20 000 rows a side, in a process that has drawn
before."""

PEERS_TEXT = """\
## The peers

Each is installed in an environment of its own from `benchmarks/peers/NAME/requirements.txt`, with
the Python that runs the benchmarks. `run.py` beside it reads both Parquet files without `id` and
does what its documentation shows first, on the defaults unless the table says otherwise. Reports of
use over the network, which some of them send, are switched off."""

NOT_CLAIMED = """\
## What is not claimed

- That the results are the same. The libraries ask different questions, by different tests, some of
  them from sketches, histograms or a sample; the table says which. A quicker answer to a smaller
  question is no fault, and a slower one may say more.
- That the peers could not be quicker: an expert of each may know settings that are. Told of one, we
  measure it.
- That seconds carry over to another machine, another file format, other shapes of data or a
  database. Ratios carry over better, not perfectly.
- That a whole process is what you pay: in a service or a notebook, start and imports are paid
  once. They weigh the more, the smaller the data are.
- Peak memory is that of the largest process of a run, and includes what the libraries themselves
  take to load."""

HOW = """\
## How it was run, and how to run it again

`make bench` runs the floor and ours on W1, W2 and W4, the start and the reports, and writes this
page. `make bench ARGS="--peers"` runs the peers on W1 and W2, too, and makes their environments
when they are missing; `ARGS="--workloads W3"` runs one workload, `--only evidently` one contender
with what its ratios need, `--rounds N` more rounds. Figures of what is not run stay as they are.
Everything is kept below `.cache/bench`.

`make bench-guard` is the short check for every change: ours beside the floor on 200 000 rows of 20
columns, against the ratio in `benchmarks/guard.json`.

What each figure was measured with:"""
