"""proxies.py - proxies that we did not write, each a process with a port and a directory of its own; and nginx and
haproxy as they stand before a server."""

import os
import socket
import subprocess
import tempfile

from program import slack, until


def free_port():
    """A port that the kernel has chosen, and that nobody has now. The proxies cannot say which one they were given."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Proxy:
    """A proxy, which `command` makes of its port and its directory. It can be killed and started again."""

    def __init__(self, command):
        self.directory = tempfile.TemporaryDirectory(prefix="swale-test-")
        os.chmod(self.directory.name, 0o755)  # some give up their rights
        self.port = free_port()
        self.command = command(self.port, self.directory.name)
        self.start()

    def start(self):
        self.log = open(os.path.join(self.directory.name, "log"), "a+")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        until(lambda: answers(self.port) or self.process.poll() is not None, slack(20), "the proxy's port")
        assert self.process.poll() is None, self.text()

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def kill(self):
        """With the processes that it has made, which are the only others of its session."""
        os.killpg(self.process.pid, 9)
        self.process.wait()
        self.log.close()

    def end(self):
        self.kill()
        self.directory.cleanup()


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


def read(path):
    with open(path) as file:
        return file.read()


# ---- Before a server on `server`, a port: over TLS with `certificate`, if there is one; and on to the server over TLS, if
# `trusted` names the certificate that it must have.

def nginx(port, directory, server, certificate=None, trusted=None):
    temporary = "".join(f"{kind}_temp_path {directory}/{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    front = f"ssl_certificate {certificate.certificate}; ssl_certificate_key {certificate.key};" if certificate else ""
    inside = f"""
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {trusted};
        proxy_ssl_name localhost;
    """ if trusted else ""
    return ["/usr/sbin/nginx", "-e", "stderr", "-p", directory, "-c", write(directory, "nginx.conf", f"""
        daemon off; master_process off; pid {directory}/pid; error_log stderr;
        events {{ }}
        http {{
            access_log off;
            {temporary}
            server {{
                listen 127.0.0.1:{port}{" ssl" if certificate else ""};
                {front}
                location / {{
                    proxy_pass {"https" if trusted else "http"}://127.0.0.1:{server};
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $http_connection;
                    {inside}
                }}
            }}
        }}
        """)]


def haproxy(port, directory, server, certificate=None, trusted=None, mode="http"):
    front = inside = ""
    if certificate:
        front = f"ssl crt {write(directory, 'chain.pem', read(certificate.certificate) + read(certificate.key))}"
    if trusted:
        inside = f"ssl verify required ca-file {trusted} verifyhost localhost"
    return ["/usr/sbin/haproxy", "-db", "-f", write(directory, "haproxy.cfg", f"""
        defaults
            mode {mode}
            timeout connect 5s
            timeout client 60s
            timeout server 60s
        frontend front
            bind 127.0.0.1:{port} {front}
            default_backend back
        backend back
            server one 127.0.0.1:{server} {inside}
        """.replace("\n        ", "\n"))]
