#!/usr/bin/env python3
"""The minimised corpora, a file each: inputs one behind the other, each behind its length, 4 bytes big-endian.

    corpus.py pack DIRECTORY FILE      the inputs of a directory, the shortest first
    corpus.py unpack FILE DIRECTORY    back again, under the names that libFuzzer gives them
"""
import hashlib
import pathlib
import sys


def pack(directory, file):
    inputs = {path.read_bytes() for path in pathlib.Path(directory).iterdir()}
    ordered = sorted(inputs, key=lambda data: (len(data), data))
    pathlib.Path(file).write_bytes(b"".join(len(data).to_bytes(4, "big") + data for data in ordered))


def unpack(file, directory):
    data = pathlib.Path(file).read_bytes()
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        name = hashlib.sha1(data[4:end]).hexdigest()
        (pathlib.Path(directory) / name).write_bytes(data[4:end])
        data = data[end:]


if __name__ == "__main__":
    {"pack": pack, "unpack": unpack}[sys.argv[1]](*sys.argv[2:])
