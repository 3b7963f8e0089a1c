"""`swale connect` at a prompt, as the person sees it who types there: under a pseudo-terminal whose screen is kept by
python3-pyte.

Run by ctest with SWALE_PROGRAM (the program) in the environment.
"""
import os
import queue
import signal
import subprocess
import tempfile
import unittest

from program import Program

from pseudo_terminal import Terminal
from scripted import BINARY, PING, TEXT, Scripted, close_frame, frame

SWALE = os.environ["SWALE_PROGRAM"]
PATIENCE = 30
CTRL_A, CTRL_C, CTRL_D, CTRL_E, CTRL_R, CTRL_V, CTRL_Z = "\x01", "\x03", "\x04", "\x05", "\x12", "\x16", "\x1a"
LEFT, UP = "\x1b[D", "\x1b[A"


class Puppet:
    """A server whose sending the test does: `say` frames; `heard` what came."""

    def __init__(self):
        self.orders, self.heard = queue.Queue(), queue.Queue()
        self.server = Scripted(self.script)
        self.url = self.server.url()

    def script(self, connection):
        connection.accept()
        self.connection = connection
        self.orders.put(None)
        while True:
            opcode, payload = connection.read_frame()
            self.heard.put((opcode, payload))
            if opcode is None or opcode == 8:
                if opcode:
                    connection.send(frame(8, payload))
                return
            if opcode == PING:
                connection.send(frame(10, payload))

    def ready(self):
        self.orders.get(timeout=PATIENCE)

    def say(self, text, opcode=TEXT):
        self.connection.send(frame(opcode, text if isinstance(text, bytes) else text.encode()))

    def hear(self):
        return self.heard.get(timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()


class Prompt(unittest.TestCase):
    def setUp(self):
        self.state = tempfile.TemporaryDirectory()
        self.addCleanup(self.state.cleanup)

    def environment(self, **changes):
        plain = {name: value for name, value in os.environ.items()
                 if not name.lower().endswith("_proxy") and name not in ("NO_COLOR", "LC_ALL")}
        return {**plain, "TERM": "xterm-256color", "XDG_STATE_HOME": self.state.name, "HOME": self.state.name, **changes}

    def connect(self, *arguments, columns=80, rows=24, environment={}, **options):
        return Terminal([SWALE, "connect", *arguments], self.environment(**environment), columns, rows, **options)

    def opened(self, puppet, terminal):
        puppet.ready()
        terminal.until(lambda: terminal.cursor_line() == ">", "the prompt")

    # ---- Messages

    def test_sends_and_shows(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("hello\r")
            self.assertEqual(server.hear(), (TEXT, b"hello"))
            server.say("hi there")
            terminal.until_line("> hello", "< hi there", ">")
            terminal.type("ä€𝄞\r")
            self.assertEqual(server.hear(), (TEXT, "ä€𝄞".encode()))
            terminal.type("\r")  # nothing
            terminal.type("x\r")
            self.assertEqual(server.hear(), (TEXT, b"x"))

    def test_keeps_what_is_typed_when_a_message_comes(self):
        with Puppet() as server, self.connect(server.url, columns=40) as terminal:
            self.opened(server, terminal)
            terminal.type("half a li" + LEFT)
            terminal.until(lambda: terminal.cursor_line() == "> half a li" and terminal.screen.cursor.x == 10)
            server.say("interrupting")
            terminal.until_line("< interrupting", "> half a li")
            terminal.until(lambda: (terminal.cursor_line(), terminal.screen.cursor.x) == ("> half a li", 10))
            terminal.type("X\r")
            self.assertEqual(server.hear(), (TEXT, b"half a lXi"))

    def test_redraws_lines_longer_than_the_screen_is_wide(self):
        for length in 37, 38, 39, 77, 78, 79, 100:
            with Puppet() as server, self.connect(server.url, columns=40, rows=30) as terminal:
                self.opened(server, terminal)
                text = "".join(chr(97 + n % 26) for n in range(length))
                terminal.type(text)
                rows = [("> " + text)[n:n + 40] for n in range(0, length + 2, 40)]
                terminal.until_line(*rows)
                server.say("one")
                server.say("two")
                terminal.until_line("connected", "(Ctrl-D ends)", "< one", "< two", *rows)
                terminal.type(CTRL_A)
                terminal.until(lambda: terminal.screen.cursor.x == 2)
                server.say("three")
                terminal.until_line("< two", "< three", *rows)
                self.assertEqual(len(terminal.lines()), 5 + len(rows))
                terminal.type(CTRL_E + "\r")
                self.assertEqual(server.hear(), (TEXT, text.encode()))

    def test_redraws_wide_characters(self):
        with Puppet() as server, self.connect(server.url, columns=20) as terminal:
            self.opened(server, terminal)
            terminal.type("日本語日本語日本語日本語")
            terminal.until(lambda: terminal.screen.cursor.x == 6)
            server.say("one")
            server.say("two")
            wanted = ["connected", "(Ctrl-Dends)", "<one", "<two", ">日本語日本語日本語", "日本語"]
            terminal.until(lambda: [line.replace(" ", "") for line in terminal.lines()] == wanted)

    def test_survives_a_new_size(self):
        with Puppet() as server, self.connect(server.url, columns=60) as terminal:
            self.opened(server, terminal)
            terminal.type("some text")
            terminal.until(lambda: terminal.cursor_line() == "> some text")
            terminal.resize(100, 24)
            server.say("after")
            terminal.until_line("< after", "> some text")
            terminal.type("!\r")
            self.assertEqual(server.hear(), (TEXT, b"some text!"))

    def test_shows_a_flood_in_order(self):
        with Puppet() as server, self.connect(server.url, rows=200) as terminal:
            self.opened(server, terminal)
            terminal.type("typing")
            for n in range(150):
                server.say(f"message {n}")
            terminal.until_line(*[f"< message {n}" for n in range(150)], "> typing")

    def test_redraws_what_cannot_be_shown(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("a" + CTRL_V + "\x07b" + CTRL_V + "\tc\u0378\U000e0080d")
            terminal.until(lambda: terminal.cursor_line().endswith("d"))
            before = terminal.cursor_line()
            server.say("one")
            server.say("two")
            terminal.until_line("connected", "(Ctrl-D ends)", "< one", "< two", before)
            terminal.type("\r")
            self.assertEqual(server.hear(), (TEXT, "a\x07b\tc\u0378\U000e0080d".encode()))

    def test_leaves_out_what_is_no_text(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            for keys in b"a\xff", b"b\xe2\x82", b"c\xe4\xbd\xa0\r":
                os.write(terminal.master, keys)
            self.assertEqual(server.hear(), (TEXT, "abc你".encode()))

    def test_types_utf_8_in_any_locale(self):
        with Puppet() as server, self.connect(server.url, environment={"LC_ALL": "C"}) as terminal:
            self.opened(server, terminal)
            terminal.type("grün\r")
            self.assertEqual(server.hear(), (TEXT, "grün".encode()))

    # ---- What peers may do to the screen

    def test_escapes(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            server.say("\033[2J\033[H\033]0;owned\x07\x9b31m\u202etxt")
            server.say("line\n> fake\n< fake")
            server.say(b"\033\x00\xffx", BINARY)
            terminal.until_line(r"< \x1b[2J\x1b[H\x1b]0;owned\x07\u009b31m\u202etxt", "< line", "  > fake", "  < fake",
                                "< 0000  1b 00 ff 78" + " " * 39 + "...x", ">")
            self.assertNotIn(b"\033[2J", terminal.raw)
            self.assertNotIn(b"owned\x07", terminal.raw)
            self.assertNotIn("\u202e".encode(), terminal.raw)

    def test_close_reasons_are_escaped(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            server.connection.send(close_frame(1008, b"no\033[2J"))
            self.assertEqual(terminal.end(), 10)
            self.assertEqual(terminal.lines()[-1], r"swale connect: closed by the server with 1008: no\x1b[2J")
            self.assertNotIn(b"\033[2J", terminal.raw)

    def test_raw(self):
        with Puppet() as server, self.connect("--raw", server.url) as terminal:
            self.opened(server, terminal)
            server.say("\033[1mbold\033[0m")
            terminal.until_line("< bold", ">")
            self.assertIn(b"\033[1mbold", terminal.raw)

    def test_json(self):
        with Puppet() as server, self.connect("--json", server.url) as terminal:
            self.opened(server, terminal)
            server.say('{"a":1.0,"b":"\u202e"}')
            terminal.until_line("< {", '    "a": 1.0,', r'    "b": "\u202e"', "  }", ">")

    # ---- Colours

    def test_colours(self):
        for options, environment, coloured in [([], {}, True), (["--no-color"], {}, False),
                                               ([], {"NO_COLOR": "1"}, False), ([], {"NO_COLOR": ""}, True)]:
            with Puppet() as server, self.connect(*options, server.url, environment=environment) as terminal:
                self.opened(server, terminal)
                server.say("x")
                terminal.until_line("< x", ">")
                self.assertEqual(b"\033[36m<" in terminal.raw, coloured, (options, environment))
                self.assertEqual(b"\033[32m" in terminal.raw, coloured)

    # ---- Keys

    def test_ctrl_c_takes_back_and_then_ends(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("not sent" + LEFT + LEFT)
            terminal.until(lambda: terminal.cursor_line() == "> not sent")
            terminal.type(CTRL_C)
            terminal.until(lambda: terminal.cursor_line() == ">")
            terminal.type("sent\r")
            self.assertEqual(server.hear(), (TEXT, b"sent"))
            terminal.type(CTRL_C)
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(server.hear(), (8, b"\x03\xe8"))
            self.assertEqual(terminal.lines()[-1], "> sent")

    def test_ctrl_d_ends(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type(CTRL_D)
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(server.hear(), (8, b"\x03\xe8"))
            self.assertEqual(terminal.lines(), ["connected", "(Ctrl-D ends)"])

    def test_a_lone_escape_stops_nothing(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("\033")
            server.say("still here")
            terminal.until_line("< still here", ">")
            server.say(b"p", PING)
            self.assertEqual(server.hear(), (10, b"p"))

    def test_searching_stops_nothing(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("needle\r")
            server.hear()
            terminal.type("other\r")
            server.hear()
            terminal.type(CTRL_R + "nee")
            terminal.until(lambda: "needle" in terminal.cursor_line() or "nee" in terminal.cursor_line())
            server.say("meanwhile")
            terminal.until(lambda: "< meanwhile" in terminal.lines())
            terminal.type("\r\r")
            self.assertEqual(server.hear(), (TEXT, b"needle"))

    def test_ctrl_z_suspends(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("half")
            terminal.until(lambda: terminal.cursor_line() == "> half")
            terminal.signal(signal.SIGTSTP)
            _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
            self.assertTrue(os.WIFSTOPPED(status))
            terminal.signal(signal.SIGCONT)
            terminal.type(" done\r")
            self.assertEqual(server.hear(), (TEXT, b"half done"))

    def test_leaves_the_terminal_as_it_was(self):
        for last in CTRL_D, CTRL_C:
            with Puppet() as server:
                script = '"$SWALE_PROGRAM" connect "$0"; echo "status $?"; stty -a | tr ";" "\\n" | grep -c "[ ]icanon"'
                with Terminal(["sh", "-c", "trap : INT; before=$(stty -g); " + script +
                               '; [ "$before" = "$(stty -g)" ] && echo same', server.url], self.environment()) as terminal:
                    self.opened(server, terminal)
                    terminal.type(last)
                    terminal.until(lambda: "same" in terminal.lines())
                    self.assertIn("status 0", terminal.lines())

    def test_a_signal_ends(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.signal(signal.SIGTERM)
            self.assertEqual(terminal.end(), 143)
            self.assertEqual(server.hear(), (8, b"\x03\xe8"))

    # ---- History

    def test_history(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            for line in "first", "second ä", " secret", "second ä":
                terminal.type(line + "\r")
                server.hear()
            terminal.type(UP + UP)
            terminal.until(lambda: terminal.cursor_line() == "> first")
            terminal.type(CTRL_C + CTRL_D)
            self.assertEqual(terminal.end(), 0)
        path = os.path.join(self.state.name, "swale", "history")
        with open(path) as file:
            self.assertEqual(file.read(), "first\nsecond ä\n")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type(UP)
            terminal.until(lambda: terminal.cursor_line() == "> second ä")
            terminal.type("!\r")
            self.assertEqual(server.hear(), (TEXT, "second ä!".encode()))

    def test_no_history(self):
        with Puppet() as server, self.connect("--no-history", server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("line\r")
            server.hear()
            terminal.type(CTRL_D)
            self.assertEqual(terminal.end(), 0)
        self.assertEqual(os.listdir(self.state.name), [])

    # ---- Commands

    def test_slash(self):
        with Puppet() as server, self.connect("--slash", server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("/ping are you there\r")
            self.assertEqual(server.hear(), (PING, b"are you there"))
            terminal.until(lambda: any(line.startswith('pong "are you there", after ') for line in terminal.lines()))
            terminal.type("//sent\r")
            self.assertEqual(server.hear(), (TEXT, b"/sent"))
            terminal.type("/wat\r")
            terminal.until(lambda: any("no such command" in line for line in terminal.lines()))
            terminal.type("/close 999\r")
            terminal.until(lambda: any("not closed: " in line for line in terminal.lines()))
            terminal.type("/close 4001 good bye\r")
            self.assertEqual(server.hear(), (8, b"\x0f\xa1good bye"))
            self.assertEqual(terminal.end(), 10)

    def test_slash_helps(self):
        with Puppet() as server, self.connect("--slash", server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("/help\r")
            terminal.until_line("/ping [TEXT]            ask for a pong", "/close [CODE [TEXT]]    close, with 1000 or this code",
                                "//TEXT                  send /TEXT", ">")
            for code in "70000", "never":
                terminal.type(f"/close {code}\r")
                terminal.until_line(f"> /close {code}", "not closed: an argument is out of its range", ">")
            terminal.type("/ping " + 126 * "x" + "\r")
            terminal.until(lambda: any(line.startswith("no ping: ") for line in terminal.lines()))
            terminal.type("/close\r")
            self.assertEqual(server.hear(), (8, b"\x03\xe8"))
            self.assertEqual(terminal.end(), 0)

    def test_while_there_is_no_connection(self):
        server = Program()
        with self.connect("--slash", "--reconnect", f"ws://127.0.0.1:{server.port}/echo") as terminal:
            terminal.until_line("(Ctrl-D ends, /help helps)", ">")
            server.kill()
            terminal.until(lambda: any("trying again in" in line for line in terminal.lines()))
            terminal.type("later\r")
            terminal.until(lambda: "(waits for the connection)" in terminal.lines())
            terminal.type("/ping\r")
            terminal.until(lambda: "no ping: there is no connection now" in terminal.lines())
            terminal.type(CTRL_D)
            self.assertEqual(terminal.end(), 0)

    def test_slashes_are_messages_otherwise(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("/close\r")
            self.assertEqual(server.hear(), (TEXT, b"/close"))

    # ---- Beginnings and ends

    def test_says_what_was_agreed(self):
        with Program("--deflate") as server:
            url = f"ws://127.0.0.1:{server.port}/echo"
            with self.connect("--deflate", "-s", "chat", url) as terminal:
                terminal.until_line("connected, subprotocol chat, compressed", "(Ctrl-D ends)", ">")

    def test_verbose_above_the_prompt(self):
        with Puppet() as server, self.connect("-v", server.url, rows=40) as terminal:
            self.opened(server, terminal)
            terminal.type("typing")
            server.say("hi")
            terminal.until(lambda: terminal.lines()[-2:] == ["< hi", "> typing"])
            self.assertIn("> GET / HTTP/1.1", terminal.lines())
            self.assertRegex(terminal.lines()[-3], r"^< \d+\.\d{3} s: text, fin, 2 bytes$")

    def test_the_server_closes(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            terminal.type("half")
            terminal.until(lambda: terminal.cursor_line() == "> half")
            server.connection.send(close_frame(1000, b"bye"))
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(terminal.lines(), ["connected", "(Ctrl-D ends)", "closed by the server with 1000: bye"])

    def test_nothing_there(self):
        with self.connect("ws://127.0.0.1:1/") as terminal:
            self.assertEqual(terminal.end(), 4)
            self.assertEqual(terminal.lines(), ["swale connect: connect to 127.0.0.1:1: Connection refused"])

    def test_ctrl_c_while_connecting(self):
        with Scripted(lambda connection: connection.read_frame()) as server, self.connect(server.url()) as terminal:
            while not server.connections:
                terminal.read(0.01)
            terminal.type(CTRL_C)
            self.assertEqual(terminal.end(), 130)

    def test_reconnects(self):
        first = Program()
        port = first.port
        with self.connect("--reconnect", "--on-connect", "hello", f"ws://127.0.0.1:{port}/echo") as terminal:
            terminal.until_line("< hello", ">")
            terminal.type("typing")
            terminal.until(lambda: terminal.cursor_line() == "> typing")
            first.kill()
            terminal.until(lambda: any("trying again in" in line for line in terminal.lines()))
            terminal.until(lambda: terminal.cursor_line() == "> typing")
            with Program(listen=f"127.0.0.1:{port}"):
                terminal.until(lambda: any(line.startswith("connected again after") for line in terminal.lines()))
                terminal.until_line("< hello", "> typing")
                terminal.type(" on\r")
                terminal.until_line("> typing on", "< typing on", ">")
                terminal.type(CTRL_D)
                self.assertEqual(terminal.end(), 0)

    def test_the_last_line_goes_to_standard_error(self):
        with Puppet() as server, self.connect(server.url, stderr=subprocess.PIPE) as terminal:
            self.opened(server, terminal)
            server.connection.send(close_frame(1011))
            self.assertEqual(terminal.end(), 10)
            self.assertEqual(terminal.process.stderr.read(), b"swale connect: closed by the server with 1011\n")
            terminal.process.stderr.close()

    def test_a_dumb_terminal_gets_no_prompt(self):
        with Puppet() as server, self.connect(server.url, environment={"TERM": "dumb"}) as terminal:
            server.ready()
            terminal.type("line\r")
            self.assertEqual(server.hear(), (TEXT, b"line"))
            server.say("answer\033")
            terminal.until_line("line", r"answer\x1b")
            terminal.type(CTRL_D)
            self.assertEqual(terminal.end(), 0)
            self.assertNotIn(b"\033", terminal.raw)

    def test_the_terminal_hangs_up(self):
        with Puppet() as server, self.connect(server.url) as terminal:
            self.opened(server, terminal)
            os.close(terminal.master)
            self.assertEqual(terminal.process.wait(PATIENCE), 129)
            terminal.master = os.open("/dev/null", os.O_RDONLY)


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
