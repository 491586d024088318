"""Opens NeXus files as a plotting program does; any warning is an error. One line of JSON per file."""

import hashlib
import json
import sys
import warnings

import h5py
import numpy

warnings.simplefilter("error")


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def look(path):
    with h5py.File(path, "r") as file:
        entry = file[text(file.attrs["default"])]
        plot = entry[text(entry.attrs["default"])]
        signal = plot[text(plot.attrs["signal"])]
        detector = entry["instrument/detector"]
        chain = []
        modules = [
            [item["data_origin"][()].tolist(), item["data_size"][()].tolist(), item["module_offset"].attrs["offset"].tolist()]
            for item in detector.values()
            if isinstance(item, h5py.Group) and text(item.attrs["NX_class"]) == "NXdetector_module"
        ]
        axis = detector["detector_module_0/fast_pixel_direction"]
        while True:
            chain.append([axis.name, float(axis[()]), list(axis.attrs["vector"]), text(axis.attrs["units"])])
            following = text(axis.attrs["depends_on"])
            if following == ".":
                break
            axis = file[following]
        classes = {}
        file.visititems(
            lambda name, item: classes.update({name: text(item.attrs["NX_class"])})
            if isinstance(item, h5py.Group) and "NX_class" in item.attrs
            else None
        )
        return {
            "shape": signal.shape,
            "units": text(signal.attrs["units"]),
            "max": int(signal[()].max(initial=0)),
            "same": signal == detector["data"],
            "mask": [int(numpy.count_nonzero(detector["pixel_mask"][()])), detector["pixel_mask"].shape],
            "definition": text(entry["definition"][()]),
            "end_time": text(entry["end_time"][()]),
            "sample": text(entry["sample/name"][()]),
            "chain": chain,
            "modules": modules,
            "classes": classes,
            "root": sorted(file),
            "sha256": hashlib.sha256(signal[()].tobytes()).hexdigest(),
        }


for path in sys.argv[1:]:
    print(json.dumps(look(path)))
