"""The tables of Shou et al. 2019 (DMC-Net)."""

from __future__ import annotations

from edgecvar.nets.papers.paper import Paper, Table

PAPER = Paper(
    "Shou et al. 2019",
    (
        Table("table 1 and table 2, the generator's layers", "dmc", ("edgecvar models dmc", "edgecvar inspect dmc")),
        Table(
            "figure 4",
            "dmc",
            (
                "edgecvar ablate hmdb51/dmc-figure4",
                "edgecvar ablate ucf101/dmc-figure4",
                "edgecvar ablate kinetics-n50/dmc-figure4",
            ),
            "points without numbers, of which table 4 has some; without CoViAR + PWC-Net; which clips Kinetics-n50 has "
            "is not published",
        ),
        Table(
            "section 4.3, losses",
            "dmc",
            ("edgecvar ablate hmdb51/dmc-losses",),
            "60.5, 61.5 and 61.8 %; how long each row learnt is not printed",
            here=("gestures/dmc-losses", "fight/dmc-losses"),
        ),
        Table(
            "table 4, ResNet-18",
            "dmc",
            ("edgecvar ablate hmdb51/dmc", "edgecvar ablate ucf101/dmc"),
            "62.8 and 90.9 %; section 4.3 has 61.8 for HMDB-51",
        ),
        Table(
            "table 4, I3D",
            "dmc",
            ("edgecvar ablate hmdb51/dmc-i3d", "edgecvar ablate ucf101/dmc-i3d"),
            "71.8 and 92.3 %; an I3D-ResNet-50 from ImageNet in place of Inception's from Kinetics' optical flow",
        ),
        Table(
            "table 6",
            "dmc",
            ("edgecvar ablate hmdb51/dmc-table6",),
            "two of four rows: the generator in two stages, and with smoothed vectors, are not built",
        ),
        Table(
            "section 7.9",
            "dmc",
            ("edgecvar ablate kinetics400/dmc-section7",),
            "65.37, 65.43 and 65.42 %",
        ),
    ),
    differs=(
        "Batch, segments and the epochs at which the rate falls are those of the released runs; in the paper it falls "
        "when the loss plateaus (schedule=plateau).",
        "The streams of I, MV and R learn in the cue's run, on plain vectors and residuals as it does; in the paper "
        "they are CoViAR's own, on those since the I-picture.",
        "The cue's classifier starts from ImageNet, or, as the released one, from what flow has taught, if given.",
        "A smaller view shows motion larger, and vectors and flow grow with it; theirs keep their length.",
    ),
    left_out=(
        "table 3: times",
        "table 4: I3D on RGB with DMC-Net (I3D)",
        "section 7.3: Add and Concat",
        "table 5: attention on optical flow",
    ),
)
