"""The sources that were added on the page, kept in a file of their own."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Dict, Optional

from pydantic import BaseModel, ConfigDict, ValidationError

from edgecvar.config import mistake
from edgecvar.documents import parse_json, read_text
from edgecvar.errors import ConfigError, EdgecvarError, reason
from edgecvar.files import whole_file
from edgecvar.serve.configuration.config import SourceConfig


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sources: Dict[str, SourceConfig] = {}


def added_file(config: Path, state: Optional[Path]) -> Path:
    """Where what is added is kept: in `state`, in the folder that systemd gives, or beside the configuration."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    folder = state or (Path(given) if given else config.absolute().parent)
    return folder / f"{config.stem}.added.json"


class Added:
    """Read once; written whole, for its owner's eyes alone, as URIs may hold passwords."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.sources: Dict[str, SourceConfig] = {}
        if file.exists():
            try:
                kept = _Kept.model_validate(parse_json(read_text(file)))
            except ValidationError as error:
                raise ConfigError(f"{file}: {mistake(error, _Kept)}; mend the file, or delete it") from error
            except (OSError, ValueError) as error:
                raise ConfigError(f"{file}: cannot be read ({reason(error)}); mend the file, or delete it") from error
            self.sources = dict(kept.sources)

    def put(self, name: str, source: SourceConfig) -> str:
        """Why it is kept until the next start only; empty where it is written down."""
        self.sources[name] = source
        return self._write()

    def drop(self, name: str) -> str:
        self.sources.pop(name, None)
        return self._write()

    def _write(self) -> str:
        kept = {name: source.model_dump(exclude_defaults=True) for name, source in self.sources.items()}
        try:
            with suppress(FileExistsError):
                self.file.parent.mkdir(parents=True)
            with whole_file(self.file) as draft:
                draft.chmod(0o600)
                draft.write_text(json.dumps({"sources": kept}, indent=2), encoding="utf-8")
        except (OSError, EdgecvarError) as error:
            return f"known until the next start only: {self.file} cannot be written ({reason(error)})"
        return ""
