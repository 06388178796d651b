"""`python -m benchmarks`: every benchmark that this machine can run, in small sizes.

The name of one first runs that alone, with its own words and for the record:
`python -m benchmarks query --sizes 1000,30000`. Other words go to the benchmark of receiving.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import (
    alignment,
    quality,
    query,
    read,
    receive,
    recompress,
    retrieve,
    send,
    viewer,
    wrap,
)

ALONE = {
    "alignment": alignment.main,
    "quality": quality.main,
    "query": query.main,
    "read": read.main,
    "receive": receive.main,
    "recompress": recompress.main,
    "retrieve": retrieve.main,
    "send": send.main,
    "viewer": viewer.main,
    "wrap": wrap.main,
}

words = sys.argv[1:]
if words and words[0] in ALONE:
    ALONE[words[0]](words[1:])
    raise SystemExit(0)
receive.main(words)
with tempfile.TemporaryDirectory() as name:  # the results of record are those of whole sizes
    folder = Path(name)
    read.main(["--slices", "60", "--rounds", "3", "-o", str(folder / "read.md")])
    retrieve.main(["--slices", "100", "--rounds", "3", "-o", str(folder / "retrieve.md")])
    send.main(["--slices", "100", "--rounds", "3", "-o", str(folder / "send.md")])
    small = ["--sizes", "1000,30000", "--rounds", "3", "--orthanc", "3000"]
    query.main([*small, "-o", str(folder / "query.md")])
    viewer.main(["--slices", "20,60", "--rounds", "1", "-o", str(folder / "viewer.md")])
    wrap.main(["--photos", "10", "--rounds", "3", "-o", str(folder / "wrap.md")])
if all((quality.COLLECTION / name).is_dir() for name in quality.FOLDERS):
    print("# Quality checks of photographs\n")
    quality.main([])
    with tempfile.TemporaryDirectory() as name:
        alignment.main(["--most", "6", "-o", str(Path(name) / "alignment.md")])
else:
    print("The quality checks are not measured: the large collection of photographs is not here.")
if recompress.COLLECTION.is_dir():
    recompress.main(["--most", "3", "--no-result"])
else:
    print("Recompression is not measured: the large collection of images is not here.")
