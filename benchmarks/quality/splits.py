"""Writes the rows of each part, as our default split makes them, for all methods: `python -m benchmarks.quality.splits SPLITS
[TABLE,TABLE]`, in our environment."""

import sys

from benchmarks.quality import cache
from benchmarks.quality.ours import write_split
from benchmarks.quality.tables import listed

if __name__ == "__main__":
    for table in sys.argv[2].split(",") if len(sys.argv) > 2 else [each["table"] for each in listed()]:
        for split in range(int(sys.argv[1])):
            if not cache.split_file(table, split).exists():
                write_split(table, split)
