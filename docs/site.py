"""Complete the site of the documentation: pages that lie outside this folder, and the reference.

MkDocs calls the functions `on_...` (see `hooks` in mkdocs.yml). In the repository every link is relative to
its file, so that it works there. Here links to pages become links within the site, and other linked files are
copied into it.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from typer.cli import get_docs_for_click

from benchmark.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
# Pages outside docs/, by their names in the site.
OUTSIDE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
    "config.md": "config/README.md",
    "datasets.md": "datasets/README.md",
    "results.md": "results/README.md",
}
COPIED = "files"  # the folder of the site for files that pages link to
# The packages of the reference, a page each: what a Python program calls, and what methods are made of.
REFERENCE = (
    "blindbench",
    "blindbench.adapters",
    "benchmark.core",
    "benchmark.blur",
    "methods.parts",
    "benchmark.data",
    "benchmark.runs",
    "benchmark.scoring",
)
EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)  # up to the next blank line
LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<target>[^)\s#:]+)(?P<place>#[^)\s]*)?\)")


class ExamplesAsCode(griffe.Extension):
    """Marks the examples of docstrings as code; as plain Markdown `>>>` would be a quotation."""

    def on_object(self, *, obj: griffe.Object, **others: Any) -> None:
        """Mark those of one module, class or function."""
        del others
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, the files that pages link to, and the reference."""
    for uri, path in OUTSIDE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    pages = [file for file in files if file.is_documentation_page()]
    while paths := sorted({path for page in pages for path in _linked_files(page)} - _copied(files)):
        copies = [File.generated(config, f"{COPIED}/{path}", abs_src_path=str(ROOT / path)) for path in paths]
        for copy in copies:
            files.append(copy)
        pages = [copy for copy in copies if copy.is_documentation_page()]
    files.append(File.generated(config, "reference/commands.md", content=_commands()))
    for package in REFERENCE:
        files.append(File.generated(config, f"reference/{package}.md", content=_package_page(package)))
    return files


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """List the pages of the reference."""
    (reference,) = [item for item in nav.items if item.title == "Reference"]
    for package in REFERENCE:
        file = files.src_uris[f"reference/{package}.md"]
        page = file.page or Page(package, file, config)
        page.parent = reference
        reference.children.append(page)
        nav.pages.append(page)
    return nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links within the site."""
    del config, files

    def within_site(match: re.Match[str]) -> str:
        path = _resolved(own, match["target"])
        if (ROOT / path).is_dir():  # a folder without a page
            return match["text"]
        target = posixpath.relpath(_in_site(path), posixpath.dirname(page.file.src_uri))
        return f"[{match['text']}]({target}{match['place'] or ''})"

    own = _in_repository(page.file.src_uri)
    return markdown if own is None else LINK.sub(within_site, markdown)


def _in_repository(uri: str) -> str | None:
    """Return the path in the repository of a page of the site; None for a page of the reference."""
    if uri in OUTSIDE:
        return OUTSIDE[uri]
    if uri.startswith(f"{COPIED}/"):
        return uri.removeprefix(f"{COPIED}/")
    return None if uri.startswith("reference/") else f"docs/{uri}"


def _in_site(path: str) -> str:
    """Return the name in the site of a file of the repository."""
    pages = {own: uri for uri, own in OUTSIDE.items()}
    if path in pages:
        return pages[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{COPIED}/{path}"


def _resolved(page: str, target: str) -> str:
    """Return the path in the repository of what a page links to; a folder stands for its README, if any."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    return f"{path}/README.md" if (ROOT / path / "README.md").exists() else path


def _linked_files(file: File) -> Iterator[str]:
    """Yield the files of the repository that a page links to and that the site does not have yet."""
    own = _in_repository(file.src_uri)
    if own is None:
        return
    for match in LINK.finditer(file.content_string):
        path = _resolved(own, match["target"])
        if _in_site(path).startswith(f"{COPIED}/") and not (ROOT / path).is_dir():
            yield path


def _copied(files: Files) -> set[str]:
    """Return the paths in the repository of the files that are copied into the site."""
    return {uri.removeprefix(f"{COPIED}/") for uri in files.src_uris if uri.startswith(f"{COPIED}/")}


def _commands() -> str:
    """Write the page of all verbs from their own help."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="blindbench")
    return get_docs_for_click(obj=command, ctx=context, name="blindbench", title="Commands")


def _package_page(package: str) -> str:
    """Write a page with all modules of a package."""
    folder = ROOT / package.replace(".", "/")
    modules = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
        if path.stat().st_size
    )
    return "\n\n".join([f"# {package}", *(f"::: {module}" for module in modules)]) + "\n"
