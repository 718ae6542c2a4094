"""What the process of the page does for a photo, without a server: the same as `blindbench deblur`."""

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark.app import options, worker
from benchmark.app.options import Options
from benchmark.core.errors import InputError
from benchmark.core.images import read_image, write_image, write_kernel_image
from benchmark.core.photos import read_photo
from benchmark.core.types import Restoration, Status
from benchmark.tools import search
from benchmark.tools.deblur import deblur_photo
from benchmark.tools.measures import visible
from benchmark.tools.streaks import kernel_of_streak
from tests.benchmark.tools.conftest import line_kernel


class Pipe:
    """The end of a pipe: `wishes` come, and when there are no more, the work ends."""

    def __init__(self, *wishes):
        self.wishes, self.sent = list(wishes), []

    def send(self, event):
        self.sent.append(event)

    def get(self):
        if not self.wishes:
            raise StopIteration
        return self.wishes.pop(0)

    def empty(self):
        return True

    def of(self, kind):
        return [event for event in self.sent if event["kind"] == kind]


def right(part, size):
    return Restoration(Status.OK, kernels=line_kernel(size, 9)[None].astype(np.float32))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run(image, *wishes, **options)` works on an image (C, H, W), saved with options `save`."""
    monkeypatch.setattr("benchmark.tools.search.OneImage", lambda *arguments: right)

    def work(image, *wishes, save=(), **options):
        path = tmp_path / "upload.png"
        if isinstance(image, np.ndarray):
            write_image(path, image)
        else:
            image.save(path, **dict(save))
        pipe = Pipe(*wishes)
        with pytest.raises(StopIteration):
            worker._Work(pipe, tmp_path, "mine.png", read_photo(path), pipe, Options(**options)).run()
        return pipe

    return work


def test_the_suggested_result_is_that_of_deblur(run, pair, tmp_path):
    pipe = run(pair[1])
    expected = deblur_photo(read_image(tmp_path / "upload.png"), right)
    (best,), (result,) = pipe.of("best"), pipe.of("result")
    assert result["number"] == best["number"]
    assert (result["trusted"], result["sentence"]) == (expected.verdict.trusted, expected.verdict.sentence)
    write_image(tmp_path / "expected.png", expected.image)
    for name in ("before", "after"):  # the part, pixel for pixel: here the whole photo
        assert Image.open(tmp_path / f"{name}-{best['number']}.png").size == pair[1].shape[:0:-1]
    written = tmp_path / f"result-{best['number']}.png"
    assert np.array_equal(read_image(written), read_image(tmp_path / "expected.png"))


def test_candidates_come_one_by_one_and_their_verdicts_follow_the_others(run, pair, tmp_path):
    events = run(pair[1]).of("candidate")
    assert [event["number"] for event in events] == [1, 1, 2, 1, 2, 3]  # 15 and 31 px, and 21 px between
    assert "only one kernel size was tried" in events[0]["sentence"]
    assert "the kernels of different sizes agree" in events[1]["sentence"]
    for name in ("part-1", "candidate-1", "kernel-1", "part-2", "candidate-2", "kernel-2", "photo"):
        assert (tmp_path / f"{name}.png").exists()
    kernel = Image.open(tmp_path / "kernel-2.png")
    assert kernel.size == (374, 374)  # 11 px, the line of 9 px and a rim, each drawn as 34 x 34 px


def test_another_size_and_another_candidate_can_be_asked_for(run, pair):
    pipe = run(pair[1], {"size": 25}, {"restore": 4}, {"restore": 4}, {"restore": 99}, {"size": 999})
    assert [event["size"] for event in pipe.of("candidate")][-1] == 25
    assert [event["number"] for event in pipe.of("result")][-1] == 4
    assert len(pipe.of("result")) == 2
    assert "the kernel size 999 is larger than the photo" in pipe.of("error")[0]["message"]


def test_a_size_that_was_tried_is_shown_and_counts_once(run, pair):
    pipe = run(pair[1], {"size": 25}, {"size": 25}, {"size": 15})
    assert [event["number"] for event in pipe.of("known")] == [4, 1]
    assert {event["size"] for event in pipe.of("candidate")} == {15, 21, 25, 31}


@pytest.mark.parametrize(
    ("effort", "sizes", "network"),
    [("low", {15, 31}, 0), ("normal", {15, 21, 31}, 0), ("high", {15, 21, 31}, 1)],
)
def test_effort_adds_sizes_and_a_network(run, pair, monkeypatch, effort, sizes, network):
    monkeypatch.setattr("benchmark.tools.deblur.AGREEMENT", 2.0)  # as if the kernels disagreed
    pipe = run(pair[1], effort=effort)
    assert {event["size"] for event in pipe.of("candidate")} == sizes
    titles = {event["title"] for event in pipe.of("candidate")}
    assert sum(title.endswith("by a network") for title in titles) == network


def test_the_kernel_is_found_on_the_part_that_is_drawn(run, pair, tmp_path):
    run(pair[1], part="4,6,70,60")
    assert Image.open(tmp_path / "part-1.png").size == (70, 60)


def test_the_options_of_a_page_are_those_of_the_search():
    assert (options.Blur, options.Effort) == (search.Blur, search.Effort)


def test_a_kernel_of_ones_own_is_the_only_candidate(run, pair, tmp_path):
    np.save(tmp_path / "kernel.npy", line_kernel(15, 9))
    pipe = run(pair[1], kernel="mine.npy")
    assert {event["title"] for event in pipe.of("candidate")} == {"given kernel, 15 px"}
    assert [event["number"] for event in pipe.of("result")] == [1]
    assert "with the given kernel, the result matches the photo" in pipe.of("result")[0]["sentence"]


def test_the_streak_that_is_framed_is_the_kernel(run, pair, tmp_path):
    kernel = line_kernel(15, 9)
    blurry = pair[1].copy()
    blurry[:, :19, :19] = 0
    blurry[:, 2:17, 2:17] = kernel / kernel.max()
    pipe = run(blurry, streak="0,0,19,19")
    assert [event["number"] for event in pipe.of("result")] == [1]
    write_kernel_image(
        tmp_path / "expected.png",
        visible(kernel_of_streak(read_image(tmp_path / "upload.png"), (slice(19), slice(19)))),
    )
    assert (tmp_path / "kernel-1.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_a_part_outside_the_photo_and_a_file_without_a_kernel_are_refused(run, pair, tmp_path):
    with pytest.raises(InputError, match="part 0,0,999,9: does not lie in the photo"):
        run(pair[1], part="0,0,999,9")
    (tmp_path / "kernel.npz").write_bytes(b"no kernel")
    with pytest.raises(InputError, match=r"kernel\.npz: "):
        run(pair[1], kernel="mine.npz")


def test_what_of_the_file_is_not_read_and_not_written_is_told(run, pair):
    file = Image.fromarray((255 * pair[1][0]).astype(np.uint8))
    text = PngInfo()
    text.add_text("Author", "me")
    pipe = run(file, save={"pnginfo": text})
    assert pipe.of("opened")[0]["notes"] == ["not read from the photo: its text (Author)"]
    assert pipe.of("result")[0]["notes"] == []


def test_a_photo_without_edges_gets_a_sentence(run):
    pipe = run(np.full((1, 64, 64), 0.5, np.float32))
    assert pipe.of("nothing")[0]["sentence"].startswith("nothing was done to the photo")


def test_transparency_is_kept_and_large_photos_are_shown_reduced(run, tmp_path, monkeypatch, pair):
    monkeypatch.setattr(worker, "LARGEST_VIEW", 60)
    pixels = np.concatenate([np.repeat(pair[1][:1], 3, axis=0), np.full_like(pair[1][:1], 0.5)])
    number = run(pixels).of("best")[0]["number"]
    assert Image.open(tmp_path / f"result-{number}.png").mode == "RGBA"
    assert max(Image.open(tmp_path / f"view-{number}.png").size) == 60
    assert max(Image.open(tmp_path / "photo.png").size) == 60
