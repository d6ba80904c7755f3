"""The stand-in for TensorRT has what the real version has and nothing else, and keeps what was done with it."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from tests.contracts.bindings import VERSIONS, real_tensorrt, why_not
from tests.contracts.fake_tensorrt import RECORDED, FakeTensorRt


@pytest.fixture(params=[RECORDED, *VERSIONS])
def fake(request: pytest.FixtureRequest) -> FakeTensorRt:
    version = str(request.param)
    reason = why_not(version) if version in VERSIONS else None
    if reason is not None:
        pytest.skip(reason)
    return FakeTensorRt(version)


def test_calls_are_kept_in_order_and_give_what_was_answered(fake: FakeTensorRt) -> None:
    trt = fake.module
    fake.answers["Builder.build_serialized_network"] = None
    fake.answers["OnnxParser.num_errors"] = 2
    fake.answers["OnnxParser.parse"] = lambda this, model, path=None: len(model) == 3
    builder = trt.Builder(trt.Logger())
    network = builder.create_network()
    parser = trt.OnnxParser(network, trt.Logger())
    config = builder.create_builder_config()
    config.DLA_core = 1
    assert (parser.parse(b"abc"), parser.parse(b"abcd", path="here"), parser.num_errors) == (True, False, 2)
    assert builder.build_serialized_network(network, config) is None
    assert config.DLA_core == 1
    assert [name for name in fake.names if name != "Logger"] == [
        "Builder",
        "Builder.create_network",
        "OnnxParser",
        "Builder.create_builder_config",
        "IBuilderConfig.DLA_core =",
        "OnnxParser.parse",
        "OnnxParser.parse",
        "Builder.build_serialized_network",
    ]
    last = fake.of("Builder.build_serialized_network")[0]
    assert last.owner is builder and last.arguments == (network, config)


@pytest.mark.parametrize(
    ("error", "do"),
    [
        (AttributeError, lambda trt, builder: builder.create_networks()),
        (AttributeError, lambda trt, builder: trt.Builders),
        (AttributeError, lambda trt, builder: trt.BuilderFlag.FP17),
        (AttributeError, lambda trt, builder: setattr(builder, "num_DLA_cores", 1)),
        (AttributeError, lambda trt, builder: setattr(builder, "anything", 1)),
        (TypeError, lambda trt, builder: builder.create_network(flag=1)),
        (TypeError, lambda trt, builder: builder.create_network("1")),
        (TypeError, lambda trt, builder: builder.create_network(1, 2)),
        (TypeError, lambda trt, builder: builder.create_builder_config().set_flag(trt.DeviceType.GPU)),
        (TypeError, lambda trt, builder: trt.Runtime()),
        (TypeError, lambda trt, builder: trt.Runtime(builder)),
        (TypeError, lambda trt, builder: trt.ICudaEngine()),
    ],
)
def test_what_the_real_one_lacks_or_refuses_is_refused(
    fake: FakeTensorRt, error: type, do: Callable[[Any, Any], Any]
) -> None:
    builder = fake.module.Builder(fake.module.Logger())
    with pytest.raises(error):
        do(fake.module, builder)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_has_the_names_of_the_real_one(version: str) -> None:
    reason = why_not(version)
    if reason is not None:
        pytest.skip(reason)
    fake, real = FakeTensorRt(version).module, real_tensorrt(version)
    public = {name for name in vars(real) if not name.startswith("_")}
    assert {name for name in vars(fake) if not name.startswith("_")} == public
    classes = [name for name in public if isinstance(getattr(real, name), type)]
    assert len(classes) > 100
    for name in classes:
        theirs, ours = set(dir(getattr(real, name))), set(dir(getattr(fake, name))) - {"__dict__", "__weakref__"}
        assert {each for each in ours - theirs if each != "__bytes__"} == set(), name
        assert {each for each in theirs - ours if not each.startswith("_")} == set(), name
    assert fake.BuilderFlag is real.BuilderFlag
