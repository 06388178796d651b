"""`python -m benchmarks`: every benchmark that this machine can run, in small sizes.

Words after it go to the benchmark of receiving: `python -m benchmarks --slices 1000`.
"""

from __future__ import annotations

import sys

from benchmarks import quality, receive, recompress

receive.main(sys.argv[1:])
if all((quality.COLLECTION / name).is_dir() for name in quality.FOLDERS):
    print("# Quality checks of photographs\n")
    quality.main([])
else:
    print("The quality checks are not measured: the large collection of photographs is not here.")
if recompress.COLLECTION.is_dir():
    recompress.main(["--most", "3", "--no-result"])
else:
    print("Recompression is not measured: the large collection of images is not here.")
