"""The files of boards as each JetPack has them, as far as they are read."""

from __future__ import annotations


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


def cpu(number, current, least, most):
    folder = f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_"
    return {f"{folder}cur_freq": current, f"{folder}min_freq": least, f"{folder}max_freq": most}


def gpu(name, current, least, most, load=None):
    folder = f"sys/class/devfreq/{name}"
    files = {f"{folder}/cur_freq": current, f"{folder}/min_freq": least, f"{folder}/max_freq": most}
    return files if load is None else {**files, f"{folder}/device/load": load}


def rails(monitor, kind, channels):
    """Channels are (label, mV, mA)."""
    folder = f"sys/class/hwmon/hwmon{monitor}"
    files = {f"{folder}/name": kind}
    for number, (label, millivolts, milliamperes) in enumerate(channels, 1):
        named = {"in{}_label": label, "in{}_input": millivolts, "curr{}_input": milliamperes}
        files.update({f"{folder}/{name.format(number)}": value for name, value in named.items()})
    return files


def zone(number, name, millidegrees):
    folder = f"sys/class/thermal/thermal_zone{number}"
    return {f"{folder}/type": name, f"{folder}/temp": millidegrees}


def cooling(number, name, state):
    folder = f"sys/class/thermal/cooling_device{number}"
    return {f"{folder}/type": name, f"{folder}/cur_state": state}


def nano(root):
    """JetPack 4: iio, a GPU's own clock rate and that of memory for root."""
    monitor = "sys/bus/iio/devices/iio:device0"
    return write(
        root,
        {
            **cpu(0, 1428000, 102000, 1479000),
            **cpu(3, 1428000, 102000, 1479000),
            **gpu("57000000.gpu", 76800000, 76800000, 921600000, 250),
            "sys/class/devfreq/54200000.dc/cur_freq": 1,
            "sys/kernel/debug/clk/emc/clk_rate": 1600000000,
            f"{monitor}/rail_name_0": "POM_5V_IN",
            f"{monitor}/in_power0_input": 2500,
            f"{monitor}/rail_name_1": "POM_5V_GPU",
            f"{monitor}/in_power1_input": 400,
            **zone(0, "AO-therm", 41500),
            **zone(4, "PMIC-Die", 100000),
            **cooling(0, "pwm-fan", 2),
            **cooling(1, "gpu-balanced", 0),
        },
    )


def agx_orin(root):
    """JetPack 5: hwmon, three rails that add up to the module's input, and counters of its supply."""
    return write(
        root,
        {
            **cpu(0, 2201600, 2201600, 2201600),
            **gpu("17000000.ga10b", 1300500000, 1300500000, 1300500000, 980),
            **rails(
                3,
                "ina3221",
                [("VDD_GPU_SOC", 20000, 500), ("VDD_CPU_CV", 20000, 100), ("VIN_SYS_5V0", 5000, 1000)],
            ),
            **rails(4, "ina3221", [("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 200)]),
            "sys/class/hwmon/hwmon4/in4_label": "shunt voltage",
            "sys/class/hwmon/hwmon4/in4_input": 40,
            "sys/class/hwmon/hwmon4/curr4_input": 900,
            "sys/class/hwmon/hwmon5/name": "soctherm_oc",
            "sys/class/hwmon/hwmon5/oc1_event_cnt": 0,
            "sys/class/hwmon/hwmon5/oc3_event_cnt": 7,
            **zone(0, "cpu-thermal", 55125),
            **zone(1, "gpu-thermal", 54000),
            **cooling(0, "pwm-fan", 3),
            **cooling(3, "devfreq-17000000.ga10b", 0),
        },
    )


def orin_nano(root):
    """JetPack 6: one rail that feeds all."""
    return write(
        root,
        {
            **cpu(0, 729600, 729600, 1510400),
            **gpu("17000000.gpu", 306000000, 306000000, 624750000, 0),
            **rails(1, "ina3221", [("VDD_IN", 4984, 1000), ("VDD_CPU_GPU_CV", 4984, 300), ("VDD_SOC", 4984, 200)]),
            **zone(0, "cpu-thermal", 48000),
        },
    )


def thor(root):
    """JetPack 7: two clocks of the GPU, memory's for everybody, and another monitor beside."""
    return write(
        root,
        {
            **cpu(0, 2601000, 972000, 2601000),
            **gpu("gpu-gpc-0", 1575000000, 315000000, 1575000000),
            **gpu("gpu-nvd-0", 1692000000, 315000000, 1692000000),
            **gpu("bwmgr", 4266000000, 665600000, 4266000000),
            **rails(2, "ina238", [("VIN", 20000, 2000)]),
            **rails(
                1, "ina3221", [("VDD_GPU", 12000, 500), ("VDD_CPU_SOC_MSS", 12000, 700), ("VIN_SYS_5V0", 5000, 900)]
            ),
        },
    )
