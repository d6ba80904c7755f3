"""The tables of Huo et al. 2020 (ATTP)."""

from __future__ import annotations

from edgecvar.nets.papers.paper import Paper, Table

PAPER = Paper(
    "Huo et al. 2020",
    (
        Table("table 2, cost", "attp", ("edgecvar models attp",)),
        Table(
            "table 2, accuracy",
            "attp",
            ("edgecvar ablate hmdb51/attp", "edgecvar ablate ucf101/attp"),
            "62.9 and 91.1 %",
        ),
        Table(
            "table 3",
            "attp",
            ("edgecvar ablate hmdb51/attp-table3", "edgecvar ablate ucf101/attp-table3"),
            "every row learns as long; ATTP's teacher learns before",
            here=("synth/attp-table3", "gestures/attp-table3", "fight/attp-table3"),
        ),
        Table(
            "figure 4, left",
            "attp",
            ("edgecvar ablate hmdb51/attp-figure4-pictures", "edgecvar ablate ucf101/attp-figure4-pictures"),
            "bars without numbers; the clips need B-pictures",
        ),
        Table(
            "figure 4, right",
            "attp",
            ("edgecvar ablate hmdb51/attp-figure4-alignment", "edgecvar ablate ucf101/attp-figure4-alignment"),
            "bars without numbers",
        ),
    ),
    differs=(
        "No schedule is printed: TEAM-Net's from ImageNet weights (SGD, 50 epochs) is taken, for the teacher and then "
        "for the network.",
        "No flow, units and crops are printed: TV-L1, vectors and flow cut at 20 pixels and the units are DMC-Net's, "
        "240 x 240 of 340 x 256 is EfficientNet-B1's own input.",
        "How a test looks at a clip is not printed: 25 pictures, the centre, as in TEAM-Net's.",
    ),
    left_out=("table 1: times on a Jetson TX2 and a server, which `edgecvar bench` measures on such a device",),
)
