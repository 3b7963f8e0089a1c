"""broken.py - the test's side of broken.h: what fails in a program, and what that has counted.

    broken = Broken()
    with Program(..., environment=broken.environment()) as program:
        broken.fail(ALLOCATE, 0.02)
        ...
        broken.mend()
"""

import errno
import mmap
import os
import struct
import tempfile

from program import SANITIZER_OPTIONS

PLACES = 14
ALLOCATE, ACCEPT, RECEIVE, SEND, EPOLL_ADD, EPOLL_WAIT, EVENTFD = range(7)
RING_SETUP, RING_REGISTER, RING_ENTER, RING_RECEIVE, RING_SEND, RING_ACCEPT, RING_POLL = range(7, PLACES)
# The places of the fields of struct broken_page, in units of eight bytes.
NTH, PERMYRIAD, ERROR, CLOCK = 0, 1, 1 + PLACES, 1 + 2 * PLACES
SPARED, ALLOCATIONS, FAILED = CLOCK + 1, CLOCK + 2, CLOCK + 3
BLOCKS, BYTES = FAILED + PLACES, FAILED + PLACES + 1



class Broken:
    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="swale-broken-")
        self.file.truncate(mmap.PAGESIZE)
        self.page = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)

    def environment(self, **more):
        options = SANITIZER_OPTIONS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"  # it need not be the first library
        library = os.environ["SWALE_BROKEN_LIBRARY"]
        return {"LD_PRELOAD": library, "SWALE_BROKEN": self.file.name, "ASAN_OPTIONS": options, **more}

    def _get(self, field):
        return struct.unpack_from("=q", self.page, field * 8)[0]

    def _set(self, field, value):
        struct.pack_into("=q", self.page, field * 8, value)

    # ---- What fails

    def fail(self, place, chance, error=errno.ENOMEM):
        """From now on this share of the calls; error 0 makes them do less instead."""
        self._set(ERROR + place, error)
        self._set(PERMYRIAD + place, round(chance * 10_000))

    def fail_nth(self, nth):
        """The nth allocation from now on."""
        self._set(NTH, 0)
        self._set(ALLOCATIONS, 0)
        self._set(NTH, nth)

    def spare_those_of(self, program):
        """The connections that it has now: orders to receive and to send do not break for them."""
        self._set(SPARED, program.descriptors() + 1)

    def mend(self):
        self._set(NTH, 0)
        for place in range(PLACES):
            self._set(PERMYRIAD + place, 0)

    def shift_clock(self, seconds):
        self._set(CLOCK, seconds)

    # ---- What was counted

    def allocations(self):
        return self._get(ALLOCATIONS)

    def failed(self, place):
        return self._get(FAILED + place)

    def blocks(self):
        """Allocated, and not freed yet."""
        return self._get(BLOCKS)

    def bytes(self):
        return self._get(BYTES)
