"""The rules and choices that change verdicts, in plain words: what each does and what it costs."""

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    "tolerance": "The default. Two questions, never mixed: did anything change (p_value), and is "
    "the change larger than what is tolerated (p_tolerance)? A column is drifted only when the "
    "data prove the second at the level alpha; it is watch when something changed within the "
    "tolerance, and undecided when an effect of must_see could have gone unseen on so few rows. "
    "Columns are judged together by weighted Benjamini-Hochberg, so many columns do not cry wolf.",
    "p_value": "Classical: drifted when the p-value of any chosen test is at most this number. "
    "With many rows every small change fires; with many columns chance alone does.",
    "threshold": "Classical: drifted when the statistic of a chosen test is above this number, "
    "however few rows stand behind it.",
    "false_alarms": "An alarm budget over time, like 1 per 90d, in place of alpha for opening "
    "drift episodes. Every check adds to the evidence each column has gathered, M = max(M before, "
    "1) times 1/2 p_tolerance^(-1/2); the alarm is raised when the mean of M over the columns, "
    "weighted by importance, reaches the number of checks that shall pass between two false "
    "alarms, which they then do on average at least (an e-detector: Shin, Ramdas & Rinaldo, arXiv "
    "2203.03532). A large drift is seen at once; a small one that lasts adds up, though no single "
    "window proves it; what one window alone shows is watch. Segments and tests of the whole "
    "dataset gather no evidence: each of the two has a quarter of the budget, window by window. "
    "The alarm ends when the evidence is down to the square root of that number, and evidence "
    "begins again from 1, as it does with a new reference or another tolerance. Broken data and "
    "windows with too few rows leave it as it is. A column marked critical still answers for "
    "itself, at the level alpha and outside the budget.",
    "calibrate": "Rows of one day are often alike, so windows differ by more than independent rows "
    "would. By default the reference is cut into windows like the one that is checked, and in each "
    "column rows count for as many times fewer as these windows vary more; where phases such as "
    "weekdays differ, a Monday is held against the Mondays. It costs power, since a change must "
    "stand out from what is usual, and it takes a reference with times that holds 20 such windows; "
    "with fewer a note says so and rows count as independent. Written false, rows always count as "
    "independent, and on data that vary from window to window that raises false alarms.",
    "compare_with": "What a window is held against: the reference (the default), the window before "
    "it (previous), the same hours one week earlier (same_hour_last_week) or the same period one "
    "year earlier (same_period_last_year). An earlier window of production asks what is new since "
    "then, not whether the model still meets what it was trained on: with previous a slow drift "
    "goes unseen, and a sudden one that lasts alarms once. That window has fewer rows than the "
    "reference and varies too, so smaller changes go unseen; where it holds no rows the check is "
    "undecided.",
    "segments": "Columns by whose values both sides are cut, so that every other column is "
    "compared once more within each level, or each quarter of the numbers. A drift of a small part "
    "of the rows, which the whole hides, is then seen and named. It costs half of alpha: all "
    "columns of the whole are judged at one half, all segments together at the other, so a drift "
    "of the whole must be a little clearer. A segment has few rows and is undecided more often "
    "than the whole; classical rules are applied in every segment as they are written.",
    "importance": "How much a column counts among the others, 1 by default and 2 for what the "
    "model says; written beside the column, or for many in a file that drift.importance names. "
    "Only the ratios matter: a column of weight 2 may show half the evidence, and what it gains "
    "the others pay for, since the false-alarm rate of all together stays at alpha. It weighs in "
    "the order of causes, too. Written domain_classifier, that test of all columns together is run "
    "and judged with the rest, and the columns by which it tells both sides apart are told first; "
    "this order is learnt from the window itself and so weighs in no verdict.",
}
