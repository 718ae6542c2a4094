"""Change the code of methods in small ways, one at a time, and report which changes no test notices.

    python tests/mutants.py [module ...]     # modules of tests/mutants.yaml; all if none: `make mutants`

Cosmic Ray makes the mutants (the extra `mutants`). Each runs in a process of its own, forked from this one,
which has loaded the libraries; the files of the repository stay as they are. `tests/mutants.yaml` says which
modules, which tests, how many mutants of a module are drawn, and why one that survives is harmless. Outcomes
are kept in results/mutants.csv; docs/mutants.md is written from it.
"""

import ast
import csv
import importlib.abc
import importlib.util
import os
import random
import resource
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from _pytest.config import default_plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parents[1]
# What methods and tests import and what holds no code under test: imported once, before any fork.
LIBRARIES = [
    "hypothesis", "jsonschema", "PIL.Image", "pydantic", "safetensors.torch", "scipy.ndimage",
    "scipy.optimize", "scipy.signal", "scipy.sparse.linalg", "skimage.data", "skimage.io", "skimage.metrics",
    "skimage.morphology", "skimage.restoration", "skimage.transform", "torch._dynamo",
    *(f"_pytest.{plugin}" for plugin in default_plugins),
    *(
        f"benchmark.{room}.{path.stem}"
        for room in ("core", "blur")
        for path in (ROOT / "benchmark" / room).glob("[a-z]*.py")
    ),
]  # fmt: skip
CONFIG = yaml.safe_load((ROOT / "tests" / "mutants.yaml").read_text())
OUTCOMES = ROOT / "results" / "mutants.csv"
REPORT = ROOT / "docs" / "mutants.md"
COLUMNS = ("module", "of", "line", "mutant", "outcome")
LIMIT = 120  # seconds of a processor for the tests of one mutant, which may never end
SOUND = []  # tests that pass without a mutation
KILLED, SURVIVED = "killed", "survived"


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from a text instead of its file."""

    def __init__(self, name, path, source):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, fullname, path=None, target=None):
        return (
            importlib.util.spec_from_file_location(fullname, self.path, loader=self)
            if fullname == self.name
            else None
        )

    def get_filename(self, fullname):
        return str(self.path)

    def get_data(self, path):
        return self.source.encode()


def places(source, fields=False):
    """List where a source can be changed, from top to bottom: (line, operator, occurrence).

    With `fields`, only in the defaults of settings: values of annotated lines right within a class.
    """
    tree, skipped, listed = get_ast(source), without_meaning(source), []
    classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
    defaults = [line.value for node in classes for line in node.body if isinstance(line, ast.AnnAssign)]
    rows = {row for value in defaults if value for row in range(value.lineno, value.end_lineno + 1)}
    for name in CONFIG["operators"]:
        operator = get_operator(f"core/{name}")()
        starts = [start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node)]
        for occurrence, place in enumerate(starts):
            if any(start <= place < end for start, end in skipped):
                continue
            if not fields or place[0] in rows:
                listed.append((place[0], name, occurrence))
    return sorted(listed)


def without_meaning(source):
    """List the spans (start, end) of annotations and of `@dataclass`: they do nothing in a run."""
    tree = ast.parse(source)
    nodes = []
    for node in ast.walk(tree):
        nodes += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        nodes += [line for line in getattr(node, "decorator_list", ()) if "dataclass" in ast.unparse(line)]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):  # an alias of a type
            nodes += (
                [node.value] if ast.unparse(node.value).startswith(("Callable", "Literal", "tuple")) else []
            )
    # Cosmic Ray counts a decorator from its @.
    return [((n.lineno, n.col_offset - 1), (n.end_lineno, n.end_col_offset)) for n in nodes if n is not None]


def first_difference(source, mutant):
    """Return the first line that differs, before and after."""
    for before, after in zip(source.splitlines(), mutant.splitlines(), strict=False):
        if before != after:
            return before.strip(), after.strip()
    return source.splitlines()[-1].strip(), "(removed)"


def outcome(name, path, mutant, tests):
    """Run the tests on a mutant, in a process of its own."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.meta_path.insert(0, Mutated(name, path, mutant))
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests])
        os._exit(0 if code == pytest.ExitCode.OK else 1)
    _, status = os.waitpid(child, 0)
    return SURVIVED if status == 0 else KILLED


def files_of(entry):
    """List the tests of a module of the config."""
    return [f"tests/methods/{name}" for name in [*CONFIG["always"], *entry["tests"]]]


def try_module(module):
    """Try the mutants of a module; a sample where there are too many."""
    path = ROOT / module
    name = module.removesuffix(".py").replace("/", ".")
    source = path.read_text()
    tests = files_of(CONFIG["modules"].get(module, {"tests": []}))
    if tests not in SOUND:
        assert outcome(name, path, source, tests) == SURVIVED, f"{module}: its tests fail without a mutation"
        SOUND.append(tests)
    every = places(source, fields=module in CONFIG["fields"])
    most = CONFIG["at_most" if module in CONFIG["modules"] else "at_most_fields"]
    drawn = random.Random(f"{CONFIG['seed']} {module}").sample(every, len(every))[:most]
    for row, operator, occurrence in sorted(drawn):
        mutant = mutate_code(source, get_operator(f"core/{operator}")(), occurrence)
        before, after = first_difference(source, mutant)
        result = outcome(name, path, mutant, tests)
        if result == SURVIVED:
            print(f"{module}:{row}: survived\n    - {before}\n    + {after}", flush=True)
        yield dict(zip(COLUMNS, (module, len(every), before, after, result), strict=True))


def try_named():
    """Try the mutations that are written out in the config."""
    for entry in CONFIG["named"]:
        path = ROOT / entry["file"]
        source = path.read_text()
        assert source.count(entry["line"]) == 1, f"{entry['file']} has not one line {entry['line']!r}"
        name = entry["file"].removesuffix(".py").replace("/", ".")
        result = outcome(name, path, source.replace(entry["line"], entry["mutant"]), files_of(entry))
        print(f"{entry['what']}: {result}", flush=True)
        yield dict(zip(COLUMNS, ("named", "", entry["what"], entry["mutant"], result), strict=True))


def reason(row):
    """Return why a surviving mutant is harmless, as the config says; empty if it does not."""
    entries = CONFIG["harmless"].get(row["module"], {})
    return entries.get(f"{row['line']} -> {row['mutant']}", entries.get(row["line"], ""))


def cells(*texts):
    """Format a row of a table."""
    return "| " + " | ".join(str(text).replace("|", "\\|") for text in texts) + " |"


def report(rows):
    """Write the outcomes as a page."""
    named = [cells(row["line"], row["outcome"]) for row in rows if row["module"] == "named"]
    modules, survivors = [], []
    for module in [*CONFIG["modules"], *CONFIG["fields"]]:
        own = [row for row in rows if row["module"] == module]
        left = [row for row in own if row["outcome"] == SURVIVED]
        if own:
            modules.append(cells(f"`{module}`", own[0]["of"], len(own), len(own) - len(left), len(left)))
        else:
            modules.append(cells(f"`{module}`", "", "not yet", "", ""))
        survivors += [
            cells(f"`{module}`", f"`` {row['line']} ``", f"`` {row['mutant']} ``", reason(row))
            for row in left
        ]
    lines = [
        (ROOT / "tests" / "mutants.md").read_text().rstrip(),
        "", "## Mistakes in printed numbers", "",
        "| mistake | outcome |", "| --- | --- |", *named,
        "", "## Modules", "",
        "| module | possible | tried | killed | survived |", "| --- | --- | --- | --- | --- |", *modules,
        "", "## Survivors", "",
        "| module | line | mutant | why no test has to notice |", "| --- | --- | --- | --- |", *survivors, "",
    ]  # fmt: skip
    REPORT.write_text("\n".join(lines))


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.path.insert(0, str(ROOT))
    for library in LIBRARIES:
        importlib.import_module(library)
    kept = list(csv.DictReader(OUTCOMES.open())) if OUTCOMES.exists() else []
    for module in sys.argv[1:] or ["named", *CONFIG["modules"], *CONFIG["fields"]]:
        started = time.monotonic()
        rows = list(try_named() if module == "named" else try_module(module))
        kept = [row for row in kept if row["module"] != module] + rows
        with OUTCOMES.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(kept)
        killed = sum(row["outcome"] == KILLED for row in rows)
        print(f"{module}: {killed} of {len(rows)} killed, {time.monotonic() - started:.0f} s", flush=True)
        report(kept)
