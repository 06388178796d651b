"""`python -m benchmarks`: every benchmark that this machine can run, in small sizes.

Words after it go to the benchmark of receiving: `python -m benchmarks --slices 1000`. The name of
another one first runs that alone: `python -m benchmarks query --sizes 1000,30000`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import quality, query, receive, recompress

ALONE = {"query": query.main, "receive": receive.main, "quality": quality.main}
SMALL = ["--sizes", "1000,30000", "--rounds", "3", "--orthanc", "3000"]

words = sys.argv[1:]
if words and words[0] in ALONE:
    ALONE[words[0]](words[1:])
    raise SystemExit(0)
receive.main(words)
with tempfile.TemporaryDirectory() as folder:  # the results of record are those of all sizes
    query.main([*SMALL, "-o", str(Path(folder) / "query.md")])
if all((quality.COLLECTION / name).is_dir() for name in quality.FOLDERS):
    print("# Quality checks of photographs\n")
    quality.main([])
else:
    print("The quality checks are not measured: the large collection of photographs is not here.")
if recompress.COLLECTION.is_dir():
    recompress.main(["--most", "3", "--no-result"])
else:
    print("Recompression is not measured: the large collection of images is not here.")
