"""The tables of Li et al. 2022 (MEACI-Net)."""

from __future__ import annotations

from edgecvar.nets.papers.paper import Paper, Table

PAPER = Paper(
    "Li et al. 2022",
    (
        Table(
            "table 1, cost, and parameters of table 3",
            "meaci",
            ("edgecvar models meaci",),
            "the text's layers do not have the printed figures: `edgecvar models` has each difference",
        ),
        Table(
            "table 1, 3 clips",
            "meaci",
            ("edgecvar ablate kinetics400/meaci", "edgecvar ablate hmdb51/meaci", "edgecvar ablate ucf101/meaci"),
            "71.5, 74.4 and 96.4 %",
        ),
        Table(
            "table 1, 1 clip",
            "meaci",
            (
                "edgecvar ablate kinetics400/meaci test.clips=1",
                "edgecvar ablate hmdb51/meaci test.clips=1",
                "edgecvar ablate ucf101/meaci test.clips=1",
            ),
            "70.4, 74.0 and 96.1 %; `edgecvar eval RUN --set test.clips=1` tests the runs above so",
        ),
        Table(
            "table 2",
            "meaci",
            ("edgecvar ablate hmdb51/meaci-table2", "edgecvar ablate ucf101/meaci-table2"),
            "each stream alone starts from its part of the full model's Kinetics-400 run",
        ),
        Table(
            "table 3",
            "meaci",
            ("edgecvar ablate hmdb51/meaci-table3", "edgecvar ablate ucf101/meaci-table3"),
            "all rows start from ImageNet",
        ),
        Table(
            "table 4",
            "meaci",
            ("edgecvar ablate hmdb51/meaci-table4", "edgecvar ablate ucf101/meaci-table4"),
            "all rows start from the full model's Kinetics-400 run; what B2+LA's connections are is not printed",
            here=("gestures/meaci-table4", "fight/meaci-table4"),
        ),
    ),
    differs=(
        "No schedule is printed for Kinetics-400, nor how often the rate falls elsewhere: 120 epochs, with two steps.",
        "Where text, tables and supplement differ, the network is what `edgecvar/nets/meaci.py` says, and why.",
        "No units of vectors and residuals are printed: 16 pixels and 32 steps.",
    ),
    left_out=("table 5: times",),
)
