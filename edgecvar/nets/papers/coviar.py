"""The tables of Wu et al. 2018 (CoViAR), of which the later papers quote one row."""

from __future__ import annotations

from edgecvar.nets.papers.paper import Paper, Table

PAPER = Paper(
    "Wu et al. 2018",
    (
        Table("Huo et al. 2020, table 2, cost", "coviar", ("edgecvar models coviar",)),
        Table(
            "Huo et al. 2020, table 2, accuracy",
            "coviar",
            ("edgecvar ablate hmdb51/coviar", "edgecvar ablate ucf101/coviar"),
            "59.1 and 90.4 %",
        ),
    ),
    differs=(
        "Settings are those of the released code, which are not quite those of the paper, by its own words.",
        "One run trains the three streams, each by its own scores, with one view of a clip for all; on HMDB-51 by MV's "
        "schedule.",
        "Crops keep the picture's shape, and colours of I are not shifted.",
        "A smaller view shows motion larger, and vectors grow with it; theirs keep their length.",
    ),
    left_out=("its other tables, which the later papers do not repeat",),
)
