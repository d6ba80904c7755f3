"""The multiply-adds of a bundle's stages, counted on their ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping

from edgecvar.bundle.manifest import Bundle
from edgecvar.predict.fusion import fuse
from edgecvar.predict.graph import read_graph


def multiply_adds_of(files: Mapping[str, Path]) -> Dict[str, int]:
    """Of one call with one row, by stage, of fp32 files; raises BundleError for one that is no model."""
    graphs = {name: read_graph(file.read_bytes(), f"stage {name}") for name, file in files.items()}
    return {name: sum(layer.multiply_adds for layer in fuse(graph, "fp32")) for name, graph in graphs.items()}


def stage_multiply_adds(bundle: Bundle) -> Dict[str, int]:
    """Of one call with one row, by stage."""
    return multiply_adds_of({spec.name: bundle.stage_file(spec.name, "fp32") for spec in bundle.manifest.stages})
