"""What bash and zsh offer with the scripts of `swale completion`: all that --help names, and nothing else.

Run by ctest with SWALE (the program) in the environment. bash is asked by calling the function as it would be called
for a Tab; zsh, where completion lives in the line editor, by typing at it through a terminal.
"""
import os
import pathlib
import pty
import re
import select
import shlex
import subprocess
import tempfile
import time
import unittest

SWALE = os.environ["SWALE"]
PATIENCE = 30


def output_of(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE, **options).stdout


def commands():
    return re.findall(r"^  (\w+) ", output_of(SWALE, "--help"), re.M)


def options(command):
    return set(re.findall(r"^  (?:-\w, )?(--[a-z0-9-]+)", output_of(SWALE, command, "--help"), re.M))


class Shell:
    """A directory of its own with a few files, and a shell in it."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        self.home = pathlib.Path(self.directory.name)
        for name in ("server.crt", "server key", "page"):
            (self.home / name).write_text("")
        for name in ("pages", "private pages"):
            (self.home / name).mkdir()
        self.begin()
        return self

    def __exit__(self, *_):
        self.end()
        self.directory.cleanup()

    def end(self):
        pass


class Bash(Shell):
    ASK = """
        source swale.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _swale
        for word in "${COMPREPLY[@]}"; do printf '%s\\n' "$word"; done
    """

    def begin(self):
        (self.home / "swale.bash").write_text(output_of(SWALE, "completion", "bash"))

    def offers(self, line):
        """What is offered where the line ends, cut into words as bash cuts it."""
        words = [word for word in re.split(r"(=)| ", line) if word is not None]
        words = [word for i, word in enumerate(words) if word or i == len(words) - 1]
        if words[-2:] == ["=", ""]:
            words.pop()
        return set(output_of("bash", "--norc", "-uc", self.ASK, "bash", *words, cwd=self.home).splitlines())


class Zsh(Shell):
    # Whatever is found passes through compadd, whose hits go to a file; ^] says that the line before it has been dealt
    # with, and begins a new one.
    SETUP = """
        PS1= RPS1= PROMPT_EOL_MARK=
        fpath=(%s $fpath)
        autoload -Uz compinit && compinit -u -D
        compadd() {
            if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
                local -a hits
                builtin compadd -O hits "$@"
                print -rl -- $hits >>hits
            fi
            builtin compadd "$@"
        }
        zstyle ':completion:*' list-prompt ''
        LISTMAX=100000
        next() { print -r -- "<<$BUFFER>>"; BUFFER= }
        zle -N next && bindkey '^]' next
        print -r -- '<<ready>>'
    """

    def begin(self):
        functions = self.home / "functions"
        functions.mkdir()
        (functions / "_swale").write_text(output_of(SWALE, "completion", "zsh"))
        (self.home / ".zshrc").write_text(self.SETUP % shlex.quote(str(functions)))
        environment = {**os.environ, "ZDOTDIR": str(self.home), "HOME": str(self.home), "TERM": "dumb"}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(self.home)
            os.execvpe("zsh", ["zsh", "-d", "-i"], environment)
        self.screen = b""
        self.line()

    def end(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)

    def line(self):
        """The next that is printed between << and >>."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(rb"<<(.*?)>>", self.screen, re.S)):
            ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
            assert ready, self.screen
            self.screen += os.read(self.terminal, 65536)
        self.screen = self.screen[found.end():]
        return found[1].decode()

    def type(self, line):
        """The line as it is after a Tab at its end."""
        os.write(self.terminal, line.encode() + b"\t\x1d")
        return self.line()

    def offers(self, line):
        hits = self.home / "hits"
        hits.write_text("")
        self.type(line)
        return {hit.replace("\\", "") for hit in hits.read_text().splitlines() if hit}


class Common:
    def test_the_commands(self):
        with self.SHELL() as shell:
            self.assertEqual({word for word in shell.offers("swale ") if word[0] != "-"}, set(commands()))
            self.assertEqual(shell.offers("swale ser"), {"serve"})

    def test_every_option_of_every_command(self):
        with self.SHELL() as shell:
            for command in commands():
                offered = {word.rstrip("=") for word in shell.offers(f"swale {command} --")}
                self.assertEqual(offered, options(command), command)

    def test_words(self):
        with self.SHELL() as shell:
            self.assertEqual(shell.offers("swale serve --log "), {"text", "json", "off"})
            self.assertEqual(shell.offers("swale serve --log j"), {"json"})
            self.assertEqual(shell.offers("swale serve --demo --log="), {"text", "json", "off"})
            self.assertEqual(shell.offers("swale serve --log=j"), {"json"})
            for command in "serve", "connect", "bench":
                self.assertEqual(shell.offers(f"swale {command} --deflate="), {"shared", "context"}, command)
            self.assertIn("--demo", {word.rstrip("=") for word in shell.offers("swale serve --deflate --")})
            self.assertLessEqual({"bash", "zsh"}, shell.offers("swale completion "))

    def test_files_and_directories(self):
        with self.SHELL() as shell:
            self.assertEqual(shell.offers("swale serve --tls-cert serv"), {"server.crt", "server key"})
            self.assertEqual(shell.offers("swale serve --tls-key=server."), {"server.crt"})
            self.assertEqual(shell.offers("swale serve --root p"), {"pages", "private pages"})

    def test_nothing_where_nothing_is_known(self):
        with self.SHELL() as shell:
            self.assertEqual(shell.offers("swale serve --listen "), set())
            self.assertEqual(shell.offers("swale serve --listen=s"), set())
            self.assertEqual(shell.offers("swale connect --wait="), set())
            self.assertEqual(shell.offers("swale nonsense --"), set())

    def test_letters(self):
        with self.SHELL() as shell:
            self.assertEqual(shell.offers("swale connect -H "), set())
            self.assertEqual({word.rstrip("=") for word in shell.offers("swale connect -k --cac")}, {"--cacert"})


class InBash(Common, unittest.TestCase):
    SHELL = Bash


class InZsh(Common, unittest.TestCase):
    SHELL = Zsh

    def test_the_line_is_completed(self):
        with Zsh() as shell:
            self.assertEqual(shell.type("swale serve --dem"), "swale serve --demo ")
            self.assertEqual(shell.type("swale serve --tls-key server\\ "), "swale serve --tls-key server\\ key ")


class TheCommand(unittest.TestCase):
    def test_it_wants_a_shell_that_it_knows(self):
        for arguments in ([], ["fish"], ["bash", "zsh"], ["--nonsense"]):
            ran = subprocess.run([SWALE, "completion", *arguments], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), arguments)
            self.assertEqual(len(ran.stderr.splitlines()), 1, arguments)

    def test_it_says_when_it_cannot_write(self):
        with open("/dev/full", "w") as full:
            ran = subprocess.run([SWALE, "completion", "bash"], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(ran.returncode, 1)


if __name__ == "__main__":
    unittest.main()
