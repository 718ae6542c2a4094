"""What decides whether a result is stale."""

from dataclasses import replace
from pathlib import Path

from benchmark.runs import provenance
from methods.parts import registry
from methods.parts.settings import compose
from methods.selfdeblur import Settings


def test_code_hash_covers_what_a_method_imports_and_no_other_method():
    sources = provenance.closure("methods.selfdeblur")
    assert {
        "methods.selfdeblur",
        "methods.parts.fit",
        "methods.parts.solver",
        "benchmark.blur.convolution",
    } <= set(sources)
    assert "methods.blurry" not in sources
    assert "methods.parts.registry" not in sources


def test_code_and_files_cover_the_methods_that_the_settings_make_it_run(monkeypatch):
    cold, warm = Settings(), compose(Settings, start="l0-grad")
    method = registry.find("selfdeblur")
    assert provenance.code_of(method, cold) == provenance.code_hash("methods.selfdeblur")
    assert provenance.code_of(method, warm) == provenance.code_hash("methods.selfdeblur", "methods.l0_grad")
    assert provenance.code_of(method, warm) != provenance.code_of(method, cold)
    assert "methods.l0_grad" not in provenance.closure("methods.selfdeblur")

    used = replace(registry.find("l0-grad"), files=lambda case, settings: [Path(f"{case}.weights")])
    monkeypatch.setattr(registry, "find", lambda name: used)
    assert provenance.files_of(method, cold, "a") == []
    assert provenance.files_of(method, warm, "a") == [Path("a.weights")]
