/* engine.c - the protocol with no loop: a WebSocket server on standard input and output.
 *
 *     socat TCP-LISTEN:8080,bind=127.0.0.1,fork EXEC:./engine
 *
 * Bytes come from read() and go to write(); the engine says what they mean. Echoes one connection, then
 * ends. */
#include <swale/proto.h>
#include <time.h>
#include <unistd.h>

static char input[65536];
static size_t have;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool put(const char *data, size_t size)
{
    return write(STDOUT_FILENO, data, size) == (ssize_t)size;
}

static bool fill(void)
{
    ssize_t size = have < sizeof input ? read(STDIN_FILENO, input + have, sizeof input - have) : 0;
    have += size > 0 ? (size_t)size : 0;
    return size > 0;
}

static void drop(size_t size)
{
    have -= size;
    memmove(input, input + size, have);
}

/* Reads a request, answers it, and says whether the answer was 101. */
static bool shake_hands(void)
{
    struct swale_head_parser parser = { 0 };
    struct swale_field fields[100];
    struct swale_head_room room = { .fields = fields, .max_fields = 100, .max_size = 16384 };
    struct swale_request request;
    struct swale_upgrade upgrade;
    char answer[1024];
    ptrdiff_t head = 0;
    while (head == 0 && fill())
        head = swale_request_parse(&parser, &room, input, have, &request);
    int error = head > 0 ? swale_upgrade_check(&request, &(struct swale_deflate_policy){ 0 }, &upgrade) : (int)head;
    ptrdiff_t size = error
                         ? swale_answer_head(swale_error_http_status(error), NULL, 0, 0, false, answer, sizeof answer)
                         : swale_upgrade_answer(&upgrade, swale_span(NULL, 0), NULL, 0, answer, sizeof answer);
    if (head > 0)
        drop((size_t)head);
    return size > 0 && put(answer, (size_t)size) && head > 0 && !error;
}

/* Sends a part of a message back as a fragment of its own; false when the connection is over. */
static bool handle(struct swale_engine *engine, const struct swale_event *event)
{
    char header[SWALE_HEADER_MAX];
    if (event->type == SWALE_EVENT_PART) {
        int size =
            swale_engine_send(engine, event->kind, false, event->last, event->payload.size, now(), header, NULL);
        return size > 0 && put(header, (size_t)size) && put(event->payload.data, event->payload.size);
    }
    if (event->reply_size > 0 && !put(event->reply, event->reply_size))
        return false;
    return event->type == SWALE_EVENT_PING || event->type == SWALE_EVENT_PONG;
}

int main(void)
{
    static const struct swale_engine_config config = { .role = SWALE_SERVER,
                                                       .max_message = 1 << 20,
                                                       .max_fragments = 4096 };
    struct swale_engine engine;
    struct swale_event event;
    swale_engine_init(&engine, &config, now());
    if (!shake_hands())
        return 1;
    swale_engine_open(&engine, false, now());
    do {
        for (;;) {
            size_t used = swale_engine_receive(&engine, input, have, now(), &event);
            bool more = event.type == SWALE_EVENT_NONE || handle(&engine, &event);
            drop(used);
            if (!more)
                return event.type != SWALE_EVENT_CLOSE;
            if (event.type == SWALE_EVENT_NONE)
                break;
        }
    } while (fill());
    return swale_engine_end(&engine) != SWALE_ERR_PEER_CLOSED;
}
