"""TensorRT with its real classes and signatures, played over the recorded device: builds name, engines compute.

An engine is the name of its stage; running one asks ONNX Runtime, so that what comes back through streams, buffers
and graphs can be compared with the stage itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest

from edgecvar.bundle.manifest import MANIFEST, Bundle, Manifest, open_bundle, write_manifest
from edgecvar.runners.onnx import OnnxRunner
from edgecvar.runners.runner import Step
from tests.contracts.bindings import VERSIONS, why_not
from tests.contracts.fake_tensorrt import RECORDED, FakeTensorRt
from tests.runners.tensorrt.recorded_cuda import RecordedCuda

OUTPUT = "output of {}"
EACH_VERSION = [RECORDED, *VERSIONS]
STAGES = ["appearance", "motion", "residual", "fuse"]
"""Of `tiny_bundle`."""


def with_precision(root: Path, precision: str, strongly_typed: bool = False) -> Bundle:
    """The bundle with its fp32 stages at another precision too, by name at least."""
    manifest = Manifest.model_validate(json.loads((root / MANIFEST).read_text()))
    more = []
    for entry in [each for each in manifest.files if each.precision == "fp32"]:
        path = entry.path.replace(".fp32.", f".{precision}{'-typed' if strongly_typed else ''}.")
        (root / path).write_bytes((root / entry.path).read_bytes())
        changed = {"precision": precision, "path": path, "strongly_typed": strongly_typed}
        more.append(entry.model_copy(update=changed))
    write_manifest(root, manifest.model_copy(update={"files": [*manifest.files, *more]}))
    return open_bundle(root)


def sealed_again(bundle: Bundle) -> Bundle:
    """The bundle with the files as they are now."""
    write_manifest(bundle.path, bundle.manifest)
    return open_bundle(bundle.path)


@dataclass
class Layer:
    """A layer of the network that the parser makes; tensors are (name, type)."""

    name: str
    kind: str
    inputs: List[Tuple[str, str]] = field(default_factory=list)
    outputs: List[Tuple[str, str]] = field(default_factory=list)


LAYERS = [
    Layer("cast in", "IDENTITY", [("image", "FLOAT")], [("half", "HALF")]),
    Layer("convolution", "CONVOLUTION", [("half", "HALF")], [("feature", "HALF")]),
    Layer("cast up", "IDENTITY", [("feature", "HALF")], [("wide", "FLOAT")]),
    Layer("mean square", "REDUCE", [("wide", "FLOAT")], [("norm", "FLOAT")]),
    Layer("quantize", "QUANTIZE", [("wide", "FLOAT")], [("small", "INT8")]),
    Layer("dequantize", "DEQUANTIZE", [("small", "INT8")], [("back", "FLOAT")]),
    Layer("int8 convolution", "CONVOLUTION", [("back", "FLOAT")], [("out", "FLOAT")]),
    Layer("swish", "ACTIVATION", [("out", "FLOAT")], [("gate", "{rest}")]),
]
"""What the parser makes of any file; in an int8 file {rest}, which is neither int8 nor a wide sum, is fp32."""


class PlayedTensorRt:
    """`fake.calls` is what was done with TensorRT; `runs` the (stage, stream) of each time an engine ran."""

    def __init__(self, version: str, bundle: Bundle, monkeypatch: Any) -> None:
        reason = None if version == RECORDED else why_not(version)
        if reason is not None:
            pytest.skip(reason)
        self.cuda = RecordedCuda()
        self.cuda.install(monkeypatch)
        self.fake = FakeTensorRt(version)
        monkeypatch.setitem(__import__("sys").modules, "tensorrt", self.fake.module)
        self.version = str(self.fake.module.__version__)
        self.key = f"sm87-{self.version}"
        self.bundle = bundle
        self.stages = {stage.name: stage for stage in bundle.manifest.stages}
        self.reference = OnnxRunner(bundle, "fp32", threads=1).__enter__()
        self.runs: List[Tuple[str, int]] = []
        self.profiles: Dict[str, List[Dict[str, Any]]] = {}
        self.flags: List[str] = []
        self.told: Dict[str, List[Tuple[str, float]]] = {}
        """By stage the (layer, ms) that a profiler is told of each run; `inspected` is what the inspector says."""
        self.inspected: Dict[str, str] = {}
        self._answer_builder()
        self._answer_engine()
        self._answer_context()
        self._answer_profiler()

    def tag(self, thing: Any, **values: Any) -> Any:
        """Something of the fake with what the play knows of it."""
        for name, value in values.items():
            object.__setattr__(thing, f"played_{name}", value)
        return thing

    def _answer_builder(self) -> None:
        fake, enum = self.fake, self.fake.module
        answers = fake.answers

        def parse(parser: Any, model: bytes, path: str) -> bool:
            self.parsed, precision = Path(path).name.split(".")[:2]
            network = fake.of("OnnxParser")[-1].arguments[0]
            self.tag(network, rest="FLOAT" if precision == "int8" else "HALF")
            return True

        def layer(network: Any, index: int) -> Any:
            return self.tag(fake.make("ILayer"), spec=LAYERS[index], rest=network.played_rest)

        def tensor(layer: Any, pair: Tuple[str, str]) -> Any:
            return self.tag(fake.make("ITensor"), spec=(pair[0], pair[1].format(rest=layer.played_rest)))

        def shape(profile: Any, name: str, *sizes: Any) -> None:
            given = getattr(profile, "played_given", {})
            self.tag(profile, given={**given, name: tuple(map(tuple, sizes))})

        def add(config: Any, profile: Any) -> int:
            added = getattr(config, "played_added", [])
            self.tag(config, added=[*added, profile.played_given])
            return len(added)

        def build(builder: Any, network: Any, config: Any) -> bytes:
            self.profiles[self.parsed] = config.played_added
            return self.parsed.encode()

        answers.update(
            {
                "OnnxParser.parse": parse,
                "IOptimizationProfile.set_shape": shape,
                "IBuilderConfig.add_optimization_profile": add,
                "INetworkDefinition.num_layers": len(LAYERS),
                "INetworkDefinition.get_layer": layer,
                "ILayer.name": lambda this: this.played_spec.name,
                "ILayer.type": lambda this: getattr(enum.LayerType, this.played_spec.kind),
                "ILayer.num_inputs": lambda this: len(this.played_spec.inputs),
                "ILayer.num_outputs": lambda this: len(this.played_spec.outputs),
                "ILayer.get_input": lambda this, index: tensor(this, this.played_spec.inputs[index]),
                "ILayer.get_output": lambda this, index: tensor(this, this.played_spec.outputs[index]),
                "ITensor.name": lambda this: this.played_spec[0],
                "ITensor.dtype": lambda this: getattr(enum.DataType, this.played_spec[1]),
                "IBuilderConfig.set_flag": lambda this, flag: self.flags.append(flag.name),
                "IBuilderConfig.can_run_on_DLA": lambda this, layer: layer.played_spec.kind == "CONVOLUTION",
                "Builder.build_serialized_network": build,
                "ITimingCache.serialize": b"timings",
            }
        )

    def _answer_engine(self) -> None:
        fake, enum = self.fake, self.fake.module
        modes = getattr(enum, "TensorIOMode", None)

        def engine(runtime: Any, plan: bytes) -> Any:
            stage = self.stages[bytes(plan).decode()]
            tensors = [(name, shape, True) for name, shape in stage.takes.items()]
            named = [OUTPUT.format(stage.name), *(each.next_name for each in stage.state)]
            outputs = [(name, shape, False) for name, shape in zip(named, stage.gives.values())]
            profiles = self.profiles.get(stage.name, [{}])
            return self.tag(fake.make("ICudaEngine"), stage=stage.name, tensors=[*outputs, *tensors], profiles=profiles)

        def one(this: Any, which: Any) -> Any:
            names = [tensor[0] for tensor in this.played_tensors]
            return this.played_tensors[names.index(which) if isinstance(which, str) else which % len(names)]

        def name(this: Any, index: int) -> str:
            profile = index // len(this.played_tensors)
            return str(one(this, index)[0]) + (f" [profile {profile}]" if profile else "")

        def count(this: Any) -> int:
            bindings = self.fake.surface.version == RECORDED  # of each profile
            return len(this.played_tensors) * (len(this.played_profiles) if bindings else 1)

        def shape(this: Any, which: Any) -> Any:
            shape = (-1, *one(this, which)[1])
            return shape if self.fake.surface.version == RECORDED else enum.Dims(shape)

        def context(this: Any, *arguments: Any) -> Any:
            return self.tag(fake.make("IExecutionContext"), engine=this, addresses={}, shapes={}, profile=0)

        index = {"ICudaEngine.get_binding_index": lambda this, which: this.played_tensors.index(one(this, which))}
        fake.answers["ICudaEngine.num_optimization_profiles"] = lambda this: len(this.played_profiles)
        for counted, named, shaped, typed in (
            ("num_bindings", "get_binding_name", "get_binding_shape", "get_binding_dtype"),
            ("num_io_tensors", "get_tensor_name", "get_tensor_shape", "get_tensor_dtype"),
        ):
            fake.answers.update(
                {
                    f"ICudaEngine.{counted}": count,
                    f"ICudaEngine.{named}": name,
                    f"ICudaEngine.{shaped}": shape,
                    f"ICudaEngine.{typed}": enum.DataType.FLOAT,
                    **index,
                }
            )
        fake.answers["ICudaEngine.binding_is_input"] = lambda this, which: one(this, which)[2]
        if modes is not None:
            fake.answers["ICudaEngine.get_tensor_mode"] = lambda this, which: (
                modes.INPUT if one(this, which)[2] else modes.OUTPUT
            )
        fake.answers["ICudaEngine.create_execution_context"] = context
        fake.answers["Runtime.deserialize_cuda_engine"] = engine

    def _answer_context(self) -> None:
        answers = self.fake.answers

        def address(this: Any, name: str, memory: int) -> bool:
            this.played_addresses[name] = memory
            return True

        def set_profile(this: Any, index: int, stream: int) -> bool:
            this.played_shapes.clear()
            self.tag(this, profile=index)
            return index < len(this.played_engine.played_profiles)

        def set_shape(this: Any, which: Any, shape: Any) -> bool:
            tensors = this.played_engine.played_tensors
            if not isinstance(which, str):
                assert which // len(tensors) == this.played_profile  # a binding of the profile that is in use
                which = tensors[which % len(tensors)][0]
            this.played_shapes[which] = tuple(shape)
            given = this.played_engine.played_profiles[this.played_profile].get(which)
            return given is None or given[0][0] <= shape[0] <= given[2][0]

        def execute(this: Any, stream_handle: int) -> bool:
            return self._run(this, this.played_addresses, stream_handle)

        def execute_bindings(this: Any, bindings: List[int], stream_handle: int) -> bool:
            names = [tensor[0] for tensor in this.played_engine.played_tensors]
            assert len(bindings) == len(names) * len(this.played_engine.played_profiles)
            own = bindings[this.played_profile * len(names) :]
            return self._run(this, dict(zip(names, own)), stream_handle)

        answers["IExecutionContext.set_tensor_address"] = address
        answers["IExecutionContext.set_optimization_profile_async"] = set_profile
        answers["IExecutionContext.set_input_shape"] = set_shape
        answers["IExecutionContext.set_binding_shape"] = set_shape
        answers["IExecutionContext.execute_async_v3"] = execute
        answers["IExecutionContext.execute_async_v2"] = execute_bindings

    def _answer_profiler(self) -> None:
        """A run is kept for the profiler until `report_to_profiler`, or told at once, and never that of a graph."""
        answers, fake = self.fake.answers, self.fake

        def emits(this: Any) -> bool:
            return True  # as a context is made

        def report(this: Any) -> bool:
            kept = getattr(this, "played_kept", None)
            if kept is None or this.profiler is None:
                return False
            self.tag(this, kept=None)
            for name, ms in kept:
                this.profiler.report_layer_time(name, ms)
            return True

        def inspector(engine: Any) -> Any:
            return self.tag(fake.make("EngineInspector"), stage=engine.played_stage)

        def information(this: Any, format: Any) -> str:
            assert format == fake.module.LayerInformationFormat.JSON
            return self.inspected.get(this.played_stage, "")

        answers["IExecutionContext.profiler"] = None
        answers["IExecutionContext.enqueue_emits_profile"] = emits
        answers["IExecutionContext.report_to_profiler"] = report
        answers["ICudaEngine.create_engine_inspector"] = inspector
        answers["EngineInspector.get_engine_information"] = information

    def _profile(self, context: Any) -> None:
        """What a run that is no graph's leaves for the profiler."""
        if context.profiler is None or self.cuda.capturing is not None:
            return
        self.tag(context, kept=self.told.get(context.played_engine.played_stage, []))
        if context.enqueue_emits_profile:
            context.report_to_profiler()

    def _run(self, context: Any, addresses: Dict[str, int], stream: int) -> bool:
        self._profile(context)
        stage = context.played_engine.played_stage
        tensors = context.played_engine.played_tensors
        outputs = [(name, shape) for name, shape, given in tensors if not given]
        shapes = {name: context.played_shapes[name] for name, _, given in tensors if given}
        batch = next(iter(shapes.values()))[0]

        def compute() -> None:
            self.runs.append((stage, stream))
            values = {name: self.cuda.floats(addresses[name], shape).copy() for name, shape in shapes.items()}
            launched = self.reference.launch(stage, values)
            results = [launched.output, *launched.state.values()] if isinstance(launched, Step) else [launched]
            for (output, shape), result in zip(outputs, results):
                np.copyto(self.cuda.floats(addresses[output], (batch, *shape)), result)

        reads, writes = [addresses[name] for name in shapes], [addresses[name] for name, _ in outputs]
        return self.cuda.work(stream, reads, writes, compute)
