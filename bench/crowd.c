/* crowd.c - many clients that listen: what bench/scale.py broadcasts to.
 *
 *     crowd PORT PATH CONNECTIONS
 *
 * Opens the connections one after the other, each thousand from another address (127.0.1.1 and on), prints "open",
 * and then does what listeners do: reads, and answers pings. For each line on standard input it prints what has come
 * since the last one: messages, and the instants (of CLOCK_MONOTONIC, in ns) at which the first, the middle, the 99th
 * hundredth and the last of the connections had its last message. Ends with its standard input, by resets, so that no
 * port has to wait.
 *
 * Not made of the client library, so that what it measures is not measured with itself; but of its engine. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <swale/proto.h>

enum { EVENTS = 256, RECEIVE = 65536, PER_ADDRESS = 1000 };

struct listener {
    int fd;
    struct swale_engine engine;
    uint64_t last_ns; /* when its latest message came; 0: none since the last report */
};

static int port, epoll;
static const char *path;
static size_t count, messages;
static struct listener *listeners;
static uint64_t *instants; /* of a report */

static void refuse(const char *what)
{
    fprintf(stderr, "crowd: %s\n", what);
    exit(1);
}

static void fail(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- Opening ---------------------------------------------------------------------------------------- */

static int dial(size_t number)
{
    uint32_t host = INADDR_LOOPBACK + 256 + (uint32_t)(number / PER_ADDRESS);
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(host) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct linger reset = { .l_onoff = 1 };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        fail("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    return fd;
}

/* Nothing follows the answer before somebody publishes. */
static void shake_hands(int fd)
{
    char text[1024];
    int size = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        path, port);
    if (size >= (int)sizeof text || send(fd, text, (size_t)size, 0) != size)
        fail("handshake");
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    if (strncmp(text, "HTTP/1.1 101 ", 13) != 0 || strcmp(text + got - 4, "\r\n\r\n") != 0)
        refuse("the server refused the handshake");
}

static void watch(int fd, struct listener *listener)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = listener };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

/* The mask of a pong: there is nobody here whom it should protect (RFC 6455 section 10.3). */
static void fixed(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 0x5a, size);
}

static void open_all(void)
{
    static const struct swale_engine_config config = {
        .role = SWALE_CLIENT, .max_message = 1 << 20, .max_fragments = 1, .random = fixed
    };
    for (size_t i = 0; i < count; i++) {
        listeners[i].fd = dial(i);
        shake_hands(listeners[i].fd);
        swale_engine_init(&listeners[i].engine, &config, 0);
        swale_engine_open(&listeners[i].engine, false, 0);
        watch(listeners[i].fd, &listeners[i]);
    }
    puts("open");
    fflush(stdout);
}

/* ---- Listening -------------------------------------------------------------------------------------- */

static void handle(struct listener *listener, const struct swale_event *event)
{
    if (event->type == SWALE_EVENT_FAIL || event->type == SWALE_EVENT_CLOSE)
        refuse(event->type == SWALE_EVENT_CLOSE ? "the server closed a connection" : "that is not WebSocket");
    if (event->type == SWALE_EVENT_PART && event->last) {
        listener->last_ns = now_ns();
        messages++;
    }
    if (event->reply_size > 0 && send(listener->fd, event->reply, event->reply_size, MSG_NOSIGNAL) < 0)
        fail("send");
}

/* What the server writes in one piece also comes in one, for it is short. */
static void listen_to(struct listener *listener)
{
    static char data[RECEIVE];
    struct swale_event event;
    ssize_t got = recv(listener->fd, data, sizeof data, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        refuse("a connection was lost");
    for (size_t at = 0; at < (size_t)got;) {
        at += swale_engine_receive(&listener->engine, data + at, (size_t)got - at, 0, &event);
        if (event.type == SWALE_EVENT_NONE)
            refuse("a frame came in pieces");
        handle(listener, &event);
    }
}

/* ---- Reports ---------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

static void report(void)
{
    size_t heard = 0;
    for (size_t i = 0; i < count; i++) {
        if (listeners[i].last_ns > 0)
            instants[heard++] = listeners[i].last_ns;
        listeners[i].last_ns = 0;
    }
    qsort(instants, heard, sizeof *instants, by_time);
    printf("%zu", messages);
    for (int i = 0; i < 4; i++) {
        static const double parts[] = { 0, .5, .99, 1 };
        printf(" %" PRIu64, heard > 0 ? instants[(size_t)((double)(heard - 1) * parts[i])] : 0);
    }
    puts("");
    fflush(stdout);
    messages = 0;
}

static void ask(void)
{
    char line[64];
    ssize_t size = read(STDIN_FILENO, line, sizeof line);
    if (size <= 0)
        exit(0);
    for (ssize_t i = 0; i < size; i++)
        if (line[i] == '\n')
            report();
}

int main(int argc, char **argv)
{
    if (argc != 4 || (port = atoi(argv[1])) <= 0 || (count = strtoul(argv[3], NULL, 10)) == 0) {
        fprintf(stderr, "usage: crowd PORT PATH CONNECTIONS\n");
        return 2;
    }
    path = argv[2];
    listeners = calloc(count, sizeof *listeners);
    instants = calloc(count, sizeof *instants);
    epoll = epoll_create1(0);
    if (!listeners || !instants || epoll < 0)
        fail("starting");
    open_all();
    watch(STDIN_FILENO, NULL);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                listen_to(events[i].data.ptr);
            else
                ask();
        }
    }
}
