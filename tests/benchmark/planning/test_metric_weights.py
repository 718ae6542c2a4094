"""The weights of metrics: downloaded where the config accepts their terms, and missed without a failure."""

import functools
import hashlib
import http.server
import threading
from dataclasses import replace

import pytest

from benchmark.data.sources import find_source
from benchmark.planning import metric_weights
from benchmark.planning.config import make_plan
from benchmark.planning.metric_weights import get_weights, weights_remark
from benchmark.scoring import iqa
from benchmark.scoring.metrics import METRICS

CONTENT = b"stands for the weights"
COMMAND = "blindbench download metric-weights --accept-terms"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """An empty machine; downloads go to the folder of the test."""
    monkeypatch.setenv("BLINDBENCH_MIRROR", "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for module in ("benchmark.scoring.iqa", "benchmark.data.download"):
        monkeypatch.setattr(f"{module}.data_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def served(monkeypatch, tmp_path_factory):
    """The address of a server that has the file, with its checksum in place of the real one's."""
    site = tmp_path_factory.mktemp("site")
    (site / iqa.ALEXNET).write_bytes(CONTENT)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    put(monkeypatch, f"http://127.0.0.1:{server.server_port}/{iqa.ALEXNET}")
    yield
    server.shutdown()
    server.server_close()


def put(monkeypatch, url):
    source = find_source(iqa.SOURCE)
    checksum = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    archives = (replace(source.archives[0], url=url, checksum=checksum),)
    monkeypatch.setattr(metric_weights, "find_source", lambda name: replace(source, archives=archives))


def plan(**changes):
    config = {
        "profile": "mine",
        "caption": "A test.",
        "datasets": ["demo-uniform"],
        "methods": {"blurry": {}},
    }
    config |= {"metrics": ["psnr", "lpips"], "accept_terms": [iqa.SOURCE], **changes}
    return make_plan(config, "mine.yaml")


def said(of_plan):
    lines = []
    get_weights(of_plan, lines.append)
    return lines


def test_they_are_downloaded_once(served, folder):
    assert METRICS["lpips-alex"].missing_weights
    assert weights_remark(plan()) == "weights of LPIPS (AlexNet) will be downloaded (244 MB)"
    lines = said(plan())
    assert "BSD-3-Clause" in lines[0]  # the terms
    assert lines[-1] == f"metric-weights: all there, in {folder / iqa.SOURCE}"
    assert (folder / iqa.SOURCE / iqa.ALEXNET).read_bytes() == CONTENT
    assert not METRICS["lpips-alex"].missing_weights
    assert said(plan()) == []
    assert weights_remark(plan()) == ""


def test_without_a_network_one_line_says_what_is_missing(monkeypatch, folder):
    put(monkeypatch, f"http://127.0.0.1:1/{iqa.ALEXNET}")
    *_, line = said(plan())
    assert line.startswith("no values of LPIPS (AlexNet), all else runs: http://127.0.0.1:1/")
    assert "no connection to 127.0.0.1" in line
    assert METRICS["lpips-alex"].missing_weights


def test_another_file_is_not_taken(served, monkeypatch, folder):
    source = find_source(iqa.SOURCE)
    url = metric_weights.find_source("").archives[0].url
    wrong = (replace(source.archives[0], url=url),)
    monkeypatch.setattr(metric_weights, "find_source", lambda name: replace(source, archives=wrong))
    *_, line = said(plan())
    assert line.startswith("no values of LPIPS (AlexNet), all else runs: ")
    assert METRICS["lpips-alex"].missing_weights


@pytest.mark.parametrize("changes", [{"accept_terms": []}, {"metrics": ["psnr", "niqe", "brisque", "piqe"]}])
def test_nothing_is_fetched_without_need_or_consent(changes, served, folder):
    assert said(plan(**changes)) == []
    assert not list(folder.iterdir())


def test_the_plan_says_how_to_get_them():
    assert weights_remark(plan(accept_terms=[])) == f"weights of LPIPS (AlexNet) are missing: {COMMAND}"
