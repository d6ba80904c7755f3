"""What two bundles differ in: what their manifests say, and which files an update has to carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Literal, Optional, Tuple

from edgecvar.bundle.contents import Contents, contents_of, recipe_of
from edgecvar.bundle.manifest import Bundle

Change = Literal["same", "changed", "added", "removed", "moved"]


@dataclass(frozen=True)
class Setting:
    """A place in the manifest, such as input.stride, and what stands there; None where nothing does."""

    place: str
    before: Any
    after: Any


@dataclass(frozen=True)
class FileChange:
    """A file by its path; `moved`: its bytes are in the older bundle under another name. Sizes None where it is not."""

    path: str
    change: Change
    bytes_before: Optional[int]
    bytes_after: Optional[int]


@dataclass(frozen=True)
class Difference:
    """`labels_added`, `labels_removed`; `labels_moved`: the same labels, in another order.

    `update_bytes`: of the files, manifest and signature that who has the first bundle lacks of the second, and
    `whole_bytes`: of all of the second. `rebuilt`: stages whose ONNX files differ, so that engines are built anew.
    """

    before: Contents
    after: Contents
    settings: Tuple[Setting, ...]
    labels_added: Tuple[str, ...]
    labels_removed: Tuple[str, ...]
    labels_moved: bool
    files: Tuple[FileChange, ...]
    rebuilt: Tuple[str, ...]
    update_bytes: int
    whole_bytes: int

    @property
    def is_none(self) -> bool:
        return self.before.bundle.manifest == self.after.bundle.manifest


def difference(before: Bundle, after: Bundle) -> Difference:
    """From one opened bundle to another; raises BundleError and OSError."""
    old, new = contents_of(before), contents_of(after)
    files = tuple(_files(old, new))
    known = {file.sha256 for file in old.files}
    same = before.manifest == after.manifest and old.signature == new.signature
    lacking = {file.sha256: file.size_bytes for file in new.files if file.sha256 not in known}
    beside = new.carried_bytes - sum(file.size_bytes for file in new.files)
    labels, former = after.manifest.labels, before.manifest.labels
    added = tuple(label for label in labels if label not in former)
    removed = tuple(label for label in former if label not in labels)
    return Difference(
        before=old,
        after=new,
        settings=tuple(_settings(_told(before), _told(after))),
        labels_added=added,
        labels_removed=removed,
        labels_moved=not added and not removed and labels != former,
        files=files,
        rebuilt=tuple(_rebuilt(old, new)),
        update_bytes=sum(lacking.values()) + (0 if same else beside),
        whole_bytes=new.carried_bytes,
    )


def _told(bundle: Bundle) -> Dict[str, Any]:
    """Of the manifest, what is not said of labels and files elsewhere; stages by their names."""
    fields = bundle.manifest.model_dump(mode="json", exclude={"labels", "files", "sha256", "seal", "stages"})
    stages = {stage.name: stage.model_dump(mode="json", exclude={"name"}) for stage in bundle.manifest.stages}
    fields["stages"] = stages
    recipe = recipe_of(bundle.manifest.provenance.recipe)
    fields["provenance"]["recipe"] = recipe
    return fields


def _settings(before: Any, after: Any, place: str = "") -> Iterator[Setting]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _settings(before.get(key), after.get(key), f"{place}.{key}" if place else str(key))
    elif before != after:
        yield Setting(place, before, after)


def _files(old: Contents, new: Contents) -> Iterator[FileChange]:
    former = {file.path: file for file in old.files}
    known = {file.sha256 for file in old.files}
    for file in new.files:
        earlier = former.pop(file.path, None)
        change: Change = "added" if earlier is None else "changed"
        if earlier is not None and earlier.sha256 == file.sha256:
            change = "same"
        elif file.sha256 in known:
            change = "moved"
        yield FileChange(file.path, change, None if earlier is None else earlier.size_bytes, file.size_bytes)
    for path, earlier in former.items():
        yield FileChange(path, "removed", earlier.size_bytes, None)


def _rebuilt(old: Contents, new: Contents) -> List[str]:
    """Stages of which some precision that both have differs, or that the older one has not."""
    former = {(file.stage, file.precision, file.strongly_typed): file.sha256 for file in old.files}
    changed = {
        file.stage for file in new.files if former.get((file.stage, file.precision, file.strongly_typed)) != file.sha256
    }
    return [stage.name for stage in new.bundle.manifest.stages if stage.name in changed]
