"""What MkDocs is told beside mkdocs.yml: pages made of the code, and a look at what was built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

from api_pages import api_page
from cli_pages import cli_pages
from links import BESIDE, relink
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import notebook_pages

TOP = Path(__file__).resolve().parents[2]
LOG = get_plugin_logger("edgecvar")  # a warning fails a strict build
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)")
IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The verbs' pages in the place of `cli/`."""
    titles = [{page.title: page.path} for page in cli_pages()]
    config.nav = [_with_verbs(entry, titles) for entry in config.nav or []]
    return config


def _with_verbs(entry: Any, titles: List[Dict[str, str]]) -> Any:
    if isinstance(entry, dict):
        return {title: titles if below == "cli/" else _with_verbs(below, titles) for title, below in entry.items()}
    return [_with_verbs(each, titles) for each in entry] if isinstance(entry, list) else entry


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are no file of docs/: of commands, docstrings, notebooks and documents beside docs/."""
    made: Dict[str, Any] = {page.path: page.text for page in cli_pages()}
    made["api.md"] = api_page()
    made.update({page: (TOP / document).read_text(encoding="utf-8") for document, page in BESIDE.items()})
    made.update(notebook_pages(TOP / "docs" / "notebooks", TOP / "build" / "notebooks"))
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **others: Any) -> str:
    """Links of the repository's documents as links of the site."""
    return relink(markdown, page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Nothing that a browser loads by itself may lie elsewhere."""
    site = Path(config.site_dir)
    for file in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        for address in _loaded(file):
            LOG.warning(f"{file.relative_to(site)}: loads {address}; a reader may have no network")


def _loaded(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    yield from IN_STYLES.findall(text)
    if file.suffix == ".html":
        yield from LOADED.findall(text)
