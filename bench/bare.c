#include "bare.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

void bare_fail(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* Linux: inherited */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0)
        bare_fail("listen");
    return fd;
}

static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

struct bare bare_start(int argc, char **argv)
{
    bool right = argc == 4 || (argc == 5 && (strcmp(argv[4], "echo") == 0 || strcmp(argv[4], "fan-out") == 0));
    if (!right || atol(argv[2]) <= 0 || atol(argv[3]) <= 0) {
        fprintf(stderr, "usage: %s PORT BYTES_IN BYTES_OUT [echo|fan-out]\n", argv[0]);
        exit(2);
    }
    raise_files();
    return (struct bare){ .bytes_in = (size_t)atol(argv[2]),
                          .bytes_out = (size_t)atol(argv[3]),
                          .fan_out = argc == 5 && strcmp(argv[4], "fan-out") == 0,
                          .listener = listen_on(atoi(argv[1])) };
}
