"""Which numbers of HDF5 files have units, as h5py sees them. One line of JSON per file.

By path: a dataset's `units`, of a field of a record `<field>_units` of its dataset, of an attribute that is
a number of floating point `<name>_units` beside it (`group@name`); null where there are none. Attributes that are
integers are numbers of things, and ids: see docs/reference/account.md.
"""

import json
import sys
import warnings

import h5py
import numpy

warnings.simplefilter("error")


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def look(path):
    found = {}

    def note(name, item):
        for key, value in item.attrs.items():
            if numpy.asarray(value).dtype.kind == "f":
                found[f"{name}@{key}"] = text(item.attrs.get(f"{key}_units"))
        if not isinstance(item, h5py.Dataset):
            return
        for field in item.dtype.names or ():
            found[f"{name}.{field}"] = text(item.attrs.get(f"{field}_units"))
        if item.dtype.kind in "iufb":
            found[name] = text(item.attrs.get("units"))

    with h5py.File(path, "r") as file:
        note("", file)
        file.visititems(note)
    return found


for path in sys.argv[1:]:
    print(json.dumps(look(path)))
