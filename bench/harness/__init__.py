"""The benchmarks' harness: what `bench/run` (or `./dev bench`) does. See `bench/run --help` for how to call it.

    cells.py     what there is to measure: a table of cells
    servers.py   what is measured: Swale, the bare servers, the peers, and how each is started
    loads.py     the load generators, and what they tell
    processes.py starting and ending them, on their cores
    accounts.py  what the kernel tells about a process: CPU, waiting, memory
    measure.py   runs a cell: every subject in turns, round after round
    report.py    the table, and the JSON
    record.py    renews bench/results

How it measures. The subjects of a cell take turns (A B C A B C ...), each in a process started anew; the server has core 0, the load
core 1 (a server of two threads has both, and shares one with the load, where there are no more). Quoted are medians over the
rounds; comparisons are made within a round, between runs that followed one another, and the median of these ratios is quoted,
with their least and greatest. The figure that holds on a noisy machine is `server_cpu_us`: the CPU
time that the server's process took (all its threads and children), by its own clock in the kernel, divided by the messages.

The JSON (--json FILE) has everything that the table has, and every single run. Missing figures are left out, not null.

    {
      "format": 2,
      "when": "2026-11-22T21:40:00Z",
      "command": "bench/run --json FILE echo-20",
      "machine": {"processor": "AMD EPYC", "cores": 2, "kernel": "6.18.44", "memory_mib": 24105},
      "swale": {"version": "0.1.0", "revision": "2b5ce1b"},                revision: of the tree, "-dirty" behind it where changed
      "settings": {"load": "io_uring", "quick": false},                    load: how the generator moves bytes
      "subjects": {"swale": "swale serve --demo ...", "bare-epoll": ...},  what took part anywhere, and as what (a text)
      "missing": {"nchan": "libnginx-mod-nchan is not installed"},         what could take part nowhere, and why
      "cells": [
        {
          "name": "echo-20",
          "title": "echo of 20 B, 1 in flight, 100 connections",
          "kind": "rate",                                                  or "latency", "memory", "text"
          "measured": {"when": ..., "revision": ..., "rounds": 5, "seconds": 3.0},
          "unit": "messages",                                              what is counted: "messages", "deliveries", "handshakes"
          "axis": null,                                                    or what x is: "connections", "threads", "% of capacity"
          "parameters": {"connections": 100, "size": 20, "depth": 1},      of the load, as far as they are the same for every x
          "base": "swale",                                                 the subject that the others are compared with
          "skipped": {"nchan": "has no echo"},                             subjects that are there, but not in this cell
          "subjects": [                                                    in the order in which they took turns; the base first
            {
              "name": "bare-epoll",
              "points": [                                                  one for each x, or one
                {
                  "x": null,
                  "figures": {                                             each: median, min and max of the runs, and the runs
                    "rate": {"median": 156000.0, "min": ..., "max": ..., "runs": [...]},
                    ...
                  },
                  "ratios": {                                              of the paired runs; not for the base itself
                    "rate": {"median": 0.99, "min": ..., "max": ...},
                    "server_cpu_us": ...
                  },
                  "limit": "server"                                        or "load": see below; only where kind is "rate"
                }
              ]
            }
          ]
        }
      ]
    }

Figures, where `kind` is "rate":

    rate            units a second
    server_cpu_us   µs of CPU of the server, all threads and children, for each unit
    load_cpu_us     the same of the load generator; in the cells generator-*, where that is `swale bench`, the lower of two: see measure.py
    server_busy     the part of the time in which it was let run (and not kept waiting by others on its core) that it ran; of several
    load_busy       threads, on average. While the other side is kept waiting it has nothing to do: low figures tell of a busy machine
    wire_out        bytes that the load sent, and
    wire_in         bytes that it received, for each unit, without TLS, TCP and IP

Server and load work one behind the other, so the one that has more to do for a message is what the rate tells about: where `limit`
is "load" (load_cpu_us is 95% of server_cpu_us or more) the server could do more than `rate`, and only server_cpu_us tells about it.

where it is "latency" (open loop; x is the load, in % of what the base answers in a closed loop with one in flight, and the same
messages a second for every subject):

    offered         messages a second
    rate            messages a second that were answered
    p50_us p90_us p99_us p99.9_us p99.99_us max_us      from the time at which a message was meant to leave
    late_p99_us     how late the load generator itself was, 99 of 100 times: a latency that is hardly more than that tells nothing

where it is "memory" (x is null):

    bytes           of user memory (private pages that were written to) for each connection, over those of the server with
                    a hundred others that have worked

where it is "text" there is only `text`: what a program printed (the cell micro).

A ratio says how many times better the base is: for `rate` and `offered` the base's figure divided by the subject's, for all others
(which are costs) the subject's divided by the base's. More than 1 is good for the base.
"""
