"""Graphs that no compiler of ours writes: one line says so, in little time."""

from __future__ import annotations

import numpy as np
import pytest

from edgecvar.bundle.devices import DEVICES
from edgecvar.errors import BundleError
from edgecvar.predict.engines import layers_of, target_of
from edgecvar.predict.graph import MOST_NODES, read_graph
from edgecvar.predict.typing.survey import given_graph
from edgecvar.runners.protobuf import bytes_field, number_field
from edgecvar.runners.tensorrt import precision
from edgecvar.runners.tensorrt.precision import is_wide

FLOAT = 1
NODE, INITIALIZER, INPUT, OUTPUT = 1, 5, 11, 12


def node(operator, inputs, outputs, **integers):
    parts = [bytes_field(1, name.encode()) for name in inputs] + [bytes_field(2, name.encode()) for name in outputs]
    parts.append(bytes_field(4, operator.encode()))
    for name, value in integers.items():
        parts.append(bytes_field(5, bytes_field(1, name.encode()) + number_field(3, value) + number_field(20, 2)))
    return bytes_field(NODE, b"".join(parts))


def value(field, name, *sizes):
    dims = b"".join(bytes_field(1, number_field(1, size)) for size in sizes)
    shape = bytes_field(2, dims) if sizes else b""
    return bytes_field(
        field, bytes_field(1, name.encode()) + bytes_field(2, bytes_field(1, number_field(1, 1) + shape))
    )


def constant(name, *shape):
    dims = b"".join(number_field(1, size) for size in shape)
    raw = bytes_field(9, np.zeros(shape, np.float32).tobytes())
    return bytes_field(INITIALIZER, dims + number_field(2, FLOAT) + bytes_field(8, name.encode()) + raw)


def model(*fields):
    graph = b"".join(fields[:1]) + bytes_field(2, b"g") + b"".join(fields[1:])
    return number_field(1, 8) + bytes_field(7, graph) + bytes_field(8, number_field(2, 17))


def convolution(shape, weights, **integers):
    return model(
        node("Conv", ["x", "w"], ["y"], **integers),
        constant("w", *weights),
        value(INPUT, "x", *shape),
        value(OUTPUT, "y"),
    )


def layers(tmp_path, content):
    file = tmp_path / "stage.onnx"
    file.write_bytes(content)
    return layers_of(file, "fp16", target_of(DEVICES["orin-nano"]).rules)


def test_a_plain_one_is_counted(tmp_path):
    found = layers(tmp_path, convolution((1, 3, 8, 8), (4, 3, 1, 1)))
    assert [layer.multiply_adds for layer in found] == [4 * 8 * 8 * 3]


@pytest.mark.parametrize(
    "content",
    [
        convolution((1, 3, 0, 4), (4, 3, 1, 1)),
        convolution((1, 3, 4, 4), (0, 3, 1, 1)),
        convolution((1, 3, 4, 4), (4, 3, 1, 1), group=0),
        model(node("Relu", ["x"], ["y"]), value(INPUT, "x", 1, 2**31, 2**31), value(OUTPUT, "y")),
    ],
    ids=["no places", "no channels", "no groups", "too large"],
)
def test_what_cannot_be_counted_is_an_error_in_one_line(tmp_path, content):
    with pytest.raises(BundleError, match=r"stage\.onnx") as caught:
        layers(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_too_many_nodes_are_not_run():
    many = [node("Relu", ["x"], [f"y{place}"]) for place in range(MOST_NODES + 1)]
    with pytest.raises(BundleError, match="10,001 nodes, at most 10,000"):
        read_graph(model(*many, value(INPUT, "x", 1, 3), value(OUTPUT, "y0")))


def test_a_long_chain_of_views_is_one_step(tmp_path):
    chain = [node("Identity", [f"t{place}"], [f"t{place + 1}"]) for place in range(1200)]
    content = model(*chain, node("Relu", ["t1200"], ["y"]), value(INPUT, "t0", 1, 3), value(OUTPUT, "y"))
    (layer,) = layers(tmp_path, content)
    assert (layer.kind, layer.reads, layer.writes) == ("elementwise", 3 * 2, 3 * 4)


def test_a_node_that_gives_nothing_is_no_traceback():
    given = given_graph(model(node("Relu", ["x"], []), node("Relu", ["x"], ["y"]), value(INPUT, "x", 1, 3)))
    assert [each.outputs for each in given.nodes] == [(), ("y",)]


def test_many_layers_are_told_by_their_numbers_in_linear_time(monkeypatch):
    stripped = []
    monkeypatch.setattr(precision.re, "sub", lambda *given: stripped.append(given) or given[2].rsplit("_", 1)[0])
    names = frozenset(f"node_{place}" for place in range(300))
    assert all(is_wide(name, names) for name in names)
    assert len(stripped) <= 2 * len(names)
