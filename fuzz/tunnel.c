/* tunnel.c - proxies: what they say to CONNECT and SOCKS 5, their URLs, and the exceptions from them.
 *
 * Input: one byte of options, one that says how to cut, then what the proxy says. Whatever that is, the tunnel comes
 * to one end, which is either a stream or a named error with a line for people, and it keeps nothing. The same bytes
 * are read as the URL of a proxy and as a list of no_proxy. */
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
    int outcomes;
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

static const struct swale__stream_user listener = { hear, written, ended, broken };

static void on_ready(void *context, struct swale__stream *stream)
{
    struct world *world = context;
    world->outcomes++;
    world->tunnel = NULL;
    world->open = stream;
    swale__stream_use(stream, &listener, world);
}

static void on_failed(void *context, int error, const char *text, const struct swale_response *response)
{
    struct world *world = context;
    world->outcomes++;
    world->tunnel = NULL;
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

static void try_answers(const uint8_t *data, size_t size)
{
    struct world world = { .options = data[0] };
    struct swale__proxy proxy;
    size_t piece = data[1] ? data[1] : size;
    begin(&world, &proxy);
    for (size_t at = 2; at < size; at += piece) {
        settle(&world);
        say(&world, (const char *)data + at, size - at < piece ? size - at : piece);
    }
    end(&world);
}

/* ---- Texts ------------------------------------------------------------------------------------------ */

static void require_inside(const char *text, size_t size, struct swale_span span)
{
    require(span.size == 0 || (span.data >= text && span.data + span.size <= text + size));
}

static void try_texts(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    struct swale__proxy proxy;
    if (swale__proxy_parse(&proxy, swale_span(text, size)) == 0 && size > 0) {
        char decoded[SWALE__PROXY_USERINFO_MAX];
        struct swale_span user, password;
        require(proxy.kind != SWALE__PROXY_NONE && proxy.host.size > 0 && proxy.port > 0);
        require_inside(text, size, proxy.host);
        require_inside(text, size, proxy.userinfo);
        require(swale__proxy_login(&proxy, decoded, &user, &password) == (proxy.userinfo.size > 0));
    }
    bool all = swale__proxy_bypassed(text, swale_text("example.com"), 443);
    require(!all || strpbrk(text, "*mM"));
    swale__proxy_bypassed(text, swale_text("192.0.2.1"), 80);
    swale__proxy_bypassed(text, swale_text("2001:db8::1"), 80);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    try_answers(data, size);
    try_texts(data + 2, size - 2);
    return 0;
}
