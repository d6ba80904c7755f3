"""Whose unit it is: it is one a user, and is written only where this deploy, into this folder, wrote it before."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from edgecvar.deploy.device.peer import Failure
from edgecvar.deploy.device.place import Place
from edgecvar.deploy.device.service import Service
from edgecvar.deploy.device.unit import Unit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, None),
        ("ours", None),
        ("of another", "is of another deploy, into {home}/other: name that with --root, or end it by systemctl"),
        ("[Service]\nExecStart=mine\n", "which edgecvar deploy did not write: give it another name, or --no-service"),
    ],
)
def test_a_unit_is_written_over_only_where_it_is_of_that_folder(
    tmp_path: Path, text: Optional[str], said: Optional[str]
) -> None:
    unit = Unit(tmp_path, tmp_path / "root")
    if text in ("ours", "of another"):
        Unit(tmp_path, tmp_path / ("root" if text == "ours" else "other")).write()
    elif text is not None:
        unit.file.parent.mkdir(parents=True)
        unit.file.write_text(text)
    was = unit.file.read_text() if text else None
    stranger = Service(Place(tmp_path / "root"), tmp_path).facts()["stranger"]
    assert stranger is None if said is None else said.format(home=tmp_path) in stranger
    if said is not None:
        with pytest.raises(Failure, match=r"edgecvar\.service is "):
            Service(Place(tmp_path / "root"), tmp_path).claim("me")
    assert (unit.file.read_text() if text else None) == was


def test_a_unit_of_that_name_elsewhere_is_another_s(tmp_path: Path) -> None:
    unit = Unit(tmp_path, tmp_path / "root")
    unit.write()
    (tmp_path / "global.service").write_text("")
    assert unit.stranger(str(unit.file)) is None and unit.stranger(str(tmp_path / "gone")) is None
    assert f"{tmp_path / 'global.service'} is a unit" in str(unit.stranger(str(tmp_path / "global.service")))


def test_one_deploy_a_user_at_a_time_whatever_the_folder(tmp_path: Path) -> None:
    first, second = (Service(Place(tmp_path / name), tmp_path) for name in ("one", "two"))
    first.claim("ann on laptop")
    with pytest.raises(Failure, match=r"another deploy is at work here \(ann on laptop\)"):
        second.claim("bob")
    assert second.facts()["held"] == "ann on laptop"
