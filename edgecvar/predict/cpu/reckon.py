"""What a stage takes on a fitted machine, kernel by kernel."""

from __future__ import annotations

from typing import List, Literal, Union

from edgecvar.bundle.precision import Precision
from edgecvar.predict.cpu.fusion import cpu_kernels
from edgecvar.predict.cpu.kernels import Kernel
from edgecvar.predict.cpu.machine import REST, Machine, from_memory
from edgecvar.predict.graph import Graph, read_graph
from edgecvar.predict.prediction import LayerTime


def predict_stage_cpu(stage: Union[Graph, bytes], precision: Precision, machine: Machine) -> List[LayerTime]:
    """One call's kernels in their order, the call itself last; raises BundleError where the graph cannot be read."""
    graph = stage if isinstance(stage, Graph) else read_graph(stage)
    kernels = cpu_kernels(graph)
    tensors = max(len(graph.inputs) + len(graph.outputs) - 2, 0)
    share = from_memory(sum(each.layer.weights for each in kernels), machine.kept)
    times = [_time(each, machine, share) for each in kernels]
    call = LayerTime(
        name="call",
        kind="movement",
        precision=precision,
        nodes=[],
        multiply_adds=0,
        bytes=0,
        ms=(machine.overhead + tensors * machine.tensor) * 1e-3,
        bound="launch",
    )
    return [*times, call]


def _time(kernel: Kernel, machine: Machine, far_share: float) -> LayerTime:
    layer = kernel.layer
    routine = kernel.routine if kernel.routine in machine.routines else REST
    far_share = far_share if layer.weights else 0.0
    # What the first row of a batch brought from memory is there for the others.
    seconds = machine.seconds(routine, layer, far_share) + (kernel.times - 1) * machine.seconds(routine, layer, 0.0)
    return LayerTime(
        name=layer.name,
        kind=kernel.routine,
        precision=layer.precision,
        nodes=list(layer.nodes),
        multiply_adds=layer.multiply_adds * kernel.times,
        bytes=layer.moved * kernel.times,
        ms=seconds * 1e3,
        bound=_bound(machine, kernel, seconds),
    )


def _bound(machine: Machine, kernel: Kernel, seconds: float) -> Literal["compute", "memory", "launch"]:
    layer = kernel.layer
    if seconds * 1e6 < 2 * machine.floor:
        return "launch"
    gops = machine.gops_int8 if layer.precision == "int8" else machine.gops
    return "compute" if 2 * layer.multiply_adds / gops > layer.moved / machine.gb_per_s else "memory"
