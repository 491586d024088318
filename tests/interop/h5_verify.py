"""Reads image files with h5py and checks every image against the tests' pattern.

Also of a master file, with its parts beside it, and of a part, which says where its images belong.
Prints one JSON object per file: images, records, attributes, or what is wrong. Arguments: files.
"""

import functools
import json
import os
import sys

import h5py
import numpy as np


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else value.tolist()


def group_of(file):
    """The group of the images, whatever the format; what leads to it must lead to the same."""
    if "entry" not in file:
        return file["DET"]
    group = file["entry/collection/DET"]
    assert "DET" not in file or file["DET"] == group, "/DET is another group"
    for link in "entry/data/data", "entry/instrument/detector/data":
        assert file[link] == group["data"], f"/{link} is another dataset"
    return group


@functools.cache
def rows_of_part(path, group):
    """Rows of each dataset of a part, if that is there."""
    if not os.path.exists(path):
        return {}
    with h5py.File(path, "r") as part:
        return {name: len(dataset) for name, dataset in part[group].items()}


def rows_there(dataset, folder):
    """Which rows are in a file; the others of a master file read as 0."""
    if not dataset.is_virtual:
        return np.ones(len(dataset), dtype=bool)
    places = [np.zeros(0, dtype=int)]
    for source in dataset.virtual_sources():
        group, name = source.dset_name.rsplit("/", 1)
        rows = rows_of_part(os.path.join(folder, source.file_name), group).get(name, 0)
        start, stride, _, _ = source.vspace.get_regular_hyperslab()
        places.append(int(start[0]) + int(stride[0]) * np.arange(rows))
    there = np.zeros(max((each[-1] + 1 for each in places if len(each)), default=0), dtype=bool)
    there[np.concatenate(places)] = True
    assert len(there) == len(dataset), f"{len(dataset)} rows shown, {len(there)} are in the parts"
    return there


def check_records(dataset, expected, folder):
    there = rows_there(dataset, folder)
    records = dataset[:]
    for name, values in expected(len(there)).items():
        wrong = np.nonzero(records[name] != np.where(there, values, 0))[0]
        assert len(wrong) == 0, f"{name} of image {wrong[0]} differs"


def check_images(data, ids, folder):
    there = rows_there(data, folder)
    pixels = np.arange(data.shape[1] * data.shape[2]) * 7 + 1
    for start in range(0, len(there), 1000):
        images = data[start : start + 1000]
        index = slice(start, start + len(images))
        expected = (ids(len(there))[index, None] * 31 + pixels[None, :]).astype(np.uint16)
        expected[~there[index]] = 0
        wrong = np.nonzero((images.reshape(len(images), -1) != expected).any(axis=1))[0]
        assert len(wrong) == 0, f"image {start + wrong[0]} differs"


def verify(path):
    with h5py.File(path, "r") as file:
        group, folder = group_of(file), os.path.dirname(path)
        data, metadata = group["data"], group["metadata"]
        first, step = (int(group.attrs.get(name, i)) for i, name in enumerate(["first_image", "image_step"]))

        def ids(n):
            return first + step * np.arange(n)

        assert len(data) <= len(metadata), f"{len(data)} images, {len(metadata)} records"
        check_records(metadata, lambda n: {"image_id": ids(n), "status": 1 + ids(n) % 3}, folder)
        if "image_info" in group:
            info = group["image_info"]
            assert len(metadata) <= len(info), f"{len(metadata)} records, {len(info)} of image_info"
            names = list(info.dtype.names)
            check_records(info, lambda n: {name: 100 * ids(n) + i for i, name in enumerate(names)}, folder)
        check_images(data, ids, folder)
        attributes = {name: plain(value) for name, value in group.attrs.items()}
        return {"images": len(data), "records": len(metadata), "attributes": attributes}


for path in sys.argv[1:]:
    try:
        result = verify(path)
    except Exception as error:  # the test prints it
        result = {"error": f"{os.path.basename(path)}: {error!r}"}
    print(json.dumps(result))
