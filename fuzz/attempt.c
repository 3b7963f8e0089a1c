/* attempt.c - a whole attempt, with its redirects and cookies, against servers that say anything.
 *
 * Input: one byte of options, one that says how to cut, then what the servers say: 0xfe ends one's words, so that the
 * next is for the next connection, and 0xff is the accept that the latest request asks for. Whatever that is, there
 * is one outcome by the deadline; all that the attempt sends are requests that our own parser reads back, to the last
 * byte; and nothing that was meant for the first origin gets to another. */
#include "fuzz.h"

#include "client/attempt.h"
#include "io/turn.h"

enum { IN_FLIGHT = 1, TINY = 2, SHUT = 4, ABORT = 8, UNIX = 16, IMPATIENT = 32, OFFER = 64, CANCEL = 128 };
enum { END_OF_WORDS = 0xfe, ACCEPT = 0xff, REDIRECTS = 5, HEARD_MAX = 1 << 17 };

static const char secret[] = "Token-of-the-first-origin";

struct world {
    uint64_t now_ms;
    struct swale_loop *loop;
    struct swale__client_config config;
    struct swale__attempt *attempt;
    struct swale__connecting *connecting;
    unsigned options;
    size_t piece; /* bytes that a server says at once; 0: all */
    const uint8_t *words;
    size_t size, at;
    unsigned connections;
    bool foreign; /* the latest connection is not to the first origin, or one before it was not */

    /* The latest server. */
    struct swale__stream *server;
    struct swale__work speak;
    char heard[HEARD_MAX];
    size_t heard_size;
    char out[64];
    size_t out_size, out_sent;
    bool in_flight, full, silent;

    int outcomes;
    struct swale__stream *open;
};

static uint64_t read_clock(void *context)
{
    return ((const struct world *)context)->now_ms;
}

static void settle(struct world *world)
{
    int turns = 0;
    do
        require(swale_loop_step(world->loop, 0) >= 0 && ++turns < 1000000);
    while (swale_loop_wait_ms(world->loop) == 0);
}

/* ---- The servers ------------------------------------------------------------------------------------ */

static bool has_secret(const void *data, size_t size)
{
    return memmem(data, size, secret, sizeof secret - 1) != NULL;
}

/* Reads the request back. A server that knows the secret (the fuzzer finds it) is no leak. */
static void check_request(const struct world *world)
{
    static struct swale_field fields[100];
    struct swale_head_parser parser = { 0 };
    const struct swale_head_room room = { fields, 100, HEARD_MAX };
    struct swale_request request;
    struct swale_upgrade upgrade;
    static const struct swale_deflate_policy policy;
    if (world->heard_size == 0)
        return;
    ptrdiff_t size = swale_request_parse(&parser, &room, world->heard, world->heard_size, &request);
    /* A server takes no path that begins like a host; a client goes where it is led. */
    require(size == SWALE_ERR_HTTP_TARGET || size == 0 || size == (ptrdiff_t)world->heard_size);
    if (size > 0)
        require(swale_upgrade_check(&request, &policy, &upgrade) == 0);
    if (world->foreign && !has_secret(world->words, world->size))
        require(!has_secret(world->heard, world->heard_size));
}

static void put_accept(struct world *world)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    char key[] = "BwcHBwcHBwcHBwcHBwcHBw=="; /* what draw() makes, should none have been heard */
    for (size_t i = 0; i + sizeof name - 1 + SWALE_KEY_SIZE <= world->heard_size; i++)
        if (memcmp(world->heard + i, name, sizeof name - 1) == 0)
            memcpy(key, world->heard + i + sizeof name - 1, SWALE_KEY_SIZE);
    swale_upgrade_accept(key, world->out + world->out_size);
    world->out_size += SWALE_ACCEPT_SIZE;
}

static void fall_silent(struct world *world)
{
    world->silent = true;
    if (world->options & ABORT) {
        swale__stream_close(world->server, true);
        world->server = NULL;
    } else if (world->options & SHUT) {
        swale__stream_shutdown(world->server);
    }
}

/* Makes the next few bytes, or says that there are none. */
static bool fill(struct world *world)
{
    size_t most = world->piece > 0 && world->piece < 32 ? world->piece : 32;
    world->out_size = world->out_sent = 0;
    while (world->out_size < most && world->at < world->size && world->words[world->at] != END_OF_WORDS) {
        uint8_t byte = world->words[world->at++];
        if (byte == ACCEPT)
            put_accept(world);
        else
            world->out[world->out_size++] = (char)byte;
        if (byte == ACCEPT)
            break;
    }
    return world->out_size > 0;
}

static void speak(struct world *world)
{
    while (world->server && !world->silent && !world->in_flight && !world->full) {
        if (world->out_sent == world->out_size && !fill(world)) {
            fall_silent(world);
            return;
        }
        struct iovec part = { world->out + world->out_sent, world->out_size - world->out_sent };
        ptrdiff_t written = swale__stream_write(world->server, &part, 1);
        world->in_flight = written == SWALE__IN_FLIGHT;
        world->silent = written < 0 && !world->in_flight;
        if (written >= 0) {
            world->out_sent += (size_t)written;
            world->full = (size_t)written < part.iov_len;
        }
        if (world->piece > 0) {
            swale__loop_at_next(world->loop, &world->speak);
            return;
        }
    }
}

static void speak_on(struct swale__work *work)
{
    speak(SWALE__LIST_OWNER(work, struct world, speak));
}

static void hear(void *context, char *data, size_t size)
{
    struct world *world = context;
    require(world->heard_size + size <= HEARD_MAX);
    memcpy(world->heard + world->heard_size, data, size);
    world->heard_size += size;
    bool whole = world->heard_size >= 4 && memcmp(world->heard + world->heard_size - 4, "\r\n\r\n", 4) == 0;
    if (whole && !(world->options & IMPATIENT))
        speak(world);
}

static void written(void *context, size_t size)
{
    struct world *world = context;
    world->out_sent += size;
    world->in_flight = world->in_flight && world->out_sent < world->out_size;
    world->full = false;
    speak(world);
}

static void ended(void *context)
{
    (void)context;
}

static void failed(void *context, int error)
{
    (void)error;
    ((struct world *)context)->silent = true;
}

static const struct swale__stream_user server_user = {
    .on_data = hear,
    .on_written = written,
    .on_end = ended,
    .on_fail = failed,
};

static void dismiss(struct world *world)
{
    check_request(world);
    swale__loop_forget(world->loop, &world->speak);
    if (world->server)
        swale__stream_close(world->server, true);
    world->server = NULL;
}

/* ---- Connecting, without a network ------------------------------------------------------------------ */

struct swale__connecting {
    struct world *world;
    struct swale__connect_options options;
    struct swale__work work;
};

static void serve(struct world *world, struct swale__stream *stream, const struct swale__connect_options *options)
{
    dismiss(world);
    bool first =
        options->unix_socket || (options->port == 80 && swale_span_equal(options->host, swale_text("first.example")));
    world->foreign = world->foreign || !first;
    world->server = stream;
    world->heard_size = world->out_size = world->out_sent = 0;
    world->in_flight = world->full = world->silent = false;
    world->at += world->connections++ > 0 && world->at < world->size && world->words[world->at] == END_OF_WORDS;
    swale__stream_use(stream, &server_user, world);
    swale__stream_resume(stream);
    if (world->options & IMPATIENT)
        speak(world);
}

static void connect_now(struct swale__work *work)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(work, struct swale__connecting, work);
    struct swale__connect_options options = connecting->options;
    struct world *world = connecting->world;
    struct swale__stream *ends[2];
    struct swale__pair_options pair = {
        .in_flight = world->options & IN_FLIGHT,
        .capacity = world->options & TINY ? 7 : 0,
    };
    world->connecting = NULL;
    free(connecting);
    options.on_resolved(options.context);
    require(swale__pair(ends, world->loop, &pair) == 0);
    serve(world, ends[1], &options);
    options.on_connected(options.context, ends[0]);
}

/* The options' resolver is not used; the world is found through it. */
int swale__connect(struct swale__connecting **out, const struct swale__connect_options *options)
{
    struct world *world = (struct world *)(void *)options->resolver;
    struct swale__connecting *connecting = calloc(1, sizeof *connecting);
    require(connecting && !world->connecting && world->connections <= REDIRECTS);
    connecting->world = world;
    connecting->options = *options;
    connecting->work.run = connect_now;
    swale__loop_at_next(options->loop, &connecting->work);
    world->connecting = connecting;
    *out = connecting;
    return 0;
}

void swale__connect_cancel(struct swale__connecting *connecting)
{
    swale__loop_forget(connecting->options.loop, &connecting->work);
    connecting->world->connecting = NULL;
    free(connecting);
}

/* ---- The attempt ------------------------------------------------------------------------------------ */

static void on_open(void *context, const struct swale__attempt_success *success)
{
    struct world *world = context;
    world->outcomes++;
    require(success->response->status == 101 && !success->ended);
    world->attempt = NULL;
    swale__stream_close(success->stream, false);
}

static void on_fail(void *context, struct swale_client_failure *failure, int64_t retry_after_ms)
{
    struct world *world = context;
    world->outcomes++;
    world->attempt = NULL;
    require(failure->reason < 0 && failure->phase == SWALE_PHASE_HANDSHAKE && retry_after_ms >= -1);
    require(failure->body.size <= 100 && (failure->response || failure->body.size == 0));
    for (const char *c = failure->text; *c; c++)
        require(*c >= 0x20 && *c < 0x7f);
    require(failure->text[0] != '\0');
}

static void draw(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 7, size);
}

static void configure(struct world *world)
{
    static const struct swale_field fields[] = { { { "X", 1 }, { secret, sizeof secret - 1 } },
                                                 { { "Cookie", 6 }, { secret, sizeof secret - 1 } } };
    static const char *const subprotocols[] = { "chat", "superchat" };
    const char *url = world->options & UNIX ? "ws+unix:/run/app.sock:/a/b?c" : "ws://first.example/a/b?c";
    require(swale_url_parse(swale_text(url), &world->config.url, NULL) == 0);
    world->config.limits = swale_limits_resolve(NULL);
    world->config.options = (struct swale_client_options){
        .fields = fields,
        .field_count = 2,
        .origin = secret,
        .max_head = 2048,
        .max_fields = 8,
        .max_refusal = 100,
        .max_redirects = REDIRECTS,
        .subprotocols = subprotocols,
        .subprotocol_count = world->options & OFFER ? 2 : 0,
        .deflate.enabled = world->options & OFFER,
    };
}

static void run(struct world *world)
{
    struct swale__jar *jar;
    require(swale__jar_new(&jar, NULL) == 0);
    struct swale__attempt_options options = {
        .loop = world->loop,
        .config = &world->config,
        .resolver = (struct swale__resolver *)(void *)world,
        .jar = jar,
        .random = draw,
        .on_open = on_open,
        .on_fail = on_fail,
        .context = world,
    };
    require(swale__attempt_new(&world->attempt, &options) == 0);
    for (unsigned turn = 0; turn < 8 && (world->options & CANCEL); turn++)
        require(swale_loop_step(world->loop, 0) >= 0);
    if ((world->options & CANCEL) && world->attempt) {
        swale__attempt_cancel(world->attempt);
        world->outcomes++;
    }
    settle(world);
    require(world->outcomes <= 1);
    world->now_ms += 10000;
    settle(world);
    require(world->outcomes == 1 && !world->connecting);
    dismiss(world);
    settle(world);
    swale__jar_free(jar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    if (size < 2)
        return 0;
    memset(&world, 0, offsetof(struct world, heard));
    memset(&world.heard_size, 0, sizeof world - offsetof(struct world, heard_size));
    world.options = data[0];
    world.piece = data[1];
    world.words = data + 2;
    world.size = size - 2;
    world.now_ms = 1000;
    world.speak.run = speak_on;
    struct swale_loop_options options = { .receive_buffer = 4096, .clock = read_clock, .clock_context = &world };
    require(swale_loop_new(&world.loop, &options) == 0);
    configure(&world);
    run(&world);
    swale_loop_free(world.loop);
    return 0;
}
