"""Prints the attributes and datasets of any HDF5 file, as h5py sees them, as one JSON object.

Arguments: the file, and a folder that takes the values of dataset number n as `n.bin`, little endian.
"""

import json
import sys

import h5py


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else value.item()


path, folder = sys.argv[1:]
with h5py.File(path, "r") as file:
    attributes = {"/": file.attrs}
    datasets = {}

    def visit(name, item):
        attributes["/" + name] = item.attrs
        if isinstance(item, h5py.Dataset):
            number = len(datasets)
            datasets["/" + name] = {
                "number": number,
                "dtype": item.dtype.str,
                "shape": list(item.shape),
            }
            item[()].tofile(f"{folder}/{number}.bin")

    file.visititems(visit)
    attributes = {
        name: {key: plain(value) for key, value in values.items()}
        for name, values in attributes.items()
    }
    print(json.dumps({"attributes": attributes, "datasets": datasets}))
