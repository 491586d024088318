"""Reads chunks of HDF5 filter 32008 through h5py, and makes some.

Arguments: a folder. For each case in its cases.json, {name, dtype, shape, block}: puts <name>.chunk as
it is into a dataset with the filter and writes what h5py reads to <name>.read; lets h5py compress
<name>.raw and writes the chunk to <name>.h5py.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np

BITSHUFFLE = 32008
LZ4 = 2

folder = Path(sys.argv[1])
for case in json.loads((folder / "cases.json").read_text()):
    name, shape = case["name"], tuple(case["shape"])
    filtered = {
        "chunks": shape,
        "compression": BITSHUFFLE,
        "compression_opts": (case["block"], LZ4),
    }
    with h5py.File(folder / f"{name}.h5", "w") as file:
        ours = file.create_dataset("ours", shape, case["dtype"], **filtered)
        ours.id.write_direct_chunk((0,) * len(shape), (folder / f"{name}.chunk").read_bytes())
        raw = np.fromfile(folder / f"{name}.raw", case["dtype"]).reshape(shape)
        file.create_dataset("theirs", data=raw, **filtered)
    with h5py.File(folder / f"{name}.h5", "r") as file:
        file["ours"][()].tofile(folder / f"{name}.read")
        _, chunk = file["theirs"].id.read_direct_chunk((0,) * len(shape))
        (folder / f"{name}.h5py").write_bytes(chunk)
