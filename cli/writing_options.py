"""Options about what a command writes, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]
NoPartial = Annotated[
    bool, typer.Option("--no-partial", help="On Ctrl-C, write nothing instead of the best result so far.")
]

Preview = Annotated[
    Path | None,
    typer.Option(
        "--preview",
        metavar="PAGE",
        help="Write an .html page (or a .png) to look at meanwhile, a few times a minute; at the end the page "
        "shows before and after.",
        show_default=False,
    ),
]
NoClobber = Annotated[
    bool, typer.Option("--no-clobber", help="Where the output is there already: an error, and it stays.")
]
SaveLook = Annotated[
    Path | None,
    typer.Option(
        "--save-look",
        metavar="FILE.toml",
        help="Also write styles, places and settings as one file, which --config applies to any model.",
        show_default=False,
    ),
]
