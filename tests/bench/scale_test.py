"""scale_test.py - the scale run, quickly and with few connections: scale_test.py BENCH BUILD."""
import json
import subprocess
import sys
import tempfile

BENCH, BUILD = sys.argv[1:3]
COUNT = 300

with tempfile.TemporaryDirectory() as directory:
    path = f"{directory}/scale.json"
    command = [f"{BENCH}/scale.py", "--quick", "--connections", str(COUNT), "--rounds", "2", "--json", path, BUILD]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=100)
    with open(path, encoding="ascii") as file:
        found = json.load(file)

assert found["connections"] == COUNT and found["processes"] == 1
assert found["memory"]["user"] > 100
assert found["heartbeat"]["answered"] >= COUNT and found["heartbeat"]["cpu_us"] > 0
cast = found["broadcast"]
assert cast["rounds"] == 2 and 0 < cast["first_ms"]["min"] <= cast["last_ms"]["max"] and cast["cpu_us"]["min"] > 0
assert 0 < cast["echo_meanwhile_ms"]["p50"] <= cast["echo_meanwhile_ms"]["max"]
assert found["active"]["lost"] == 0 and found["active"]["messages_per_second"] > COUNT / 8
