"""The published hosts: one for every Jetson of the table, with sources that exist."""

from __future__ import annotations

import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.errors import ConfigError
from edgecvar.predict.published.hosts import published_hosts

READ = published_hosts()


def test_every_jetson_has_one_in_the_order_of_the_table() -> None:
    assert [host.device for host in READ.hosts] == [name for name in DEVICES if name not in ("dgpu", "cpu")]


def test_every_source_is_one_of_the_files() -> None:
    for host in READ.hosts:
        assert host.sources
        assert set(host.sources) <= set(READ.sources)
    assert {reference.source for reference in READ.references} <= set(READ.sources)


def test_scores_are_scaled_to_the_clock_of_the_device() -> None:
    nano = READ.host("nano")
    assert nano.single_core == pytest.approx(1977 * 1.43 / 2.0)
    assert READ.host("thor").single_core is None
    assert READ.host("tx2").estimated and not nano.estimated


def test_a_reference_at_another_clock() -> None:
    zen = READ.reference("AMD Zen 4")
    assert zen.at(5.25) == 7885
    assert zen.at(2.625) == pytest.approx(3942.5)


def test_only_orin_nano_has_no_encoder() -> None:
    assert [host.device for host in READ.hosts if host.encoder is False] == ["orin-nano"]


def test_unknown_names_say_the_nearest() -> None:
    with pytest.raises(ConfigError, match="orin-nx"):
        READ.host("orin-nxx")
    with pytest.raises(ConfigError, match="AMD Zen 4"):
        READ.reference("AMD Zen 5")
