"""Which cases a descriptor names: grids, listed and found files, manifests, conditions, selections."""

from pathlib import Path

import pytest
import yaml

from benchmark.core.errors import InputError
from benchmark.core.resources import mirror
from benchmark.core.schema import read_yaml
from benchmark.data.descriptors import FOLDER, MIRROR, dataset_names, find_dataset, presence
from benchmark.data.overview import list_datasets
from benchmark.data.sources import all_sources
from benchmark.planning.config import make_plan
from benchmark.tables.paper_tables import paper_table, paper_tables

COUNTS = {
    "demo-uniform": 2, "demo-nonuniform": 2, "demo-real": 1, "demo-noise": 2, "demo-faces": 2,
    "lai-noise": 25, "levin": 32, "levin-synth": 32, "lai": 100,
    "lai-synth": 100, "lai-nonuniform": 100, "lai-real": 100, "koehler": 48, "coco80": 80,
    "coco80-nonuniform": 80, "realblur-j": 980, "realblur-r": 980, "gopro": 1111, "hide": 2025,
    "reds125": 125, "bsds-crops": 2, "demo-scenarios": 5, "celebahq": 500, "afhq-dog": 500, "imagenet": 1000,
    "choose-tuning": 24, "choose-fresh": 48,
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)


def write(folder: Path, name: str, **changes):
    """A copy of a shipped descriptor in another folder, changed."""
    content = {**read_yaml(FOLDER / f"{name}.yaml"), **changes}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return find_dataset(name, folder)


def touch(folder: Path, *names: str):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_every_dataset_of_the_papers_is_there_with_its_number_of_cases():
    """Others may stand beside them: a dataset is added by its descriptor alone."""
    assert {name: find_dataset(name).case_count for name in COUNTS} == COUNTS
    needed = {dataset for name in paper_tables() for dataset in paper_table(name).datasets}
    for dataset in needed:
        find_dataset(dataset)


def test_every_dataset_has_a_source_with_its_terms():
    sources = all_sources()
    for name in dataset_names():
        source = sources[find_dataset(name).content["source"]]
        assert source.licence
        assert bool(source.how_to_get) == bool(source.archives)


def test_groups_of_the_papers_tables_are_groups_of_cases():
    for name in paper_tables():
        for block in paper_table(name).blocks:
            if block.dataset and block.group and block.dataset != "reds125":
                groups = {entry.group for entry in find_dataset(block.dataset).entries.values()}
                assert block.group in groups, f"{name}: {block.title}"


def test_a_grid_names_every_file_of_a_case():
    entry = find_dataset("lai").entries["people_02_kernel_03"]
    assert entry.group == "people"
    assert entry.files == (
        "lai/uniform/people_02_kernel_03.png",
        "lai/ground_truth/people_02.png",
        "lai/kernels/kernel_03.png",
    )
    assert (entry.declared_size, entry.kernel_form) == (55, "correlation")
    assert find_dataset("lai-synth").entries["people_02_kernel_03"].kernel_form == "convolution"


def test_frames_along_a_shake_are_counted_for_each_photograph():
    entries = find_dataset("koehler").entries
    assert len(entries["im1_kernel1"].frames) == 199
    assert len(entries["im2_kernel11"].frames) == 200
    assert len(entries["im1_kernel3"].frames) == 197
    assert not any(frame.endswith("1_3_30.png") for frame in entries["im1_kernel3"].frames)
    assert sum(len(entry.frames) for entry in entries.values()) == 48 * 199 + 1 - 6 - 2
    assert entries["im4_kernel12"].frames[-1] == "kohler/Image4/Kernel12/GroundTruth4_12_198.png"


def test_kernel_sizes_are_dealt_out_equally():
    sizes = [entry.kernel["trajectory"] for entry in find_dataset("coco80").entries.values()]
    assert {size: sizes.count(size) for size in set(sizes)} == dict.fromkeys((31, 45, 55, 65, 75), 16)
    shakes = {
        str(entry.kernel["shake"]["extent"]) for entry in find_dataset("coco80-nonuniform").entries.values()
    }
    assert shakes == {"[15, 40]"}


def test_real_photographs_declare_the_sizes_of_the_sets_authors():
    sizes = [entry.declared_size for entry in find_dataset("lai-real").entries.values()]
    assert {size: sizes.count(size) for size in set(sizes)} == {
        25: 31,
        51: 44,
        75: 15,
        101: 7,
        125: 2,
        151: 1,
    }


def gopro(folder, count=4):
    files = read_yaml(FOLDER / "gopro.yaml")["files"]
    return write(folder, "gopro", files={**files, "count": count})


NAMES = [
    f"gopro/test/GOPR{s}/{kind}/00000{f}.png" for s in (1, 2) for kind in ("blur", "sharp") for f in (1, 2)
]


def test_found_files_are_paired_and_sorted(tmp_path):
    touch(tmp_path, *NAMES, "gopro/test/GOPR1/blur_gamma/000001.png", "gopro/train/GOPR3/blur/000001.png")
    dataset = gopro(tmp_path)
    assert dataset.case_ids == ["GOPR1-000001", "GOPR1-000002", "GOPR2-000001", "GOPR2-000002"]
    entry = dataset.entries["GOPR2-000001"]
    assert entry.group == "GOPR2"
    assert entry.files == ("gopro/test/GOPR2/blur/000001.png", "gopro/test/GOPR2/sharp/000001.png")
    assert presence(dataset) == "yes"


def test_missing_and_surplus_files_are_counted(tmp_path):
    touch(tmp_path, *NAMES)
    with pytest.raises(InputError, match=r"4 files match .* not 5; some are missing"):
        gopro(tmp_path, count=5).require_all()
    assert presence(gopro(tmp_path, count=5)) == "4 of 5 cases"
    with pytest.raises(InputError, match=r"4 files match .* not 3; some are too many"):
        _ = gopro(tmp_path, count=3).case_ids
    (tmp_path / NAMES[2]).rename(tmp_path / "gopro/test/GOPR1/sharp/1.png")
    dataset = gopro(tmp_path)
    assert dataset.missing(dataset.case_ids) == ["gopro/test/GOPR1/sharp/000001.png"]
    assert dataset.complete(dataset.case_ids) == dataset.case_ids[1:]
    assert presence(dataset) == "3 of 4 cases"


def test_a_frozen_list_names_what_goes_missing_later(tmp_path):
    touch(tmp_path, *NAMES)
    gopro(tmp_path).freeze()
    (tmp_path / NAMES[0]).unlink()
    touch(tmp_path, "gopro/test/GOPR9/blur/000001.png")
    dataset = gopro(tmp_path)
    assert len(dataset.case_ids) == 4
    assert dataset.missing(dataset.case_ids) == [NAMES[0]]


def test_without_its_folder_a_dataset_of_found_files_says_so(tmp_path):
    with pytest.raises(InputError, match="there is no folder gopro in"):
        _ = gopro(tmp_path).case_ids
    assert gopro(tmp_path).case_count == 4
    assert presence(gopro(tmp_path)) == "no"


def test_only_the_listed_pairs_of_an_archive_count(tmp_path):
    files = read_yaml(FOLDER / "realblur-j.yaml")["files"]
    folder = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
    scenes = ("scene002", "scene007", "scene244_reflect")
    pairs = [
        (f"{folder}/{s}/gt/gt_{m}.png", f"{folder}/{s}/blur/blur_{m}.png") for s in scenes for m in (1, 10)
    ]
    touch(tmp_path / "realblur", *(name for pair in pairs for name in pair))
    dataset = write(tmp_path, "realblur-j", files={**files, "count": 4})
    with pytest.raises(InputError, match=r"RealBlur_J_test_list\.txt: no such file; it lists the test pairs"):
        _ = dataset.case_ids
    lines = [" ".join(pair) for pair in pairs if "scene007" not in pair[0]]
    (tmp_path / "realblur" / "RealBlur_J_test_list.txt").write_text("\n".join(lines) + "\n")
    dataset = find_dataset("realblur-j", tmp_path)
    assert dataset.case_ids == ["scene002-1", "scene002-10", "scene244_reflect-1", "scene244_reflect-10"]
    (tmp_path / "realblur" / pairs[0][1]).unlink()
    with pytest.raises(InputError, match=r"1 of 8 files are missing, such as .*blur_1\.png"):
        find_dataset("realblur-j", tmp_path).require_all()
    assert presence(find_dataset("realblur-j", tmp_path)) == "3 of 4 cases"


def test_the_first_images_are_taken_in_the_order_of_their_names(tmp_path):
    files = read_yaml(FOLDER / "celebahq.yaml")["files"]
    touch(tmp_path / "celebahq", "val/male/000002.jpg", "val/female/000003.jpg", "val/female/000001.jpg")
    dataset = write(tmp_path, "celebahq", files={**files, "first": 2})
    assert dataset.case_ids == ["000001", "000002"]
    assert dataset.entries["000002"].sharp == "celebahq/val/male/000002.jpg"


def test_pairs_of_a_manifest_lie_anywhere_below_the_data(tmp_path):
    dataset = write(tmp_path, "reds125")
    with pytest.raises(InputError, match=r"manifest\.csv: no such file; the paper's list is not public"):
        _ = dataset.case_ids
    (tmp_path / "reds125").mkdir()
    manifest = tmp_path / "reds125" / "manifest.csv"
    manifest.write_text(
        "group,id,blurry,sharp\ns1,r1,reds/b.png,reds/s.png\ns2,r2,realblur/b.png,realblur/s.png\n"
    )
    dataset = find_dataset("reds125", tmp_path)
    assert [(entry.group, entry.files) for entry in dataset.entries.values()] == [
        ("s1", ("reds/b.png", "reds/s.png")),
        ("s2", ("realblur/b.png", "realblur/s.png")),
    ]
    manifest.write_text("group,id,blurry\ns1,r1,reds/b.png\n")
    with pytest.raises(InputError, match="the column 'sharp' is missing"):
        _ = find_dataset("reds125", tmp_path).case_ids


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("s1,$(touch pwned)x,b.png,s.png", r"manifest\.csv: line 2: id: '\$\(touch pwned\)x' is not"),
        ('s1,"a,b",b.png,s.png', "'a,b' is not allowed as a name"),
        ("s1,IMG 1 (2),b.png,s.png", "'IMG 1 .2.' is not allowed as a name"),
        ("s1,../../../escape,b.png,s.png", "is not allowed as a name"),
        ("s1,/tmp/escape,b.png,s.png", "is not allowed as a name"),
        ("s1,r1,/etc/passwd,s.png", "line 2: blurry: '/etc/passwd' leads outside the folder of data"),
        ("s1,r1,b.png,../../s.png", r"line 2: sharp: '\.\./\.\./s\.png' leads outside the folder of data"),
        ("s1,r1,b.png,s.png\ns1,r1,c.png,d.png", "line 3: the id 'r1' stands in line 2, too"),
        ("s1,r1", "line 2: has another number of cells"),
        ("s1,r1,b.png,s.png,more", "line 2: has another number of cells"),
        (b"s1,r1,\x81.png,s.png", "cannot be read as text"),
        ('s1,"r1' + "x" * 140_000, "not a CSV table"),
    ],
)
def test_a_manifest_names_safe_cases_and_files_of_the_data(tmp_path, monkeypatch, row, message):
    _ = write(tmp_path, "reds125")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reds125").mkdir()
    row = row if isinstance(row, bytes) else row.encode()
    (tmp_path / "reds125" / "manifest.csv").write_bytes(b"group,id,blurry,sharp\n" + row + b"\n")
    with pytest.raises(InputError, match=message) as caught:
        _ = find_dataset("reds125", tmp_path).case_ids
    assert "\n" not in str(caught.value)


def test_a_manifest_may_come_from_a_spreadsheet(tmp_path):
    _ = write(tmp_path, "reds125")
    (tmp_path / "reds125").mkdir()
    manifest = tmp_path / "reds125" / "manifest.csv"
    manifest.write_bytes("\ufeffgroup,id,blurry,sharp\r\ns1,r1,my é/b (1).png,s.png\r\n".encode())
    assert find_dataset("reds125", tmp_path).entries["r1"].files == ("my é/b (1).png", "s.png")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_spreadsheets_write_tables_in_many_ways(tmp_path, encoding, separator):
    _ = write(tmp_path, "reds125")
    (tmp_path / "reds125").mkdir()
    lines = ["group,id,blurry,sharp", 's1,r1,"über, alt/b.png",s.png', ",,,", ""]
    if separator != ",":
        lines = ["group,id,blurry,sharp", "s1,r1,über/b.png,s.png", ",,,", ""]
    text = "\r\n".join(lines).replace(",", separator) if separator != "," else "\r\n".join(lines)
    named = "sep=|\r\n" if separator == "|" else ""  # which Excel needs for a separator of one's own
    (tmp_path / "reds125" / "manifest.csv").write_bytes((named + text).encode(encoding))
    ((_, entry),) = find_dataset("reds125", tmp_path).entries.items()
    folder = "über, alt" if separator == "," else "über"
    assert (entry.id, entry.group, entry.files) == ("r1", "s1", (f"{folder}/b.png", "s.png"))


def test_a_mirror_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(MIRROR, str(tmp_path / "mistyped"))
    with pytest.raises(
        InputError, match=r"BLINDBENCH_MIRROR=.*mistyped: no such folder; correct it, or unset"
    ):
        list_datasets()
    with pytest.raises(InputError, match="mistyped: no such folder"):
        make_plan({}, "x.yaml")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(MIRROR, "~/mirror")
    (tmp_path / "mirror").mkdir()
    assert mirror() == tmp_path / "mirror"


def test_a_file_of_a_dataset_gives_no_case_a_name_that_a_shell_would_run(tmp_path):
    files = {"find": "val/(?P<name>.+).jpg", "first": 1, "id": "{name}", "sharp": "val/{name}.jpg"}
    dataset = write(tmp_path, "celebahq", files=files)
    folder = tmp_path / "celebahq" / "val"
    folder.mkdir(parents=True)
    (folder / "$(touch X).jpg").write_text("")
    with pytest.raises(InputError, match=r"'\$\(touch X\)' is not allowed as a name"):
        _ = dataset.case_ids


def test_a_condition_changes_noise_or_declared_size_and_nothing_else():
    base, noisy = find_dataset("lai-synth"), find_dataset("lai-synth@shot-high@size-level-3")
    assert noisy.base == "lai-synth"
    assert noisy.content["noise"] == [{"kind": "shot", "eta": 40}]
    assert (base.size_level, noisy.size_level) == (1, 3)
    assert noisy.entries == base.entries
    assert "rate 40" in noisy.content["caption"]
    assert "half of the way" in noisy.content["caption"]


def test_a_condition_takes_the_cases_with_kernels_of_one_size():
    whole, part = find_dataset("lai-synth"), find_dataset("lai-synth@half@kernel-55")
    assert part.case_ids == [case for case in whole.case_ids if case.endswith("_kernel_03")]
    assert (part.case_count, part.content["reduce"]) == (25, 2)
    assert {entry.declared_size for entry in part.entries.values()} == {55}
    assert find_dataset("lai@kernel-55").case_count == whole.case_count / 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "lai-synth@shot-hihg",
            "lai-synth@shot-hihg: unknown condition 'shot-hihg'. Did you mean 'shot-high'?",
        ),
        ("lai@shot-high", "its blurry images are files, so conditions change the declared size alone"),
        ("lai@size-level-2", "its blurry images are files, so conditions change the declared size alone"),
        ("lai@half", "its blurry images are files, so conditions change the declared size alone"),
        ("levin@kernel-31", "levin@kernel-31: no kernel of its grid has a declared size of 31 px"),
        ("demo-uniform@kernel-31", "no kernel of its grid has a declared size of 31 px"),
        ("demo-uniform@half", "only images from files are reduced, so leave out @half"),
        ("lai-sinth", "unknown dataset 'lai-sinth'. Did you mean 'lai-synth'?"),
        ("sources", "unknown dataset 'sources'"),
    ],
)
def test_wrong_names_are_told_apart(name, message):
    with pytest.raises(InputError) as caught:
        find_dataset(name)
    assert message in str(caught.value)


def test_cases_are_selected_by_shell_patterns():
    dataset = find_dataset("levin-synth")
    assert dataset.selected(["im1_*", "im2_kernel4"])[-2:] == ["im1_kernel8", "im2_kernel4"]
    with pytest.raises(InputError, match="levin-synth: no case matches 'im9_\\*'"):
        dataset.selected(["im9_*"])


def test_the_photographs_of_the_report_are_none_on_which_settings_were_chosen():
    ids = {name: {path for entry in find_dataset(name).entries.values() for path in entry.files}
           for name in ("choose-tuning", "choose-fresh", "bsds-crops")}  # fmt: skip
    assert not ids["choose-fresh"] & (ids["choose-tuning"] | ids["bsds-crops"])


def test_cases_take_several_recipes_of_kernels_and_their_sizes_in_turn():
    recipes = [entry.kernel for entry in find_dataset("choose-fresh").entries.values()]
    assert recipes[:4] == [{"trajectory": 13}, {"lai_like": 17}, {"trajectory": 21}, {"lai_like": 27}]
    assert recipes[10] == recipes[0]  # every kind with every size
