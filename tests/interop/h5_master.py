"""What h5py makes of a master file.

Arguments: a master file. Prints, as one JSON object, its images' first pixels, the records of its
metadata, its attributes, the sources it names, and whether the library itself encodes its mappings in
the same bytes.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t


def heap_object(path):
    """The first object of the file's first global heap: the mappings of one dataset."""
    content = Path(path).read_bytes()
    at = content.index(b"GCOL") + 16
    size = int.from_bytes(content[at + 8 : at + 16], "little")
    return content[at + 16 : at + 16 + size]


def rows(shape, start, step):
    space = h5s.create_simple((1, *shape), (h5s.UNLIMITED, *shape))
    ones = (1,) * len(shape)
    zeros = (0,) * len(shape)
    space.select_hyperslab((start, *zeros), (h5s.UNLIMITED, *ones), (step, *ones), (1, *shape))
    return space


def library_mappings(path, shape, sources):
    """The same, as the library writes it."""
    plist = h5p.create(h5p.DATASET_CREATE)
    for file_name, dataset, first, step in sources:
        plist.set_virtual(
            rows(shape, first, step), file_name.encode(), dataset.encode(), rows(shape, 0, 1)
        )
    with h5py.File(path, "w", libver=("earliest", "latest")) as file:
        space = h5s.create_simple((1, *shape), (h5s.UNLIMITED, *shape))
        h5d.create(file.id, b"data", h5t.py_create(np.dtype("<u2")), space, dcpl=plist)
    return heap_object(path)


master = sys.argv[1]
with h5py.File(master, "r") as file:
    group = next(iter(file.values()))
    data, metadata = group["data"], group["metadata"]
    sources = []
    for source in data.virtual_sources():
        start, stride, _, _ = source.vspace.get_regular_hyperslab()
        sources.append([source.file_name, source.dset_name, int(start[0]), int(stride[0])])
    print(
        json.dumps(
            {
                "shape": data.shape,
                "first_pixels": [int(image[0, 0]) for image in data],
                "records": [[int(i), int(s)] for i, s in metadata[:]],
                "attributes": {name: str(value) for name, value in group.attrs.items()},
                "sources": sources,
                "same_bytes": heap_object(master)
                == library_mappings(f"{master}.library", data.shape[1:], sources),
            }
        )
    )
