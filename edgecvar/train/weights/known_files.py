"""Published files of weights by their names: whose they are, where they are, and by which hash they are known.

docs/weights.md says all of it at length. torchvision writes the first 8 digits of a file's sha256 into its name; the
other publishers print no hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

from edgecvar.errors import ConfigError, reason
from edgecvar.files import sha256_of

PAGE = "docs/weights.md"
TORCHVISION = "https://download.pytorch.org/models/"
TSM = "https://hanlab18.mit.edu/projects/tsm/models/"
DMC = "https://dl.fbaipublicfiles.com/dmc-net/models.zip"

DIGITS = re.compile(r"-([0-9a-f]{8})\.pth$")
"""How a name says the beginning of a file's sha256."""


@dataclass(frozen=True)
class KnownFile:
    """`pattern`: what it may be called. `what`: of which network and data. `address`: where it lies.

    `published`: the names under which an `address` that is a folder has it, where it has another; the first is what the
    papers had.
    """

    pattern: str
    what: str
    address: str
    published: Tuple[str, ...] = ()

    def where(self, name: str) -> str:
        """The address of a file of this name."""
        if not self.address.endswith("/"):
            return self.address
        return self.address + (self.published[0] if self.published and not DIGITS.search(name) else name)


def _torchvision(backbone: str, what: str, *published: str) -> KnownFile:
    pattern = rf"{backbone}(_rwightman)?(-[0-9a-f]{{8}})?\.pth"
    return KnownFile(pattern, f"torchvision's {what}, learnt from ImageNet", TORCHVISION, published)


FILES = (
    _torchvision("resnet18", "ResNet-18", "resnet18-f37072fd.pth"),
    _torchvision("resnet34", "ResNet-34", "resnet34-b627a593.pth"),
    _torchvision("resnet50", "ResNet-50", "resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"),
    _torchvision("resnet101", "ResNet-101", "resnet101-63fe2227.pth", "resnet101-cd907fc2.pth"),
    _torchvision("resnet152", "ResNet-152", "resnet152-394f9c45.pth", "resnet152-f82ba261.pth"),
    _torchvision("mobilenet_v2", "MobileNetV2", "mobilenet_v2-b0353104.pth", "mobilenet_v2-7ebf99e0.pth"),
    _torchvision("efficientnet_b0", "EfficientNet-B0", "efficientnet_b0_rwightman-7f5810bc.pth"),
    _torchvision(
        "efficientnet_b1", "EfficientNet-B1", "efficientnet_b1_rwightman-bac287d4.pth", "efficientnet_b1-c27df63c.pth"
    ),
    KnownFile(r"TSM_\w+\.pth", "of TSM's authors (Lin et al. 2019)", TSM),
    KnownFile(r"mobilenetv2_jester_online\.pth\.tar", "TSM's online MobileNetV2, learnt from Jester", TSM),
    KnownFile(r"_flow_model_best\.pth\.tar", "of DMC-Net's authors (Shou et al. 2019), learnt from optical flow", DMC),
)


def known_file(path: Path) -> Optional[KnownFile]:
    """The published file that a path is called after."""
    return next((each for each in FILES if re.fullmatch(each.pattern, path.name)), None)


def missing_file(path: Path) -> ConfigError:
    """The error for weights that are not there: what the file is and where it is published, if its name says."""
    known = known_file(path)
    if known is None:
        return ConfigError(
            f"{path}: no such file to start from; {PAGE} lists published ones, and a run of `edgecvar train` is named "
            "by its folder"
        )
    return ConfigError(
        f"{path}: no such file; it is {known.what}, at {known.where(path.name)}: {PAGE} has its hash and licence"
    )


def check_known(path: Path) -> None:
    """Raises ConfigError where a file called after a published one is not of the hash that its name says.

    torchvision has renamed EfficientNets whose names had a wrong one: the old name is right for the same bytes.
    """
    known, said = known_file(path), DIGITS.search(path.name)
    if known is None or said is None:
        return
    names = (DIGITS.search(name) for name in known.published)
    expected = [said.group(1), *(found.group(1) for found in names if found is not None)]
    try:
        got = sha256_of(path)[: len(expected[0])]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({reason(error)})") from error
    if got not in expected:
        raise ConfigError(
            f"{path}: its sha256 begins with {got} and its name says {expected[0]}, so it is not what is published "
            f"under that name; download it again, or rename it if it is your own ({PAGE})"
        )
