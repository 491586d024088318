"""Describes an HDF5 file as JSON: every dataset's names, types, shapes, and its values' digest."""

import hashlib
import json
import sys

import h5py

datasets = {}


def visit(name, item):
    if isinstance(item, h5py.Dataset):
        datasets[name] = {
            "dtype": str(item.dtype.descr if item.dtype.names else item.dtype.str),
            "shape": list(item.shape),
            "maxshape": list(item.maxshape),
            "chunks": list(item.chunks or []),
            "filters": item.id.get_create_plist().get_nfilters(),
            "chunk_count": item.id.get_num_chunks(),
            "sha256": hashlib.sha256(item[()].tobytes()).hexdigest(),
        }


with h5py.File(sys.argv[1], "r") as file:
    file.visititems(visit)
    groups = {name: list(item) for name, item in file.items()}
    attributes = {name: [str(v.dtype), str(v)] for name, v in file["DET"].attrs.items()}
print(json.dumps({"groups": groups, "datasets": datasets, "attributes": attributes}))
