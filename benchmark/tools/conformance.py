"""What every method promises, as checks: a person runs them on one method, the tests on all.

The checks restore images of about 31 x 34 pixels with small settings, so that they take seconds.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from math import inf, nan, prod
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch

from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.core.images import write_image
from benchmark.core.progress import Progress, Report, silent
from benchmark.core.types import Array, KnownBlur, Observation, Restoration, Status
from benchmark.runs.settings import changed, effective
from benchmark.tools.device_reads import NoReads
from benchmark.tools.method_pages import describe_settings
from methods.parts.registry import Method
from methods.parts.settings import (
    compose,
    default_part,
    flat,
    keys_of,
    required_keys,
    types_of,
    without_effect,
)
from methods.parts.solver import Joint, Problem, Step, Task, solve

CPU = torch.device("cpu")
NOWHERE = torch.device("meta")  # tensors there have no values: whoever computes on it cannot end well
GREY, COLOUR = (1, 31, 34), (3, 32, 31)  # hardly larger than the smallest generator's kernels
KERNEL_SIZE = (5, 3)
SHAKEN, GRID = (1, 36, 40), (2, 2)  # an image under camera shake, and the nodes of its kernels
SUM_ERROR = 1e-5  # relative, of a kernel's sum in float32
ONE_PASS = 1e-5  # by which an image may differ that a network restores in one pass with others
LONG = 8  # iterations of the runs that are killed: every stage of a method has some
# What makes a method small, where it has a setting of this name.
SMALL: Mapping[str, Any] = {
    "iterations": 3,
    "channels": 4,
    "skip_channels": 2,
    "scales": 2,
    "kernel_hidden": 8,
    "patch": 5,
    "window": 2,
    "siren_width": 8,
    "stride": 500,
    "other_sizes": True,  # of a diffusion model's images
}
NOTHING: Mapping[str, Any] = {}


class BrokenPromiseError(Exception):
    """A method does not keep a promise. The message says what was seen, and what to do."""


class UncheckedError(Exception):
    """A promise cannot be checked here. The message is the reason."""


def require(holds: bool, sentence: str) -> None:
    """Raise BrokenPromiseError with `sentence` unless the promise holds."""
    if not holds:
        raise BrokenPromiseError(sentence)


def observe(
    shape: tuple[int, ...] = GREY,
    case: str = "case",
    kernel_size: tuple[int, int] | None = KERNEL_SIZE,
    grid: tuple[int, int] | None = None,
) -> Observation:
    """Make a random image as an observation; of a non-uniform blur where a `grid` of nodes is given."""
    blurry = np.random.default_rng(len(case)).random(shape, dtype=np.float32)
    if grid is None:
        return Observation("test", case, blurry, kernel_size)
    return Observation("test", case, blurry, kernel_size, blur_model="nonuniform", grid=grid)


def with_true_kernels(observation: Observation) -> KnownBlur:
    """Add a ramp as the true kernel at every node; none where no kernel size is declared."""
    if observation.kernel_size is None:
        return KnownBlur(**vars(observation), kernels=None)
    count, (h, w) = prod(observation.grid), observation.kernel_size
    ramp = np.arange(1, count * h * w + 1, dtype=np.float32).reshape(count, h, w)
    return KnownBlur(**vars(observation), kernels=ramp / ramp.sum((1, 2), keepdims=True))


def useful(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values`, settings by their keys, that a method has and that change something."""
    names = keys_of(settings)
    known = {key: value for key, value in values.items() if key in names}
    try:
        useless = without_effect(compose(settings, **known))
    except (TypeError, ValueError):  # a wrong value, which `effective` names
        useless = {}
    return {key: value for key, value in known.items() if key not in useless}


@dataclass(frozen=True)
class Subject:
    """A method under test."""

    method: Method
    folder: Path  # for the files that a check needs; empty
    given: Mapping[str, Any]  # settings as a config has them

    @classmethod
    def small(cls, method: Method, folder: Path, given: Mapping[str, Any] = NOTHING) -> "Subject":
        """Take a method with settings that make it small; those of `given` come first.

        A setting `path` without a default becomes the folder of the images.

        Raises:
            InputError: A setting of `given` is wrong, or one without a default is missing.
        """
        write_image(folder / "case.png", observe().blurry)
        files = {"path": str(folder)} if "path" in required_keys(method.settings) else {}
        overrides = {**files, **given}
        effective(method.settings, overrides, method.name)  # refuses what is wrong
        subject = cls(method, folder, useful(method.settings, {**SMALL, **overrides}))
        subject.settings()
        return subject

    def settings(self, changes: Mapping[str, Any] = NOTHING) -> Any:
        """Build the method's settings, with `changes` as far as the method has them."""
        overrides = useful(self.method.settings, {**self.given, **changes})
        return effective(self.method.settings, overrides, self.method.name)

    def task(self, observation: Observation, settings: Any = None, **more: Any) -> Task:
        """Make the solver's task of an observation, whose image lies in the folder.

        Args:
            observation: The image.
            settings: By default the small ones.
            more: As in `Task`.
        """
        write_image(self.folder / f"{observation.case}.png", observation.blurry)
        return Task(observation.case, partial(self.build, observation, settings), **more)

    def build(self, observation: Observation, settings: Any = None, device: torch.device = CPU) -> Problem:
        """Build the problem of an observation; `settings` are the small ones if None."""
        settings = self.settings() if settings is None else settings
        if self.method.needs_true_kernels and not isinstance(observation, KnownBlur):
            observation = with_true_kernels(observation)
        return self.method.problem(observation, settings, torch.Generator().manual_seed(0), device)

    def try_(self, observation: Observation) -> Restoration:
        """Restore an observation, however that ends."""
        ((_, restoration),) = solve([self.task(observation)])
        return restoration

    def restore(self, observation: Observation, **more: Any) -> Restoration:
        """Restore an observation, which must give an image; `more` as in `Task`.

        Raises:
            BrokenPromiseError: It does not.
            UncheckedError: The method declines the observation, or its weights are not here.
        """
        ((_, restoration),) = solve([self.task(observation, **more)])
        return finished(restoration)


def finished(restoration: Restoration) -> Restoration:
    """Return a restoration that has an image. Raises as `Subject.restore`."""
    if restoration.status in (Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING):
        raise UncheckedError(f"{restoration.status.value}: {restoration.reason}")
    reason = f"{restoration.status.value}: {restoration.reason}; repair it, or decline with NotSupportedError"
    require(restoration.status is Status.OK, reason)
    return restoration


def image_of(restoration: Restoration) -> Array:
    """Return the image of a restoration that has one."""
    assert restoration.image is not None
    return restoration.image


def _always(method: Method) -> bool:
    del method
    return True


@dataclass(frozen=True)
class Promise:
    """One thing that every method promises."""

    title: str  # completes 'The method ...'
    check: Callable[[Subject], None]  # raises BrokenPromiseError, or UncheckedError
    applies: Callable[[Method], bool] = _always

    def __str__(self) -> str:
        return self.title


def _treats_shake(method: Method) -> bool:
    return "nonuniform" in method.blur_models


def _iterates(method: Method) -> bool:
    return "iterations" in keys_of(method.settings)


def _iterates_on_it(method: Method) -> bool:
    return method.gpu and _iterates(method)


def check_finished(restoration: Restoration, shape: tuple[int, ...], nodes: int = 1) -> None:
    """Check what every finished restoration promises.

    Args:
        restoration: It has an image.
        shape: That the image must have.
        nodes: Those of the grid of kernels.
    """
    image = image_of(restoration)
    require(image.shape == shape, f"the image is {image.shape}, not {shape}: keep the blurry image's frame")
    require(image.dtype == np.float32 and 0 <= image.min() <= image.max() <= 1, "the image leaves [0, 1]")
    kernels = restoration.kernels
    if kernels is None:
        return
    count, h, w = kernels.shape
    require(count == nodes, f"there are {count} kernels for {nodes} nodes: return one for each node")
    fits = (h, w) == KERNEL_SIZE or min(h, w) > max(KERNEL_SIZE)
    require(fits, f"the kernels are {h} x {w}; they have the declared size {KERNEL_SIZE}, or a network's own")
    require(bool((kernels >= 0).all()), "a kernel has a negative entry: clip it, then divide by the sum")
    sums = kernels.sum((1, 2))
    is_one = np.allclose(sums, 1, rtol=SUM_ERROR, atol=0)
    require(is_one, f"the kernels sum to {sums}: divide each by its sum")


def _restores_uniform_blur(subject: Subject) -> None:
    for shape in (GREY, COLOUR):
        restoration = subject.restore(observe(shape))
        check_finished(restoration, shape)
        if _iterates(subject.method):
            most = flat(subject.settings())["iterations"]
            sentence = f"{restoration.iterations} iterations ran, the setting says {most}: obey the setting"
            require(0 < restoration.iterations <= most, sentence)


def _restores_camera_shake(subject: Subject) -> None:
    check_finished(subject.restore(observe(SHAKEN, grid=GRID)), SHAKEN, nodes=prod(GRID))


def same(first: Restoration, second: Restoration) -> bool:
    """Tell whether image and kernels of two restorations have the same bytes."""
    if (first.kernels is None) != (second.kernels is None):
        return False
    kernels = first.kernels is None or first.kernels.tobytes() == _bytes(second.kernels)
    return image_of(first).tobytes() == image_of(second).tobytes() and kernels


def _bytes(kernels: Array | None) -> bytes:
    return b"" if kernels is None else kernels.tobytes()


def _repeats_itself(subject: Subject) -> None:
    grids = [GRID] if _treats_shake(subject.method) else []
    for grid in (None, *grids):
        first, second = (subject.restore(observe(SHAKEN, grid=grid)) for _ in range(2))
        require(same(first, second), "two runs differ: draw all random numbers from the given generator")


def _treats_cases_apart(subject: Subject) -> None:
    alone = subject.restore(observe(case="b"))
    tasks = [subject.task(observe(case=case)) for case in ("a!", "b", "ccc")]
    together = finished(dict(solve(tasks, batch=len(tasks)))["b"])
    # Sums of float32 numbers come in another order where a network restores several images in one pass.
    is_joint = isinstance(tasks[0].build(), Joint)
    agree = np.allclose(image_of(alone), image_of(together), rtol=0, atol=ONE_PASS) if is_joint else False
    sentence = "a case depends on those beside it: keep no state outside the problem"
    require(agree or same(alone, together), sentence)


def _keeps_snapshots(subject: Subject) -> None:
    plain = subject.restore(observe())
    kept = subject.restore(observe(), snapshots=(1, 2, 3))
    require(same(plain, kept), "`estimate` changes the run: draw no random numbers there, and write nothing")
    taken = [snapshot.iteration for snapshot in kept.snapshots]
    require(taken == [1, 2, 3][: kept.iterations], f"there are snapshots after the iterations {taken}")
    if kept.iterations == 3 and kept.returned == 3:
        last = np.array_equal(kept.snapshots[-1].image, np.round(255 * image_of(plain)))
        require(last, "the last snapshot is not the image: return the same estimate for the same state")


def _leaves_the_process_alone(subject: Subject) -> None:
    rng, numpy_state = torch.get_rng_state(), _numpy_state()
    switches = torch.get_num_threads(), torch.get_default_dtype()
    subject.restore(observe())
    is_drawn = not torch.equal(rng, torch.get_rng_state()) or numpy_state != _numpy_state()
    require(not is_drawn, "it draws from the generators of the process: draw from the given generator alone")
    are_kept = switches == (torch.get_num_threads(), torch.get_default_dtype())
    require(are_kept, "it changes torch's threads or default type: leave them as they are")


def _numpy_state() -> tuple[bytes, int]:
    """Return the state of NumPy's generator of the process: its key, and how much of it was drawn."""
    state: Any = np.random.get_state()
    return state[1].tobytes(), state[2]


UNUSUAL: Mapping[str, tuple[tuple[int, int, int], tuple[int, int]]] = {
    "an image of one pixel": ((1, 1, 1), (1, 1)),
    "a strip narrower than any generator's kernels": ((1, 5, 40), (5, 3)),
    "an even kernel, which has no centre": ((1, 33, 35), (4, 6)),
    "a kernel as large as the image": ((1, 33, 35), (33, 35)),
    "a kernel larger than any generator's": ((1, 78, 79), (77, 77)),
}


def _treats_unusual_sizes(subject: Subject) -> None:
    for name, (shape, kernel_size) in UNUSUAL.items():
        restoration = subject.try_(observe(shape, kernel_size=kernel_size))
        _ends_in_words(restoration, name)
        if restoration.status is Status.OK:
            seen = image_of(restoration).shape
            require(seen == shape, f"{name}: the restored image is {seen}, not {shape}")


def _needs_no_declared_size(subject: Subject) -> None:
    restoration = subject.try_(observe(kernel_size=None))
    _ends_in_words(restoration, "a kernel size that nobody knows")


def _ends_in_words(restoration: Restoration, what: str) -> None:
    """Check that a restoration has an image, or is declined with a reason."""
    declines = restoration.status in (Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING)
    ended = f"{what}: {restoration.status.value}: {restoration.reason}"
    require(restoration.status is Status.OK or declines, f"{ended}; restore it, or raise NotSupportedError")
    says_why = bool(restoration.reason) == declines
    require(says_why, f"{ended}: give NotSupportedError a sentence for the user")


def _says_truly_whether_it_needs_a_gpu(subject: Subject) -> None:
    subject.restore(observe())  # it works where tensors have values
    observation = with_true_kernels(observe()) if subject.method.needs_true_kernels else observe()
    rng = torch.Generator().manual_seed(0)

    def build() -> Problem:
        return subject.method.problem(observation, subject.settings(), rng, NOWHERE)

    ((_, restoration),) = solve([Task("case", build)])
    computes_there = restoration.status is not Status.OK
    gpu = subject.method.gpu
    where = "does not compute" if gpu else "computes"
    sentence = f"it says gpu={gpu} and {where} on the given device: say gpu={not gpu}, or use `device`"
    require(computes_there == gpu, sentence)


def _waits_for_no_read(subject: Subject) -> None:
    observations = [observe(), *[observe(SHAKEN, grid=GRID)] * _treats_shake(subject.method)]
    for observation in observations:
        try:
            problem = subject.build(observation, device=NOWHERE)
        except (NotSupportedError, WeightsMissingError) as error:
            raise UncheckedError(str(error)) from error
        for iteration in range(problem.iterations):
            try:
                # What a first step makes once may be copied to the device then.
                with NoReads(NOWHERE) if iteration else nullcontext():
                    problem.step(iteration)
            except (RuntimeError, NotImplementedError) as error:  # tensors without values cannot be read
                reason = str(error).partition("\n")[0]
                raise BrokenPromiseError(
                    f"iteration {iteration} waits for the device ({reason}): compute on it, or copy and read "
                    "before the first iteration"
                ) from error


def _is_given_no_truth(subject: Subject) -> None:
    is_allowed = not subject.method.needs_true_kernels or subject.method.role == "ceiling"
    require(is_allowed, "it asks for the true kernels: only the ceiling of the tables may")


def _says_where_it_comes_from(subject: Subject) -> None:
    method = subject.method
    require(method.name == method.name.lower(), "its name has capital letters: write it in lower case")
    for name in ("title", "paper", "licence", "blur_models"):
        require(bool(getattr(method, name)), f"`{name}` is empty: fill it in")


def _refused(subject: Subject, key: str, value: Any) -> str:
    """Give a setting a wrong value and return what the user is told; empty if nothing."""
    required = {name: subject.given[name] for name in required_keys(subject.method.settings)}
    try:
        effective(subject.method.settings, {**required, key: value}, subject.method.name)
    except InputError as error:
        return str(error)
    return ""


def _refuses_wrong_settings(subject: Subject) -> None:
    types = types_of(subject.method.settings)
    require(bool(_refused(subject, "no_such_setting", 3)), "it takes settings that it does not have")
    for key in types:
        message = _refused(subject, key, {"not": "a value"})
        require(key in message, f"{key} takes a value of any type: give it a type")


def _refuses_numbers_that_cannot_be(subject: Subject) -> None:
    for key, kind in types_of(subject.method.settings).items():
        is_number = bool({int, float} & set(get_args(kind) or (kind,)))
        for wrong in (-1, nan, inf) if is_number else ():
            message = _refused(subject, key, wrong)
            named = key in message and "has no effect" not in message
            require(named, f"{key} may be {wrong}: check it in __post_init__ (methods/parts/limits.py)")


def _parts_of(settings: type) -> Iterator[type]:
    """Yield the class of settings and those of its parts."""
    yield settings
    for field in fields(settings):
        part = default_part(field)
        if part is not None:
            yield from _parts_of(type(part))


def _has_simple_settings(subject: Subject) -> None:
    require(is_dataclass(subject.method.settings), "its settings are no dataclass: make them a frozen one")
    for part in _parts_of(subject.method.settings):
        frozen: bool = part.__dataclass_params__.frozen  # type: ignore[attr-defined]
        require(frozen, f"{part.__name__} is not frozen: write @dataclass(frozen=True)")
        ancestors = part.__mro__[1:-1]
        require(len(ancestors) <= 1, f"{part.__name__} inherits from several classes: compose it of parts")
    keys = keys_of(subject.method.settings)
    require(len(keys) == len(set(keys)), "two of its settings have the same key: rename one")


def _explains_each_setting(subject: Subject) -> None:
    for row in describe_settings(subject.method.settings):
        is_explained = len(row["meaning"]) > 5
        require(is_explained, f"{row['setting']} has no comment on its line that says what it is")


def _has_presets_that_change_something(subject: Subject) -> None:
    settings = subject.method.settings
    required = {name: subject.given[name] for name in required_keys(settings)}
    for name, given in subject.method.presets.items():
        try:
            values = flat(effective(settings, {**required, **given}, f"the preset '{name}'"))
        except InputError as error:
            raise BrokenPromiseError(str(error)) from error
        listed = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
        useless = given.keys() - changed(settings, listed).keys()
        require(not useless, f"the preset '{name}' repeats defaults: leave out {', '.join(sorted(useless))}")


class _KilledError(BaseException):
    """Not an Exception, which the solver would turn into a status."""


@dataclass
class _EveryStep:
    """A problem whose every step is a milestone, so that the solver writes a checkpoint after each."""

    problem: Problem

    def step(self, iteration: int) -> Step:
        return replace(self.problem.step(iteration), milestone=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)


def check_cuts(task: Task, folder: Path, cuts: Sequence[int] | None = None) -> Restoration:
    """Check that a run ends with the same bytes when it is killed and continued.

    Args:
        task: The whole run, without a checkpoint.
        folder: For checkpoints.
        cuts: The iterations after which the run is killed; by default after the first, wherever the
            objective changes, and at the end.

    Returns:
        The undisturbed restoration.
    """

    def run(checkpoint: Path | None = None, report: Report = silent) -> Restoration:
        build = lambda: cast(Problem, _EveryStep(task.build()))  # noqa: E731
        ((_, restoration),) = solve([Task(task.name, build, checkpoint, "key")], report)
        return restoration

    whole = finished(run())
    if cuts is None:
        cuts = sorted({1, *_borders(whole), whole.iterations})
    for cut in cuts:
        checkpoint = folder / f"{cut}.pt"

        def kill(progress: Progress, cut: int = cut) -> None:
            if progress.iteration > cut:
                raise _KilledError

        with suppress(_KilledError):  # not raised where `cut` is the end
            run(checkpoint, kill)
        done: list[int] = []

        def note(progress: Progress, done: list[int] = done) -> None:
            done.append(progress.iteration)

        resumed = finished(run(checkpoint, note))
        goes_on = done == list(range(cut, whole.iterations + 1))
        require(goes_on, f"killed after iteration {cut}, it did not go on there")
        ends_alike = same(resumed, whole) and resumed.trace == whole.trace
        ends_alike &= (resumed.iterations, resumed.returned) == (whole.iterations, whole.returned)
        sentence = f"killed after iteration {cut}, it ends otherwise: `state_dict` must hold all that changes"
        require(ends_alike, sentence)
    return whole


def _borders(restoration: Restoration) -> list[int]:
    """Return the iterations after which the objective changed."""
    stages = [row["stage"] for row in restoration.trace]
    return [number for number in range(1, len(stages)) if stages[number] != stages[number - 1]]


def _continues_when_killed(subject: Subject) -> None:
    long = {"iterations": LONG, "stop": "fixed", "pretraining_share": 0.25}
    check_cuts(subject.task(observe(), subject.settings(long)), subject.folder)


def _is_the_same_with_a_checkpoint(subject: Subject) -> None:
    file = {"checkpoint": subject.folder / "checkpoint.pt", "key": "key"}
    first = subject.restore(observe(), **file)
    require(same(first, subject.restore(observe(), **file)), "it ends otherwise beside a checkpoint")


PROMISES = (
    Promise("restores grey and colour images of uniform blur", _restores_uniform_blur),
    Promise("restores images of camera shake, as it claims", _restores_camera_shake, _treats_shake),
    Promise("gives the same bytes twice", _repeats_itself),
    Promise("restores a case alone as among others", _treats_cases_apart),
    Promise("gives the same result with snapshots", _keeps_snapshots),
    Promise("leaves the state of the process alone", _leaves_the_process_alone),
    Promise("restores or declines images and kernels of unusual sizes", _treats_unusual_sizes),
    Promise("finds out an undeclared kernel size, or declines", _needs_no_declared_size),
    Promise("asks for a GPU exactly if it computes there", _says_truly_whether_it_needs_a_gpu),
    Promise("computes its iterations without waiting for the device", _waits_for_no_read, _iterates_on_it),
    Promise("is given no true kernels", _is_given_no_truth),
    Promise("continues when killed, and ends the same", _continues_when_killed, _iterates),
    Promise("gives the same beside a checkpoint", _is_the_same_with_a_checkpoint, lambda m: not _iterates(m)),
    Promise("says where it comes from", _says_where_it_comes_from),
    Promise("refuses settings that are unknown or of another type", _refuses_wrong_settings),
    Promise("refuses rates, weights and counts that cannot be", _refuses_numbers_that_cannot_be),
    Promise("has frozen settings with keys of their own", _has_simple_settings),
    Promise("explains each setting", _explains_each_setting),
    Promise("has presets that change what they name", _has_presets_that_change_something),
)


def promises_of(method: Method) -> list[Promise]:
    """List what a method promises: all of `PROMISES` that apply to it."""
    return [promise for promise in PROMISES if promise.applies(method)]


@dataclass(frozen=True)
class Outcome:
    """How the check of a promise ended."""

    promise: Promise
    word: str  # pass, FAIL or skip
    reason: str = ""  # what was seen and what to do, or why it was not checked


def check_method(method: Method, given: Mapping[str, Any] = NOTHING) -> Iterator[Outcome]:
    """Check all promises of a method, one after another.

    Args:
        method: Of this package or of another.
        given: Settings that come before those that make it small.

    Raises:
        InputError: A setting of `given` is wrong, or one without a default is missing.
    """
    for promise in promises_of(method):
        with tempfile.TemporaryDirectory() as folder:
            subject = Subject.small(method, Path(folder), given)
            try:
                promise.check(subject)
            except BrokenPromiseError as error:
                yield Outcome(promise, "FAIL", str(error))
            except UncheckedError as error:
                yield Outcome(promise, "skip", f"not checked: {error}")
            else:
                yield Outcome(promise, "pass")
