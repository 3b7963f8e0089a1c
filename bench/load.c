/* load.c - a load generator for echo servers on loopback: closed loop, one thread.
 *
 *     load PORT PATH CONNECTIONS SIZE DEPTH SECONDS     measures; PATH "-" for bare TCP (no handshake, the same
 * bytes) load PORT PATH CONNECTIONS idle                   opens connections, prints "ready", holds them until
 * standard input ends
 *
 * Each connection keeps DEPTH binary messages of SIZE bytes in flight, masked as a client must. Against a
 * WebSocket server every byte that comes back is compared with what must come back; against bare TCP bytes are
 * counted. Prints one line: messages, seconds. Server CPU is for the caller to read from the system's accounts. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <swale/proto.h>

enum { RECEIVE = 1 << 20, EVENTS = 128, WARM_UP_MS = 300 };

struct peer {
    int fd;
    size_t in_answer; /* position in the answer under way */
    size_t to_send;   /* bytes that the kernel has not taken yet */
    size_t sent;      /* position in the request under way */
};

static struct {
    int port;
    const char *path;
    int connections;
    size_t size;
    int depth;
    double seconds;
    bool idle, bare;
} plan;

static char *request, *answer; /* one message, each way */
static size_t request_size, answer_size;
static char *requests; /* many, back to back, so that one send can carry them */
static size_t requests_room;
static char received[RECEIVE];
static int epoll;
static unsigned long long finished;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void refuse(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_messages(void)
{
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    char header[SWALE_HEADER_MAX];
    size_t header_size = (size_t)swale_frame_header(SWALE_BINARY, false, plan.size, header);
    answer_size = header_size + plan.size;
    request_size = answer_size + sizeof key;
    answer = malloc(answer_size);
    request = malloc(request_size);
    memcpy(answer, header, header_size);
    for (size_t i = 0; i < plan.size; i++)
        answer[header_size + i] = (char)('a' + i % 26);
    memcpy(request, header, header_size);
    request[1] |= (char)0x80;
    memcpy(request + header_size, key, sizeof key);
    swale_mask_copy(request + header_size + sizeof key, answer + header_size, plan.size, key, 0);

    size_t copies = (size_t)plan.depth;
    requests_room = request_size * copies;
    requests = malloc(requests_room);
    for (size_t i = 0; i < copies; i++)
        memcpy(requests + i * request_size, request, request_size);
}

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)plan.port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Blocking, one after the other: setting up is not what is measured. */
static void shake_hands(int fd)
{
    char text[1024];
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        plan.path, plan.port);
    if (send(fd, text, (size_t)size, 0) != size)
        fail("handshake");
    size_t got = 0;
    while (got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0) {
        if (got == sizeof text || recv(fd, text + got, 1, 0) != 1)
            refuse("no answer to the handshake");
        got++;
    }
    if (strncmp(text, "HTTP/1.1 101 ", 13) != 0)
        refuse("the server refused the handshake");
}

/* Sends what the kernel takes of the connection's share; true when all is sent. */
static bool push(struct peer *peer)
{
    while (peer->to_send > 0) {
        size_t run = requests_room - peer->sent;
        if (run > peer->to_send)
            run = peer->to_send;
        ssize_t size = send(peer->fd, requests + peer->sent, run, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && errno == EAGAIN)
            return false;
        if (size < 0)
            fail("send");
        peer->to_send -= (size_t)size;
        peer->sent = (peer->sent + (size_t)size) % request_size;
    }
    return true;
}

static void watch(struct peer *peer, bool writable, int operation)
{
    struct epoll_event event = { .events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = peer };
    if (epoll_ctl(epoll, operation, peer->fd, &event) != 0)
        fail("epoll_ctl");
}

/* Compares what came with what had to come; returns how many answers it completed. */
static size_t check(struct peer *peer, const char *data, size_t size)
{
    size_t done = 0;
    while (size > 0) {
        size_t run = answer_size - peer->in_answer;
        if (run > size)
            run = size;
        if (!plan.bare && memcmp(data, answer + peer->in_answer, run) != 0)
            refuse("an answer differs from its request");
        data += run;
        size -= run;
        peer->in_answer += run;
        if (peer->in_answer == answer_size) {
            peer->in_answer = 0;
            done++;
        }
    }
    return done;
}

static void serve(struct peer *peer, uint32_t events)
{
    bool blocked = peer->to_send > 0;
    if (events & ~(uint32_t)EPOLLOUT) {
        ssize_t size = recv(peer->fd, received, sizeof received, MSG_DONTWAIT);
        if (size == 0)
            refuse("the server closed a connection");
        if (size < 0 && errno != EAGAIN)
            fail("recv");
        if (size > 0) {
            size_t done = check(peer, received, (size_t)size);
            finished += done;
            peer->to_send += done * request_size;
        }
    }
    bool all = push(peer);
    if (blocked == all)
        watch(peer, !all, EPOLL_CTL_MOD);
}

static void run_until(double end)
{
    while (now() < end) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < count; i++)
            serve(events[i].data.ptr, events[i].events);
    }
}

static void measure(struct peer *peers)
{
    for (int i = 0; i < plan.connections; i++) {
        peers[i].to_send = request_size * (size_t)plan.depth;
        watch(&peers[i], !push(&peers[i]), EPOLL_CTL_ADD);
    }
    run_until(now() + WARM_UP_MS / 1e3);
    printf("start\n"); /* the caller reads the server's accounts here */
    fflush(stdout);
    if (getchar() == EOF)
        return;
    unsigned long long before = finished;
    double start = now();
    run_until(start + plan.seconds);
    printf("%llu %.6f\n", finished - before, now() - start);
    fflush(stdout);
}

static bool read_plan(int argc, char **argv)
{
    plan.idle = argc == 5 && strcmp(argv[4], "idle") == 0;
    if (argc != 7 && !plan.idle)
        return false;
    plan.port = atoi(argv[1]);
    plan.path = argv[2];
    plan.bare = strcmp(plan.path, "-") == 0;
    plan.connections = atoi(argv[3]);
    if (!plan.idle) {
        plan.size = (size_t)atol(argv[4]);
        plan.depth = atoi(argv[5]);
        plan.seconds = atof(argv[6]);
    }
    return plan.port > 0 && plan.connections > 0 && (plan.idle || (plan.depth > 0 && plan.seconds > 0));
}

int main(int argc, char **argv)
{
    if (!read_plan(argc, argv)) {
        fprintf(stderr, "usage: load PORT PATH|- CONNECTIONS (SIZE DEPTH SECONDS | idle)\n");
        return 2;
    }
    struct peer *peers = calloc((size_t)plan.connections, sizeof *peers);
    epoll = epoll_create1(0);
    for (int i = 0; i < plan.connections; i++) {
        peers[i].fd = dial();
        if (!plan.bare)
            shake_hands(peers[i].fd);
    }
    if (plan.idle) {
        printf("ready\n");
        fflush(stdout);
        while (getchar() != EOF)
            continue;
        return 0;
    }
    make_messages();
    measure(peers);
    return 0;
}
