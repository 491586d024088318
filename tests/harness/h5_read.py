"""Prints what h5py sees in an image file, as one JSON object.

Arguments: the file, and if wanted another one that takes all pixels, uncompressed.
"""

import hashlib
import json
import sys

import h5py


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    value = value.item()
    return str(value) if isinstance(value, int) else value


with h5py.File(sys.argv[1], "r") as file:
    objects = {}
    file.visititems(
        lambda name, item: objects.__setitem__(
            name, "group" if isinstance(item, h5py.Group) else "dataset"
        )
    )
    group = next(iter(file.values()))
    if "collection" in group:  # NeXus alone
        group = next(iter(group["collection"].values()))
    data, metadata = group["data"], group["metadata"]
    # Images first: of a file that is being written, the records may be ahead, never behind.
    images = [hashlib.sha256(image.tobytes()).hexdigest() for image in data]
    info = group["image_info"][:] if "image_info" in group else None
    if len(sys.argv) > 2:
        data[:].tofile(sys.argv[2])
    print(
        json.dumps(
            {
                "objects": objects,
                "data": {
                    "shape": data.shape,
                    "dtype": data.dtype.str,
                    "chunks": data.chunks,
                    "sha256": images,
                },
                "metadata": {
                    "dtype": metadata.dtype.descr,
                    "records": [[int(i), int(s)] for i, s in metadata[:]],
                },
                "image_info": {
                    name: [str(value) for value in info[name]] for name in (info.dtype.names if info is not None else [])
                },
                "attributes": {name: plain(value) for name, value in group.attrs.items()},
            }
        )
    )
