/* tunnel.c - what proxies say to CONNECT and SOCKS 5.
 *
 * Input: one byte of options, one that says how to cut, then what the proxy says. Whatever that is, the tunnel comes
 * to one end, which is either a stream or a named error with a line for people, and it keeps nothing. Cut otherwise
 * it comes to the same end, and what stands behind the answer comes out of the stream. (names.c has the URLs.) */
#include "fuzz.h"

#include "client/tunnel.h"
#include "io/turn.h"

#include <errno.h>

enum { SOCKS = 1, LOGIN = 2, IN_FLIGHT = 4, TINY = 8, AHEAD = 16, ABORT = 32, CANCEL = 64, ADDRESS = 128 };

struct world {
    struct swale_loop *loop;
    unsigned options;
    struct swale__stream *proxy;
    size_t in_flight;
    bool over; /* the proxy hears no more */
    struct swale__tunnel *tunnel;
    struct swale__stream *open;
    int outcomes, error;
    char *came; /* out of the stream */
    size_t came_size, said;
};

static uint64_t read_clock(void *context)
{
    (void)context;
    return 1000;
}

static void settle(struct world *world)
{
    int turns = 0;
    do
        require(swale_loop_step(world->loop, 0) >= 0 && ++turns < 100000);
    while (swale_loop_wait_ms(world->loop) == 0);
}

/* ---- The user of the tunnel ------------------------------------------------------------------------- */

static void hear(void *context, char *data, size_t size)
{
    (void)context;
    require(data && size > 0);
}

static void take(void *context, char *data, size_t size)
{
    struct world *world = context;
    world->came = realloc(world->came, world->came_size + size);
    require(world->came && size > 0);
    memcpy(world->came + world->came_size, data, size);
    world->came_size += size;
}

static void written(void *context, size_t size)
{
    ((struct world *)context)->in_flight -= size;
}

static void ended(void *context)
{
    ((struct world *)context)->over = true;
}

static void broken(void *context, int error)
{
    require(error < 0);
    ended(context);
}

static void nothing(void *context)
{
    (void)context;
}

static void nothing_written(void *context, size_t size)
{
    (void)context;
    require(size == 0);
}

static void nothing_broken(void *context, int error)
{
    require(error < 0 && (((struct world *)context)->options & ABORT));
}

static const struct swale__stream_user listener = { hear, written, ended, broken };
static const struct swale__stream_user taker = { take, nothing_written, nothing, nothing_broken };

static void on_ready(void *context, struct swale__stream *stream)
{
    struct world *world = context;
    world->outcomes++;
    world->tunnel = NULL;
    world->open = stream;
    swale__stream_use(stream, &taker, world);
    swale__stream_resume(stream);
}

static void on_failed(void *context, int error, const char *text, const struct swale_response *response)
{
    struct world *world = context;
    world->outcomes++;
    world->tunnel = NULL;
    world->error = error;
    require(error == SWALE_ERR_PROXY || error == SWALE_ERR_PROXY_REFUSED || error == SWALE_ERR_PROXY_LOGIN ||
            ((world->options & ABORT) && error == -ECONNRESET));
    require(*text != '\0');
    for (; *text; text++)
        require(*text >= 0x20 && *text < 0x7f);
    require(!response || !(world->options & SOCKS));
    require(!response || (response->status >= 300 &&
                          (response->status == 407 || response->status == 401) == (error == SWALE_ERR_PROXY_LOGIN)));
}

static void on_trace(void *context, enum swale_trace_kind kind, struct swale_span text)
{
    require(kind <= SWALE_TRACE_RESPONSE && text.size > 0 && ((struct world *)context)->tunnel);
}

/* ---- The proxy -------------------------------------------------------------------------------------- */

static void begin(struct world *world, struct swale__proxy *proxy)
{
    const struct swale_loop_options loop = { .clock = read_clock, .receive_buffer = 8192 };
    const struct swale__pair_options pair = { .in_flight = world->options & IN_FLIGHT,
                                              .capacity = world->options & TINY ? 5 : 0 };
    struct swale__stream *ends[2];
    require(swale_loop_new(&world->loop, &loop) == 0 && swale__pair(ends, world->loop, &pair) == 0);
    world->proxy = ends[1];
    swale__stream_use(ends[1], &listener, world);
    if (!(world->options & AHEAD))
        swale__stream_resume(ends[1]); /* else it talks before it listens */
    proxy->kind = world->options & SOCKS ? SWALE__PROXY_SOCKS5 : SWALE__PROXY_HTTP;
    proxy->userinfo = swale_text(world->options & LOGIN ? "user:p%40ss" : "");
    const struct swale__tunnel_options options = {
        .stream = ends[0],
        .proxy = proxy,
        .host = swale_text(world->options & ADDRESS ? "2001:db8::1" : "example.com"),
        .ipv6 = world->options & ADDRESS,
        .port = 443,
        .max_head = 512,
        .max_fields = 4,
        .on_ready = on_ready,
        .on_failed = on_failed,
        .on_trace = on_trace,
        .context = world,
    };
    require(swale__tunnel_new(&world->tunnel, &options) == 0);
}

static void say(struct world *world, const char *data, size_t size)
{
    while (size > 0 && world->in_flight == 0 && !world->over) {
        struct iovec part = { .iov_base = (char *)(uintptr_t)data, .iov_len = size };
        ptrdiff_t sent = swale__stream_write(world->proxy, &part, 1);
        if (sent == SWALE__IN_FLIGHT) {
            world->in_flight = size;
            sent = (ptrdiff_t)size;
        }
        settle(world);
        if (sent <= 0)
            return;
        world->said += (size_t)sent;
        data += sent;
        size -= (size_t)sent;
    }
}

static void end(struct world *world)
{
    swale__stream_close(world->proxy, world->options & ABORT);
    if (world->tunnel && (world->options & CANCEL)) {
        swale__tunnel_cancel(world->tunnel);
        world->outcomes++;
    }
    settle(world);
    require(world->outcomes == 1);
    if (world->open)
        swale__stream_close(world->open, false);
    swale_loop_free(world->loop);
}

static struct world answer(unsigned options, const char *data, size_t size, size_t piece)
{
    struct world world = { .options = options };
    struct swale__proxy proxy;
    begin(&world, &proxy);
    for (size_t at = 0; at < size; at += piece) {
        settle(&world);
        say(&world, data + at, size - at < piece ? size - at : piece);
    }
    end(&world);
    if (world.outcomes == 1 && world.open && !(options & ABORT)) {
        /* All that was said, but for the answer. */
        require(world.said == size && world.came_size <= size);
        require(world.came_size == 0 || memcmp(world.came, data + size - world.came_size, world.came_size) == 0);
    }
    free(world.came);
    return world;
}

/* RFC 1928 sections 3 to 6 and RFC 1929: how many bytes there are up to the end of a good conversation, 0 when it
 * does not come to one. */
static size_t good_conversation(const uint8_t *said, size_t size, bool login)
{
    if (size < 2 || said[0] != 5 || (said[1] != 0 && !(login && said[1] == 2)))
        return 0;
    size_t at = 2;
    if (said[1] == 2) {
        if (size < 4 || said[2] != 1 || said[3] != 0)
            return 0;
        at = 4;
    }
    if (size - at < 5 || said[at] != 5 || said[at + 1] != 0 || said[at + 2] != 0)
        return 0;
    size_t address = said[at + 3] == 1 ? 4 : said[at + 3] == 4 ? 16 : said[at + 3] == 3 ? 1u + said[at + 4] : 0;
    return address > 0 && size - at >= 4 + address + 2 ? at + 4 + address + 2 : 0;
}

static void require_model(const struct world *world, const uint8_t *said, size_t size)
{
    size_t end = good_conversation(said, size, world->options & LOGIN);
    require((world->open != NULL) == (end > 0));
    require(!world->open || world->came_size == size - end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *said = (const char *)data + 2;
    size_t piece = data[1] ? data[1] : size;
    struct world cut = answer(data[0], said, size - 2, piece);
    if (data[0] & (ABORT | CANCEL | AHEAD)) /* the last talks before it is asked, however it is cut */
        return 0;
    struct world slow = answer(data[0], said, size - 2, 1);
    require(!cut.open || slow.open);
    if (data[0] & SOCKS)
        require_model(&slow, data + 2, size - 2);
    return 0;
}
