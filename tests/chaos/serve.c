/* serve.c - a server of the chaos in a process of its own, to be killed: it serves at a socket of the file system and
 * at a port, which it writes upon the board.
 *
 *     chaos_serve SOCKET       the board is standard input */
#include "service.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Short deadlines: what is half open or never finishes must not fill the server. */
static const struct swale_server_options options = {
    .threads = 1,
    .max_connections_per_address = SWALE_UNLIMITED,
    .limits = { .ping_after_ms = 1000, .gone_after_ms = 1000, .handshake_ms = 3000 },
};

static void check(int error, const char *what)
{
    if (error == 0)
        return;
    fprintf(stderr, "chaos_serve: %s: %s\n", what, swale_strerror(error));
    exit(1);
}

int main(int count, char **arguments)
{
    char address[300];
    struct swale_server *server;
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, STDIN_FILENO, 0);
    if (count != 2 || board == MAP_FAILED)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* not longer than the test */
    check(swale_server_new(&server, &options), "new");
    service_attach(server, board);
    snprintf(address, sizeof address, "unix:%s", arguments[1]);
    check(swale_server_listen(server, &(struct swale_listen){ .address = address }), address);
    check(swale_server_listen(server, &(struct swale_listen){ .address = "127.0.0.1:0" }), "a port");
    check(swale_server_start(server), "start");
    atomic_store(&board->port, (uint16_t)atoi(strrchr(swale_server_address(server, 1), ':') + 1));
    check(swale_server_wait(server), "wait");
    return 0;
}
