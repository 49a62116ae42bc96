"""The options of `meshstyle batch` beside the settings of what it paints."""

from __future__ import annotations

from typing import Annotated

import typer

from meshstyle.batch.options import AUTO, ENGINES, NO_SET, BatchOptions

DEFAULTS = BatchOptions()

Source = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER|MANIFEST.toml",
        help="A folder with models, or a list of models with settings of their own (docs/batch.md); or its URL, "
        "as s3://BUCKET/models.",
        show_default=False,
    ),
]
Styles = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        "-s",
        metavar="PICTURE",
        help="The picture to paint like; may be repeated: each style gets a folder of its own. A file, or the "
        "name of a shipped one; several in one model are one text: 'a + b:material=Sail*'.",
        show_default=False,
    ),
]
Out = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="OUT", help="The folder to write to, or its URL.", show_default=False
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Only models that fit, as in .gitignore: props/*.glb; may be repeated. Default: all.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Models to leave out; may be repeated. Default: none.",
        show_default=False,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar=f"NAME|{AUTO}|{NO_SET}",
        help="What belongs together gets strokes of one size and one change of colours: all models, as the set "
        f"NAME; those that share a texture ({AUTO}); or nothing ({NO_SET}). Default: {DEFAULTS.group}.",
        show_default=False,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        "--workers", metavar="auto|N", help="Models painted at a time; auto: what measures fastest here."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        help="How long one model may take. Default: any time.",
        show_default=False,
    ),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        "--memory-limit",
        metavar="GIB",
        help="How much memory one worker may take. Default: any.",
        show_default=False,
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries",
        metavar="N",
        help="Attempts more at a model whose process died or had too little memory.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option("--engine", metavar="|".join(ENGINES), help="Who works: this machine, or a Ray cluster."),
]
Turntable = Annotated[
    bool, typer.Option("--turntable", help="Show every model turning in the report, before and after.")
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Go on with what is new or changes below FOLDER, until Ctrl-C.")
]
RayAddress = Annotated[
    str,
    typer.Option(
        "--ray-address",
        metavar="auto|local|HOST:PORT",
        help="With --engine ray: the cluster that runs on this machine, one for this run, or that one.",
    ),
]
GpusPerJob = Annotated[
    float,
    typer.Option(
        "--gpus-per-job",
        metavar="N",
        help="With --engine ray: GPUs that each model gets; 0.5 is half of one.",
    ),
]
KeepResults = Annotated[
    bool,
    typer.Option(
        "--no-clobber", help="Results of earlier runs stay, even where settings or files have changed since."
    ),
]
