"""What tests share that began in test_batch.py."""

from __future__ import annotations

from pathlib import Path

from meshstyle.batch.options import BatchOptions

DATA = Path(__file__).parents[1] / "data"


WORK = {"preset": "draft", "iterations": 1, "views": 4, "texture_size": 64, "threads": 1}


ONE = BatchOptions(workers=1)


def tree(out: Path) -> dict[str, bytes]:
    """What lies below OUT, without the batch's own state and its report."""
    files = {path.relative_to(out): path for path in out.rglob("*") if path.is_file()}
    ours = (".meshstyle", "report.html", "report.json", "report.files")
    return {
        place.as_posix(): path.read_bytes() for place, path in files.items() if place.parts[0] not in ours
    }
