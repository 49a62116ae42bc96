"""Batches on a Ray cluster: several nodes on this machine, one of which is killed while it works."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.ray_painters import Old, Pretender, Stillborn

from meshstyle.batch.hashing import hash_file
from meshstyle.batch.options import BatchOptions
from meshstyle.batch.ray.cluster import Need, environment_of_our_own, reach
from meshstyle.batch.ray.engine import RayEngine
from meshstyle.batch.ray.node import Painter
from meshstyle.batch.ray.transfer import Missing, Returned, Sender
from meshstyle.batch.run import run_batch
from meshstyle.batch.types import BatchProgress, FileHash, Job, JobState, WorkerContext
from meshstyle.bundled import find_style
from meshstyle.config.model import Settings
from meshstyle.errors import MeshStyleError, UsageError
from meshstyle.stylize_model import stylize

DATA = Path(__file__).parents[1] / "data"
TINY: dict[str, Any] = {"preset": "draft", "iterations": 1, "views": 4, "texture_size": 64, "threads": 1}
NEED = Need(threads=1, gpus=0.0, memory=1e8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without CPUs and two nodes with one each; this process is connected."""
    with (
        environment_of_our_own(),
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(
            prefix="ray-", ignore_cleanup_errors=True
        ) as folder,  # sockets need short paths
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # for ray_painters
        from ray.cluster_utils import Cluster

        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for _ in range(2):
                nodes.add_node(num_cpus=1)
            with reach(nodes.address):
                yield nodes
        finally:
            nodes.shutdown()


@pytest.fixture
def context(tmp_path: Path) -> WorkerContext:
    staging = tmp_path / "state" / "staging"
    staging.mkdir(parents=True)
    return WorkerContext(staging)


def job(model: str) -> Job:
    source, picture = DATA / "cubevc" / "cubevc.glb", find_style("starry-night")
    return Job(model, model, source, "starry-night", picture, model, Settings(), "key")


@contextmanager
def engine_of(context: WorkerContext, painter: Any = Pretender, need: Need = NEED) -> Iterator[RayEngine]:
    import ray

    with RayEngine(ray, need, None, 9, context, painter) as engine:
        yield engine


def test_no_more_jobs_are_under_way_than_there_are_workers(cluster: Any, context: WorkerContext) -> None:
    taken: list[str] = []
    ended = 0

    def jobs() -> Iterator[Job]:
        for number in range(8):
            taken.append(str(number))
            yield job(str(number))

    with engine_of(context) as engine:
        assert engine.workers == 2
        for outcome in engine.run(jobs()):
            ended += 1
            assert outcome.state is JobState.DONE
            assert len(taken) - ended < engine.workers
        assert ended == 8


def test_a_job_that_kills_its_worker_fails_alone_and_the_worker_is_replaced(
    cluster: Any, context: WorkerContext
) -> None:
    names = ["deadly.glb", "a", "b", "deadly.glb", "c", "deadly.glb", "d"]
    with engine_of(context) as engine:
        outcomes = list(engine.run(map(job, names)))
        again = list(engine.run([job("deadly.glb"), job("e")]))  # workers are there for another attempt
    done = sorted(outcome.job for outcome in [*outcomes, *again] if outcome.failure is None)
    causes = {outcome.failure.cause for outcome in [*outcomes, *again] if outcome.failure}
    assert done == ["a", "b", "c", "d", "e"]
    assert causes == {"its process, or its node, died"}
    assert len(outcomes) == len(names)


@pytest.mark.parametrize(
    ("painter", "need", "cause"),
    [
        (Stillborn, NEED, "workers end as soon as they begin (No module named 'torch')"),
        (Old, NEED, "a node has meshstyle 0.0.1"),
        (
            Pretender,
            Need(threads=1, gpus=1.0, memory=1e8),
            "no node of the cluster has 1 CPU, 1 GPU and 0.1 GiB of memory",
        ),
    ],
)
def test_what_is_wrong_with_the_cluster_is_told_once(
    cluster: Any, context: WorkerContext, painter: Any, need: Need, cause: str
) -> None:
    with pytest.raises(MeshStyleError) as caught, engine_of(context, painter, need) as engine:
        list(engine.run([job("a"), job("b")]))
    assert caught.value.cause.startswith(cause)


def test_a_node_that_dies_costs_no_result_and_the_bytes_are_those_of_the_local_engine(
    cluster: Any, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    for name in ("a", "b", "c"):
        (models / name).mkdir(parents=True)
        shutil.copy(DATA / "cubevc" / "cubevc.glb", models / name / "cube.glb")
    records: list[BatchProgress] = []

    def watch(progress: BatchProgress) -> None:
        records.append(progress)
        if len(progress.running) == 2 == len(cluster.worker_nodes):  # on each node one: either is missed
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    result = run_batch(
        models, tmp_path / "ray", "starry-night", TINY, BatchOptions(engine="ray", retries=2), watch
    )
    assert [outcome.state for outcome in result.outcomes] == [JobState.DONE] * 3
    assert max(outcome.attempts for outcome in result.outcomes) > 1
    assert any("died. " in record.message for record in records)
    alone = run_batch(models, tmp_path / "local", "starry-night", TINY, BatchOptions(workers=1))
    assert contents(tmp_path / "ray", result.outcomes) == contents(tmp_path / "local", alone.outcomes)


def contents(out: Path, outcomes: Iterable[Any]) -> dict[str, bytes]:
    return {file.path: (out / file.path).read_bytes() for outcome in outcomes for file in outcome.files}


def test_what_a_node_does_not_have_is_sent_and_results_come_back(
    context: WorkerContext, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    shutil.copytree(DATA / "plane", here / "models")
    for name in ("night.jpg", "start.jpg"):
        shutil.copy(find_style("starry-night"), here / name)
    settings = Settings.from_mapping({**TINY, "init": str(here / "start.jpg")})
    source, files = here / "models" / "plane.obj", ("plane.obj", "plane_diffuse.png")
    inputs = tuple(FileHash(name, hash_file(source.with_name(name))) for name in files)
    picture = here / "night.jpg"
    sent = Job("p", "p", source, str(picture), picture, "plane.obj", settings, "key", inputs=inputs)
    sender = Sender(context)
    order = sender.order(sent)
    everything = Missing(model=True, shared=(str(picture), str(here / "start.jpg")))
    parcel = sender.pack(order, everything)
    stylize(source, picture, tmp_path / "out" / "plane.obj", **TINY, init=settings.init)
    here.rename(tmp_path / "elsewhere")

    node = Painter(context, "no probe", gpu=False)
    try:
        assert node.paint(order, None) == everything
        returned = node.paint(order, parcel)
        assert isinstance(returned, Returned)
        broken = node.paint(order, replace(parcel, model={"plane.obj": b"f 1 2 3"}))
        assert isinstance(broken, Returned)
    finally:
        node.close()

    outcome = sender.receive(sent, returned)
    assert outcome.staged is not None
    assert outcome.staged.parent == context.staging
    for file in outcome.files:
        assert (outcome.staged / file.path).read_bytes() == (tmp_path / "out" / file.path).read_bytes()
    assert broken.outcome.failure is not None
    assert broken.outcome.failure.subject == str(source)


@pytest.mark.slow
def test_a_batch_whose_own_process_is_killed_goes_on(cluster: Any, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for number in range(4):
        (models / str(number)).mkdir(parents=True)
        shutil.copy(DATA / "cubevc" / "cubevc.glb", models / str(number) / "cube.glb")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    command = [sys.executable, "-m", "meshstyle", "batch", str(models), "-o", str(tmp_path / "out"), *options]
    command += ["--style", "starry-night", "--engine", "ray", "--ray-address", cluster.address, "-v"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        assert any(line.startswith("done:") for line in first.stderr)
        first.kill()
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "done before" in second.stderr
    assert "0 failed" in second.stderr
    assert len({path.read_bytes() for path in (tmp_path / "out").rglob("cube.glb")}) == 1
    assert len(list((tmp_path / "out").rglob("cube.glb"))) == 4


def test_no_cluster_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(MeshStyleError, match=f"there is no cluster at {address}"), reach(address):
        pass


def test_ray_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'meshstyle\[ray\]'"), reach("local"):
        pass


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"engine": "ray", "ray_address": "somewhere"}, "ray_address"),
        ({"engine": "ray", "ray_address": "ray://head:10001"}, "ray_address"),
        ({"ray_address": "local"}, "ray_address"),
        ({"gpus_per_job": 1.0}, "gpus_per_job"),
        ({"engine": "ray", "gpus_per_job": -1.0}, "gpus_per_job"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], subject: str) -> None:
    with pytest.raises(UsageError) as caught:
        BatchOptions(**options)
    assert caught.value.subject == subject
