"""Changes a finished image file with h5py as a user might: more images, a new attribute."""

import sys

import h5py

with h5py.File(sys.argv[1], "r+") as file:
    data = file["DET/data"]
    n = data.shape[0]
    data.resize(n + 200, axis=0)
    data[n:] = 7
    file["DET"].attrs["note"] = "x" * 1000
    file["DET"].create_dataset("average", data=data[:n].mean(axis=0))
with h5py.File(sys.argv[1], "r") as file:
    assert (file["DET/data"][n:] == 7).all()
    assert file["DET"].attrs["note"] == "x" * 1000
with h5py.File(sys.argv[1], "r+") as file:
    file["DET/data"].resize(n, axis=0)
