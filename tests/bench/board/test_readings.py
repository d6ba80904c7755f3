"""What is read of boards as each JetPack has their files, and of boards that lack some."""

from __future__ import annotations

import os

import pytest

from edgecvar.bench.board.clocks import clocks_locked, clocks_mhz, gpu_load, stood_still
from edgecvar.bench.board.files import number_of, text_of
from edgecvar.bench.board.sensors import celsius, watts, whole_watts
from edgecvar.bench.board.throttling import slowed_by_heat, supply_events, throttling
from tests.bench.board.trees import agx_orin, cooling, nano, orin_nano, thor, write, zone


@pytest.mark.parametrize(
    ("board", "clocks", "locked", "whole"),
    [
        (nano, {"cpu0": 1428, "cpu3": 1428, "gpu": 76.8, "emc": 1600}, False, 2.5),
        (agx_orin, {"cpu0": 2201.6, "gpu": 1300.5}, True, 10 + 2 + 5),
        (orin_nano, {"cpu0": 729.6, "gpu": 306}, False, 4.984),
        (thor, {"cpu0": 2601, "gpu-gpc-0": 1575, "gpu-nvd-0": 1692, "emc": 4266}, False, 40),
    ],
)
def test_clocks_and_watts_of_each_jetpack(tmp_path, board, clocks, locked, whole):
    root = board(tmp_path)
    assert clocks_mhz(root) == clocks
    assert clocks_locked(root) is locked
    assert whole_watts(watts(root)) == pytest.approx(whole)


def test_rails_have_their_own_names(tmp_path):
    assert watts(nano(tmp_path / "4")) == {"POM_5V_IN": 2.5, "POM_5V_GPU": 0.4}
    assert set(watts(agx_orin(tmp_path / "5"))) == {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"}


def test_rails_that_do_not_add_up_to_the_module_have_no_whole():
    assert whole_watts({"VDD_GPU_SOC": 1.0, "VDD_CPU_CV": 2.0}) is None
    assert whole_watts({}) is None


def test_temperatures_leave_out_what_stands_still(tmp_path):
    root = nano(tmp_path)
    assert celsius(root) == {"AO-therm": 41.5}
    write(root, {**zone(1, "GPU-therm", -256000), **zone(2, "CPU-therm", "off"), **zone(3, "thermal\x1b[2J", 40000)})
    assert celsius(root) == {"AO-therm": 41.5, "thermal\\x1b[2J": 40.0}


def test_the_load_is_a_share(tmp_path):
    assert gpu_load(nano(tmp_path / "4")) == {"gpu": 0.25} and gpu_load(thor(tmp_path / "7")) == {}


def test_a_fan_is_no_throttling_and_a_slower_gpu_is(tmp_path):
    root = agx_orin(tmp_path)
    assert slowed_by_heat(root) == set()
    write(root, cooling(3, "devfreq-17000000.ga10b", 2))
    assert slowed_by_heat(root) == {"devfreq-17000000.ga10b"}


def test_events_of_the_supply_count_from_the_beginning(tmp_path):
    root = agx_orin(tmp_path)
    before = supply_events(root)
    assert before == {"oc1": 0, "oc3": 7} and throttling(set(), before, supply_events(root)) == ""
    write(root, {"sys/class/hwmon/hwmon5/oc3_event_cnt": 9})
    said = throttling({"cpu-balanced"}, before, supply_events(root))
    assert (
        said == "slowed down while it was measured by heat (cpu-balanced) and by too high a current at once (2 times)"
    )


def test_nothing_is_read_where_nothing_is(tmp_path):
    assert (clocks_mhz(tmp_path), clocks_locked(tmp_path), watts(tmp_path)) == ({}, None, {})
    assert (celsius(tmp_path), gpu_load(tmp_path), supply_events(tmp_path)) == ({}, {}, {})
    assert slowed_by_heat(tmp_path) == set()


@pytest.mark.parametrize("content", ["", "off", "1e9", "0x10", "1" * 200, "٣", "--1", "1\n2"])
def test_what_is_no_number_is_none(tmp_path, content):
    (tmp_path / "file").write_text(content)
    assert number_of(tmp_path / "file") is None


def test_a_file_that_is_none_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin").write_bytes(b"\xe9t\xe9\0")
    assert text_of(tmp_path / "pipe") is text_of(tmp_path / "folder") is text_of(tmp_path / "none") is None
    assert text_of(tmp_path / "latin") == "\ufffdt\ufffd"


def test_clocks_that_jitter_stand_still_and_others_do_not():
    assert stood_still({"gpu": 1000.0}, {"gpu": 1019.0}) and stood_still({"gpu": 0.0}, {"gpu": 0.0})
    assert not stood_still({"gpu": 1000.0}, {"gpu": 1030.0})
    assert not stood_still({"gpu": 1000.0}, {"gpu": 1000.0, "cpu0": 1.0})


def test_numbers_that_no_board_has_are_no_readings(tmp_path):
    much = {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "9" * 19,
        "sys/class/devfreq/17000000.gpu/cur_freq": "9" * 19,
        "sys/class/devfreq/17000000.gpu/device/load": "9" * 19,
        "sys/class/hwmon/hwmon0/name": "ina3221",
        "sys/class/hwmon/hwmon0/in1_label": "VDD_IN",
        "sys/class/hwmon/hwmon0/in1_input": "9" * 10,
        "sys/class/hwmon/hwmon0/curr1_input": "9" * 10,
        "sys/bus/iio/devices/iio:device0/rail_name_0": "POM_5V_IN",
        "sys/bus/iio/devices/iio:device0/in_power0_input": "-" + "9" * 12,
    }
    write(tmp_path, much)
    assert (clocks_mhz(tmp_path), gpu_load(tmp_path), watts(tmp_path)) == ({}, {}, {})
