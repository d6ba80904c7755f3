"""The tables of Wu et al. 2021 (CMR)."""

from __future__ import annotations

from edgecvar.nets.papers.paper import Paper, Table

FRAMES_16 = "network.segments=16 segments=16 validation_segments=16"
ONE_CLIP = "test.clips=1 test.crops=1"

PAPER = Paper(
    "Wu et al. 2021",
    (
        Table("table 1, cost", "cmr", ("edgecvar models cmr",)),
        Table(
            "table 1, two clips",
            "cmr",
            (
                "edgecvar ablate something-v1/cmr",
                f"edgecvar ablate something-v1/cmr {FRAMES_16}",
                "edgecvar ablate something-v2/cmr",
                f"edgecvar ablate something-v2/cmr {FRAMES_16}",
            ),
            "51.9, 54.3, 64.6 and 66.1 % of the validation sets, as the labels of the test sets are not published",
        ),
        Table(
            "table 1, one clip",
            "cmr",
            (
                f"edgecvar ablate something-v1/cmr {ONE_CLIP}",
                f"edgecvar ablate something-v1/cmr {FRAMES_16} {ONE_CLIP}",
                f"edgecvar ablate something-v2/cmr {ONE_CLIP}",
                f"edgecvar ablate something-v2/cmr {FRAMES_16} {ONE_CLIP}",
            ),
            "51.3, 53.2, 63.7 and 65.7 %; `edgecvar eval RUN --set test.clips=1 --set test.crops=1` tests the runs "
            "above so",
        ),
        Table(
            "table 2",
            "cmr",
            ("edgecvar ablate kinetics400/cmr", f"edgecvar ablate kinetics400/cmr {FRAMES_16}"),
            "75.9 and 77.0 %",
        ),
        Table("table 3", "cmr", ("edgecvar ablate something-v1/cmr-table3",)),
        Table(
            "table 4",
            "cmr",
            ("edgecvar ablate something-v1/cmr-table4",),
            here=("gestures/cmr-parts", "fight/cmr-parts"),
        ),
        Table("table 5", "cmr", ("edgecvar ablate something-v1/cmr-table5",), "top-1 alone; no latency"),
        Table(
            "table 6",
            "cmr",
            ("edgecvar ablate something-v1/cmr-table6",),
            "top-1 alone; MEM and PEM are from the papers that it cites",
            here=("gestures/cmr-parts", "fight/cmr-parts"),
        ),
    ),
    differs=(
        "Weight decay and dropout are not printed: those of TSM.",
        "Samples are decoded P- and B-pictures, and no I-picture, where the paper takes any frame.",
        "Mirroring is not named: Kinetics-400 is mirrored; Something-Something, whose classes have sides, is not.",
    ),
    left_out=("table 7: latency and throughput",),
)
