"""A program under a terminal that the tests play: its screen is kept by python3-pyte, a terminal emulator that we did
not write, and is looked at as a person would."""

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

PATIENCE = 30


def leave(process, pause):
    """Ends it, as a person would: asking, asking again, and by force. `pause` waits for so many seconds at most."""
    for _ in range(3):
        if process.poll() is not None:
            return
        process.terminate()
        end = time.monotonic() + 0.5
        while process.poll() is None and time.monotonic() < end:
            pause(0.05)
    process.kill()
    process.wait()


class Terminal:
    def __init__(self, command, environment, columns=80, rows=24, **options):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""  # all that was written
        self.master, slave = pty.openpty()
        self._set_size(columns, rows)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        **{"stderr": slave, **options})
        os.close(slave)

    def _set_size(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def type(self, text):
        os.write(self.master, text.encode())

    def lines(self):
        """What is on the screen, without the blank end of lines and screen."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def cursor_line(self):
        return self.screen.display[self.screen.cursor.y].rstrip()

    def read(self, seconds):
        """Takes what comes. False when nothing came in this time, or ever will."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.raw += data
        self.stream.feed(data)
        return True

    def until(self, condition, what="the screen"):
        end = time.monotonic() + PATIENCE
        while not condition():
            came = self.read(max(0, end - time.monotonic()))
            assert came or condition(), f"{what}: not seen; the screen:\n" + "\n".join(self.lines())

    def until_line(self, *wanted):
        """Until these lines stand on the screen, one right below the other."""
        def there():
            lines = self.lines()
            return any(lines[n:n + len(wanted)] == list(wanted) for n in range(len(lines)))
        self.until(there, f"{wanted}")

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """The exit status, once it has ended and everything was read."""
        end = time.monotonic() + PATIENCE
        while self.read(max(0, end - time.monotonic())):
            pass
        return self.process.wait(max(0.1, end - time.monotonic()))

    def close(self):
        leave(self.process, lambda seconds: self.read(seconds))
        os.close(self.master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
