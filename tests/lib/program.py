"""program.py - runs `swale serve --demo` for a test, and looks at it from outside.

The program's path comes in SWALE_PROGRAM. Where it listens is read from what it prints, since the kernel chooses the
port. SWALE_SANITIZED=1 tells that it is built with a sanitizer, which costs memory and time (see `slack`).
"""

import os
import re
import resource
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request

SANITIZED = os.environ.get("SWALE_SANITIZED") == "1"
REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:")
ADDRESS = re.compile(r"://(?:127\.0\.0\.1|localhost):(\d+)")  # where it listens; not where it could not
# A small quarantine, so that freed memory does not count as growth.
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "quarantine_size_mb=4:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def slack(bound):
    """A bound of memory or time, as it is for the program at hand."""
    return bound * 4 if SANITIZED else bound


class Program:
    """`around`: a command that runs the program. `environment`: more of it. `descriptors`: the hard limit. `errors`:
    where standard error goes, which is otherwise kept in `log` with standard output."""

    def __init__(self, *options, listen="127.0.0.1:0", tls=None, around=(), environment=None, descriptors=None, errors=None):
        command = [*around, os.environ["SWALE_PROGRAM"], "serve", "--demo", "--listen", listen, *options]
        if tls:
            command += ["--tls-cert", tls.certificate, "--tls-key", tls.key]
        self.tls = tls
        self.log = []
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors is None else errors,
            env={**SANITIZER_OPTIONS, **os.environ, **(environment or {})},
        )
        if descriptors:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        self.pid = self.process.pid
        self.ready = threading.Event()
        self.port = None
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.ready.wait(slack(10)) or self.port is None:
            self.process.kill()
            raise AssertionError("the program did not start:\n" + self.text())

    def _read(self):
        for line in self.process.stdout:
            self.log.append(line.decode("utf-8", "replace"))
            found = ADDRESS.search(self.log[-1])
            if found and not self.port:
                self.port = int(found[1])
                self.ready.set()
        self.ready.set()

    def tls_context(self):
        return self.tls.context() if self.tls else None

    def text(self):
        return "".join(self.log)

    def alive(self):
        return self.process.poll() is None

    def get(self, path, timeout=5):
        scheme, context = ("https", self.tls.context()) if self.tls else ("http", None)
        url = f"{scheme}://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=timeout, context=context) as answer:
            return answer.read().decode()

    def counted(self, reason):
        """How often the metrics have counted this reason, in whichever family."""
        total = 0.0
        for line in self.get("/metrics").splitlines():
            if f'reason="{reason}"' in line:
                total += float(line.rsplit(" ", 1)[1])
        return total

    # ---- What the kernel knows

    def _status(self, field):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"^{field}:\s+(\d+)", status.read(), re.M)[1])

    def memory(self):
        """Resident memory in KiB."""
        return self._status("VmRSS")

    def peak(self):
        """The most since forget_peak(), in KiB."""
        return self._status("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w") as file:
            file.write("5")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # ---- The end

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds):
        return self.process.wait(seconds)

    def stop(self):
        """Ends it as an operator would. Fails unless it ends well, in time and without a sanitizer's report."""
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            status = self.wait(slack(15))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the program did not end on SIGTERM:\n" + self.text()) from None
        self.reader.join(5)
        assert not REPORT.search(self.text()), "a sanitizer reports:\n" + self.text()
        assert status == 0, f"the program ended with status {status}:\n" + self.text()

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure:
            self.kill()
        else:
            self.stop()

    def kill(self):
        """After a failure: whatever its state."""
        if self.alive():
            self.process.kill()
            self.process.wait()


class Certificate:
    """A self-signed certificate for localhost and 127.0.0.1, made by the openssl program."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        self.certificate = os.path.join(self.directory.name, "certificate.pem")
        self.key = os.path.join(self.directory.name, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
            + ["-keyout", self.key, "-out", self.certificate],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def context(self):
        """For clients: trusts this certificate, and no other."""
        return ssl.create_default_context(cafile=self.certificate)


def until(condition, seconds, what):
    """Waits for something that must come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)
