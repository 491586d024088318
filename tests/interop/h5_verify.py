"""Reads image files with h5py and checks every image against the tests' pattern.

Prints one JSON object per file: images, records, attributes, or what is wrong.
Arguments: files.
"""

import json
import os
import sys

import h5py
import numpy as np


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else value.tolist()


def verify(path):
    with h5py.File(path, "r") as file:
        group = file["DET"]
        data, metadata = group["data"], group["metadata"]
        n = data.shape[0]
        assert n <= metadata.shape[0], f"{n} images, {metadata.shape[0]} records"
        records = metadata[:]
        ids = np.arange(len(records), dtype=np.uint64)
        assert (records["image_id"] == ids).all(), "ids"
        assert (records["status"] == 1 + ids % 3).all(), "status"
        pixels = np.arange(data.shape[1] * data.shape[2]) * 7 + 1
        for start in range(0, n, 1000):
            images = data[start : start + 1000]
            index = np.arange(start, start + len(images))
            expected = (index[:, None] * 31 + pixels[None, :]).astype(np.uint16)
            wrong = np.nonzero((images.reshape(len(images), -1) != expected).any(axis=1))[0]
            assert len(wrong) == 0, f"image {start + wrong[0]} differs"
        attributes = {name: plain(value) for name, value in group.attrs.items()}
        return {"images": n, "records": len(records), "attributes": attributes}


for path in sys.argv[1:]:
    try:
        result = verify(path)
    except Exception as error:  # the test prints it
        result = {"error": f"{os.path.basename(path)}: {error!r}"}
    print(json.dumps(result))
