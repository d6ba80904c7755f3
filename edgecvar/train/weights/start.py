"""Weights to start from: a run of this toolkit, shipped ones, published state dicts for the backbones, or "imagenet".

What a file does not have starts afresh: added modules, a classifier of other classes. One line says what was taken.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Sequence, Set, Tuple, Union

from torch import Tensor, nn

from edgecvar.clips.spec import InputSpec
from edgecvar.errors import ConfigError, unknown_name
from edgecvar.nets.network import Network
from edgecvar.train.checkpoint import Checkpoint, load_checkpoint, load_tensors
from edgecvar.train.weights.published import COUNTER, IMAGENET, backbones_of, first_convolution, published_weights
from edgecvar.train.weights.sources import weights_file

Weights = Union[Sequence[str], Mapping[str, Sequence[str]]]
"""What a recipe's `weights` holds: sources, or sources by the part that they are for."""

SCALES = (
    *("image_mean", "image_std", "velocity_unit", "velocity_limit", "velocity_per", "residual_unit", "accumulate"),
    *("rate", "pictures"),
)
"""Of an InputSpec: weights learnt with others saw other numbers, or saw them at other times."""

LISTED = 6
"""Names in one line at most."""


def start_from(network: Network, weights: Weights, spec: InputSpec, labels: Sequence[str]) -> str:
    """Copy weights into a new network; returns one line that says what was taken and what starts afresh.

    `weights`: one run, by its folder (its best.pt), a checkpoint in it, or the name of a shipped one; or one or more of
    published state dicts and "imagenet", of which every backbone takes the first that fits; or such lists by the parts
    of the network that they are for. `spec`, `labels`: what the network will see and tell apart. Of a checkpoint start
    afresh: a first convolution of other input channels, a classifier where labels differ, and modules outside of
    backbones of which it has nothing. Raises ConfigError where a file fits no backbone, or none fits a backbone.
    """
    parts = weights if isinstance(weights, Mapping) else {"": weights}
    taken: Set[str] = set()
    lines: List[str] = []
    for part, sources in parts.items():
        prefix = _prefix(network, part)
        tensors, line = _take(network, prefix, sources, (spec, labels))
        network.load_state_dict(tensors, strict=False)
        taken.update(tensors)
        lines.append(f"{part}: {line}" if part else line)
    afresh = list(_untaken(network, "", taken))
    return "; ".join(lines) + (f"; afresh: {_listed(afresh)}" if afresh else "")


def _prefix(network: Network, part: str) -> str:
    """What the names in a part begin with; raises ConfigError where there is no such part."""
    if part and part not in dict(network.named_modules()):
        raise unknown_name("part", part, [name for name, _ in network.named_children()], " in weights")
    return f"{part}." if part else ""


Purpose = Tuple[InputSpec, Sequence[str]]
"""What a network will see, and what it will tell apart."""


def _take(network: Network, prefix: str, sources: Sequence[str], purpose: Purpose) -> Tuple[Dict[str, Tensor], str]:
    """What the network, or the part whose names begin so, takes of its sources, and a line that says so."""
    files = {source: None if source == IMAGENET else weights_file(source) for source in sources}
    documents: Dict[str, Any] = {source: None if file is None else load_tensors(file) for source, file in files.items()}
    for source, file in files.items():
        if file is not None and "schema" in documents[source]:
            if len(documents) > 1:
                raise ConfigError(f"{source}: a checkpoint is the whole network; leave the other files of weights out")
            return _of_checkpoint(network, prefix, load_checkpoint(file), source, purpose)
    backbones = {name: each for name, each in backbones_of(network).items() if f"{name}.".startswith(prefix)}
    return published_weights(backbones, documents, purpose[0])


def _of_checkpoint(
    network: Network, prefix: str, checkpoint: Checkpoint, source: str, purpose: Purpose
) -> Tuple[Dict[str, Tensor], str]:
    spec, labels = purpose
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(prefix)}
    state, other_labels = checkpoint.state, list(labels) != checkpoint.labels
    fitting = {
        name: tensor
        for name, tensor in state.items()
        if name in own
        and isinstance(tensor, Tensor)
        and tensor.shape == own[name].shape
        and not (other_labels and _is_classifier(network, name))
    }
    for name in own:
        if name not in fitting and not _may_start_afresh(network, name, own[name], state):
            raise ConfigError(
                f"{source}: no weights of shape {tuple(own[name].shape)} for {name} in it, which is of "
                f"{checkpoint.model} at {checkpoint.input.width} x {checkpoint.input.height}{_found(state, name)}; set "
                "network and input as there, or name the parts that agree"
            )
    if not fitting:
        raise ConfigError(f"{source}: nothing in it is of this network; give a run of a network that shares parts")
    line = f"{source}: {len(fitting)} tensors taken"
    if other_labels:
        line += f", it tells other classes apart ({_listed(checkpoint.labels)})"
    unused = [name for name in state if name.startswith(prefix) and name not in own]
    if unused:
        parts = sorted({name.partition(".")[0] for name in unused})
        line += f", {len(unused)} left out ({_listed(parts)})"
    return fitting, line + _other_scales(checkpoint.input, spec)


def _found(state: Mapping[str, Any], name: str) -> str:
    return f" and has {tuple(state[name].shape)}" if isinstance(state.get(name), Tensor) else ""


def _other_scales(learnt: InputSpec, spec: InputSpec) -> str:
    differing = [key for key in SCALES if getattr(learnt, key) != getattr(spec, key)]
    return "".join(f", learnt with input.{key}={getattr(learnt, key)}" for key in differing)


def _may_start_afresh(network: Network, name: str, own: Tensor, state: Mapping[str, Any]) -> bool:
    """Whether a classifier differs, or a first convolution in its input channels, or nothing of a module is there."""
    module, backbones, other = name.rpartition(".")[0], backbones_of(network), state.get(name)
    if not isinstance(other, Tensor):
        inside = any(name.startswith(f"{place}.") for place in backbones)
        return not inside and not any(each.startswith(f"{module}.") for each in state)
    if _is_classifier(network, name):
        return own.shape[1:] == other.shape[1:]
    firsts = [f"{place}.{first_convolution(part)}" for place, part in backbones.items()]
    return name in firsts and own.shape[:1] + own.shape[2:] == other.shape[:1] + other.shape[2:]


def _is_classifier(network: Network, name: str) -> bool:
    layer = network.get_submodule(name.rpartition(".")[0])
    return isinstance(layer, nn.Linear) and layer.out_features == network.classes


def _untaken(module: nn.Module, place: str, taken: Set[str]) -> Iterator[str]:
    """The largest parts that nothing was copied into, and single tensors beside ones that were."""
    names = [f"{place}{name}" for name in module.state_dict() if not name.endswith(COUNTER[1:])]
    left = [name for name in names if name not in taken]
    if left and len(left) == len(names) and place:
        yield place[:-1]
        return
    children = dict(module.named_children())
    for name, child in children.items():
        yield from _untaken(child, f"{place}{name}.", taken)
    yield from (name for name in left if name[len(place) :].partition(".")[0] not in children)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{', '.join(names[:LISTED])}{more}"
