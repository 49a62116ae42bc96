"""Which models a batch paints, how, and under which names."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from meshstyle.cli.main import main

from meshstyle.batch.estimate import Estimate, total_seconds
from meshstyle.batch.inspect_model import summarize_model
from meshstyle.batch.manifest import JobSpec, read_manifest
from meshstyle.batch.model_sets import find_sets, mixed
from meshstyle.batch.model_summary import ModelSummary, SummaryRequest
from meshstyle.batch.options import BatchOptions
from meshstyle.batch.output_names import name_outputs, name_styles
from meshstyle.batch.plan import Known, plan_jobs
from meshstyle.batch.run import run_batch
from meshstyle.batch.scan import chosen, scan
from meshstyle.batch.toml_lines import key_lines
from meshstyle.batch.types import FileHash
from meshstyle.batch.worker_count import WORKER_MEMORY, WorkerPlan, candidates, known_worker_plan
from meshstyle.config.model import Settings
from meshstyle.errors import InputError, ManifestError, UsageError
from meshstyle.style.color_statistics import Colours

GREY = Colours((0.5, 0.5, 0.5), ((0.0,) * 3,) * 3)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_models_are_found_and_nothing_else(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.GLB",
        "b/c.obj",
        "b/c.mtl",
        ".hidden/d.glb",
        "b/.e.glb",
        "out/f.glb",
        "g.stylized.glb",
        "h.ply",
    )
    (tmp_path / "b" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.glb").symlink_to(tmp_path / "nowhere")
    models, notes = scan(tmp_path, tmp_path / "out")
    assert models == ("a.GLB", "b/c.obj", "h.ply")
    assert notes == ("1 file is left out as results of stylize (*.stylized.*).",)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["props/*.glb"], [], ["props/a.glb"]),
        (["props/"], [], ["props/a.glb", "props/in/b.glb"]),
        (["*.glb"], ["in/"], ["c.glb", "props/a.glb"]),
        ([], ["*.glb", "!c.glb"], ["c.glb"]),
    ],
)
def test_patterns_are_those_of_gitignore(include: list[str], exclude: list[str], expected: list[str]) -> None:
    assert list(chosen(["c.glb", "props/a.glb", "props/in/b.glb"], include, exclude)) == expected


def test_nothing_to_paint_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        scan(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="there is no model in it"):
        scan(tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="no model in it is chosen"):
        scan(touch(tmp_path, "a.glb"), tmp_path / "out", exclude=["*"])


def test_lines_are_those_of_the_keys_and_not_of_what_looks_like_them() -> None:
    text = '''# seed = 1
folder = "x"

[defaults]
note = """
[[asset]]
seed = 2
"""
[[asset]]
path = ["a",
  "seed = 3", # [[asset]]
]
"seed" = 4
[[asset]]
a.b = 5
'''
    assert key_lines(text) == {
        ("folder",): 2,
        ("defaults",): 4,
        ("defaults", "note"): 5,
        ("asset", 0): 9,
        ("asset", 0, "path"): 10,
        ("asset", 0, "seed"): 13,
        ("asset", 1): 14,
        ("asset", 1, "a"): 15,
    }


def test_a_manifest_lays_entries_over_defaults_and_the_last_that_fits_counts(tmp_path: Path) -> None:
    touch(tmp_path, "models/lamp.glb", "models/chair.glb", "models/in/rug.glb")
    (tmp_path / "jobs.toml").write_text(
        'folder = "models"\n[defaults]\nstyle = "scream"\nseed = 3\n[[asset]]\npath = "*.glb"\nset = "room"\n'
        '[[asset]]\npath = "lamp.glb"\nstyle = ["mondrian", "scream"]\ntexture-size = 128\n'
    )
    manifest = read_manifest(tmp_path / "jobs.toml", tmp_path / "out")
    assert manifest.folder == tmp_path / "models"
    job_specs = {
        name: (job_spec.styles, dict(job_spec.values), job_spec.group)
        for name, job_spec in manifest.job_specs.items()
    }
    assert job_specs == {
        "chair.glb": (("scream",), {"seed": 3}, "room"),
        "in/rug.glb": (("scream",), {"seed": 3}, "room"),
        "lamp.glb": (("mondrian", "scream"), {"seed": 3, "texture_size": 128}, "auto"),
    }


def test_all_that_is_wrong_in_a_manifest_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, "a.glb")
    manifest = tmp_path / "jobs.toml"
    manifest.write_text(
        '[defaults]\nstyle = "screem"\npreset = "fast"\n\n[[asset]]\npath = "b.glb"\nweights = "none.pth"\n'
        '[[asset]]\npath = "a.glb"\nsede = 1\n[[asset]]\npath = "c/*.glb"\nthreads = 1\n[[asset]]\nset = 3\n'
        '[[asset]]\npath = "a.glb"\n[other]\n'
    )
    assert main(["batch", str(manifest), "-o", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    told = {line.removeprefix(f"error: {manifest}:").split(". ")[0] for line in lines}
    assert told == {
        "18: other is not known here",
        "2: style: there is no such file or shipped painting: screem",
        "3: preset: 'fast' is not a choice",
        "6: there is no file b.glb",
        "7: there is no file none.pth",
        "10: there is no setting called sede",
        "12: no model fits c/*.glb",
        "13: threads belong to the whole batch",
        "15: set: 3 is not a name",
        "14: the entry has no path",
        "17: a.glb is already on line 9",
    }
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_is_no_toml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_text("[defaults]\nstyle = \n")
    with pytest.raises(InputError, match="line 2"):
        read_manifest(tmp_path / "jobs.toml", tmp_path / "out")
    (tmp_path / "jobs.toml").write_text('style = "scream"\n')
    with pytest.raises(ManifestError, match=r"style is not known here.*and 1 more"):
        read_manifest(tmp_path / "jobs.toml", tmp_path / "out")


def test_results_of_one_name_do_not_get_into_each_others_way() -> None:
    assert name_outputs(["a.glb", "a.ply", "a.stl", "b/a.gltf", "b/a.obj", "c.off", "d.x.GLB"]) == {
        "a.glb": ("a.glb", None),
        "a.ply": ("a_ply.glb", None),
        "a.stl": ("a_stl.glb", None),
        "b/a.gltf": ("b/a.gltf", "a_gltf"),
        "b/a.obj": ("b/a.obj", "a_obj"),
        "c.off": ("c.glb", None),
        "d.x.GLB": ("d.x.GLB", None),
    }
    assert name_outputs(["a.off", "a.ply"]) == {"a.off": ("a.glb", None), "a.ply": ("a_ply.glb", None)}
    assert name_styles(["scream", "x/wave.png", "y/wave.jpg"]) == {
        "scream": "scream",
        "x/wave.png": "wave",
        "y/wave.jpg": "wave_2",
    }


def look(radius: float, *textures: str, colours: Colours = GREY) -> ModelSummary:
    return ModelSummary("k", (FileHash("m", "0"),), radius, 10, 100, textures, colours)


def test_a_set_has_one_stroke_in_the_world() -> None:
    """Radii 1, 2, 4: the median's strokes have a share of 1, so 2 and 1/2 of a view on the others."""
    looks = {"a": look(1.0), "b": look(2.0), "c": look(4.0), "d": look(8.0)}
    groups = {"a": "room", "b": "room", "c": "room", "d": "none"}
    members = find_sets(looks, groups)
    assert {model: member.scale for model, member in members.items()} == {"a": 2.0, "b": 1.0, "c": 0.5}
    assert not any(member.note for member in members.values())


def test_strokes_of_a_giant_are_bounded_and_it_is_said() -> None:
    """Radii 1, 1, 12: 1/12 is wanted, 1/3 is given, so strokes are 4 times as large in the world."""
    members = find_sets({"a": look(1.0), "b": look(1.0), "c": look(12.0)}, dict.fromkeys("abc", "x"))
    assert members["c"].scale == pytest.approx(1 / 3, abs=1e-4)
    assert "larger than most of its set" in members["c"].note
    assert "4 times" in members["c"].note


def test_models_that_share_a_texture_directly_or_not_are_a_set() -> None:
    looks = {"a": look(1.0, "t"), "b": look(1.0, "t", "u"), "c": look(1.0, "u"), "d": look(1.0, "v")}
    looks |= {"e": look(1.0)}
    members = find_sets(looks, dict.fromkeys(looks, "auto"))
    assert set(members) == {"a", "b", "c"}
    assert len({member.name for member in members.values()}) == 1
    assert find_sets(looks, dict.fromkeys(looks, "none")) == {}


def test_colours_of_a_set_are_those_of_all_its_surface_together() -> None:
    """Black and white, each without spread: the mean is grey, the variance 1/4 along (1, 1, 1)."""
    flat = ((0.0,) * 3,) * 3
    both = mixed([Colours((0.0,) * 3, flat), Colours((1.0,) * 3, flat)])
    assert both == Colours((0.5,) * 3, ((0.25,) * 3,) * 3)


def known(folder: Path, model: str, looked: ModelSummary, **settings: object) -> Known:
    (folder / model).write_text(model)
    job_spec = JobSpec(("scream", "mondrian"))
    return Known(model, folder / model, job_spec, Settings(**settings), looked)


def test_jobs_have_a_folder_for_each_of_several_styles_and_keys_that_tell_them_apart(tmp_path: Path) -> None:
    jobs, notes = plan_jobs([known(tmp_path, "a.glb", look(1.0))], "1")
    assert [job.id for job in jobs] == ["scream/a.glb", "mondrian/a.glb"]
    assert notes == ()
    other, _ = plan_jobs([known(tmp_path, "a.glb", look(1.0), seed=1)], "1")
    later, _ = plan_jobs([known(tmp_path, "a.glb", look(1.0))], "2")
    (tmp_path / "a.glb").write_text("changed")
    changed, _ = plan_jobs(
        [Known("a.glb", tmp_path / "a.glb", JobSpec(("scream",)), Settings(), look(1.0))], "1"
    )
    assert len({job.key for job in (*jobs, *other, *later, *changed)}) == 7


def test_results_of_meshstyle_and_models_without_the_material_are_left_out(tmp_path: Path) -> None:
    painted, bare = ModelSummary("k", painted=True), look(1.0)
    models = [known(tmp_path, "a.glb", painted), known(tmp_path, "b.glb", bare, only=("Wood",))]
    jobs, notes = plan_jobs([*models, known(tmp_path, "c.glb", bare, skip=("Glass",))], "1")
    assert {job.model for job in jobs} == {"c.glb"}
    assert {job.settings.skip for job in jobs} == {()}
    assert notes == (
        "a.glb was painted by meshstyle and is left out.",
        "b.glb has no material of these names and is left out.",
    )


def test_threads_of_an_earlier_run_stay_whatever_is_asked_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshstyle.batch.worker_count.usable_threads", lambda: 4)
    monkeypatch.setattr("meshstyle.batch.worker_count.workers_in_memory", lambda: 100)
    auto, three = BatchOptions(), BatchOptions(workers=3)
    assert known_worker_plan(auto, None, None) is None
    assert known_worker_plan(three, None, None) == WorkerPlan(3, 1)
    assert known_worker_plan(three, None, 2) == WorkerPlan(3, 2)
    assert known_worker_plan(auto, None, 2) == WorkerPlan(2, 2)
    assert known_worker_plan(auto, 1, 2) == WorkerPlan(4, 1)
    assert candidates() == [WorkerPlan(4, 1), WorkerPlan(2, 2), WorkerPlan(1, 4)]
    monkeypatch.setattr("meshstyle.batch.worker_count.workers_in_memory", lambda: 2)
    assert candidates() == [WorkerPlan(2, 2), WorkerPlan(1, 4)]


@pytest.mark.parametrize(("granted", "workers"), [(None, 4), (3.5, 3), (0.2, 1), (99.0, 4)])
def test_no_more_workers_than_machine_and_container_hold(
    granted: float | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In units of what a worker needs; the machine has room for four."""
    monkeypatch.setattr("meshstyle.batch.worker_count.usable_threads", lambda: 4)
    free = SimpleNamespace(available=4.2 * WORKER_MEMORY)
    monkeypatch.setattr("meshstyle.batch.worker_count.psutil.virtual_memory", lambda: free)
    left = None if granted is None else int(granted * WORKER_MEMORY)
    monkeypatch.setattr("meshstyle.batch.worker_count.memory_left", lambda: left)
    assert known_worker_plan(BatchOptions(), 1, None) == WorkerPlan(workers, 1)


def test_time_is_the_work_over_the_rate_shared_out() -> None:
    """Two workers at 2 units a second together, one each: 4 units and 1 that one thread does alone take 5 s. One worker
    of two threads at the same rate takes 2 s for the 4, and for the other 1 s, as one thread of it does."""
    two, one, job = WorkerPlan(2, 1, 2.0), WorkerPlan(1, 2, 2.0), Estimate(4.0, 1.0, 0.0, 0.0)
    assert (job.wall(two), job.wall(one)) == (5.0, 3.0)
    assert total_seconds([job] * 4, two) == 10.0
    assert total_seconds([job], two) == 5.0


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        (["--workers", "many"], "--workers"),
        (["--time-limit", "0"], "--time-limit"),
        (["--set", " "], "--set"),
        (["--views", "0"], "--views"),
        (["--engine", "cloud"], "engine"),
        ([], "--style"),
    ],
)
def test_wrong_options_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], subject: str
) -> None:
    touch(tmp_path, "in/a.glb")
    style = ["-s", "scream"] if options else []
    assert main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *style, *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {subject}: ")


def test_out_may_not_be_the_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the output is the input"):
        run_batch(tmp_path, tmp_path, "scream")


def test_a_look_tells_size_texture_and_colours() -> None:
    """The cube has corners at ±1 and is magenta by its vertex colours; the house and the taxi share a palette."""
    data = Path(__file__).parents[1] / "data"
    cube, house, taxi = (
        summarize_model(SummaryRequest(data / name, Settings(only=("*",), skip=("glass",), texture_size=64)))
        for name in ("cubevc/cubevc.glb", "building_A/building_A.obj", "car_taxi/car_taxi.gltf")
    )
    assert cube.radius == pytest.approx(3**0.5, abs=1e-3)
    assert cube.colours == Colours((1.0, 0.0, 1.0), ((0.0,) * 3,) * 3)
    assert (cube.triangles, cube.texels, cube.textures, cube.only, cube.skip) == (48, 64 * 64, (), ("*",), ())
    assert house.textures == taxi.textures != ()
    assert [file.path for file in taxi.sources] == ["car_taxi.gltf", "car_taxi.bin", "citybits_texture.png"]
    assert ModelSummary.from_dict(json.loads(json.dumps(house.to_dict()))) == house
    broken = data / "broken" / "val_glb_empty_file" / "empty_file.glb"
    assert "empty_file.glb" in summarize_model(SummaryRequest(broken, Settings())).problem
