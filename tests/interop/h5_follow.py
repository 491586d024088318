"""Follows an image file that grows, as a live analysis does: opens it once, refreshes its datasets.

Argument: file. Checks every image against the tests' pattern as soon as it is visible, and prints how
many it has seen whenever there are more. When <file>.done appears it looks a last time, at all.
"""

import os
import sys
import time

import h5py
import numpy as np


def check(data, metadata, start, stop):
    images = data[start:stop].reshape(stop - start, -1)
    index = np.arange(start, stop)
    pixels = np.arange(images.shape[1]) * 7 + 1
    expected = (index[:, None] * 31 + pixels[None, :]).astype(np.uint16)
    assert (images == expected).all(), f"images {start} to {stop} differ"
    assert (metadata[start:stop]["image_id"] == index).all(), "ids"


with h5py.File(sys.argv[1], "r", swmr=True) as file:
    data, metadata = file["DET/data"], file["DET/metadata"]
    print(len(data), flush=True)
    seen = len(data)
    ended = False
    while not ended:
        ended = os.path.exists(sys.argv[1] + ".done")
        data.refresh()
        metadata.refresh()
        n = len(data)
        assert seen <= n <= len(metadata), f"{n} images after {seen}, {len(metadata)} records"
        if n > seen:
            check(data, metadata, seen, n)
            seen = n
            print(seen, flush=True)
        time.sleep(0.001)
    check(data, metadata, 0, seen)
    print("all", seen, flush=True)
