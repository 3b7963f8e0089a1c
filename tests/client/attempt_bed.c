#include "attempt_bed.h"

#include "io/turn.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- The server's side ------------------------------------------------------------------------------ */

static void send_on(struct bed_server *server);

static void finish(struct bed_server *server)
{
    unsigned index = (unsigned)(server - server->bed->servers);
    enum bed_ending ending = server->bed->endings[index];
    if (server->finished || !server->script || server->sent < server->size || ending == BED_STAYS)
        return;
    server->finished = true;
    if (ending == BED_SHUTS) {
        swale__stream_shutdown(server->stream);
        return;
    }
    swale__stream_close(server->stream, true);
    server->stream = NULL;
}

static void send_on(struct bed_server *server)
{
    if (!server->script || server->full || server->in_flight > 0)
        return;
    if (server->sent == server->size) {
        finish(server);
        return;
    }
    size_t size = server->size - server->sent;
    size_t cut = server->bed->cut;
    if (cut > server->sent && cut - server->sent < size)
        size = cut - server->sent;
    struct iovec part = { .iov_base = server->script + server->sent, .iov_len = size };
    ptrdiff_t written = swale__stream_write(server->stream, &part, 1);
    if (written == SWALE__IN_FLIGHT) {
        server->in_flight = size;
    } else if (written < 0) {
        server->failed = (int)written;
    } else {
        server->sent += (size_t)written;
        server->full = (size_t)written < size;
        finish(server);
    }
}

static void on_written(void *context, size_t size)
{
    struct bed_server *server = context;
    server->full = false;
    server->sent += size;
    server->in_flight -= size;
    send_on(server);
}

/* The key of the request, or what stands for it when none has been heard. */
static const char *key_of(const struct bed_server *server)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    const char *key = strstr(server->heard, name);
    return key ? key + sizeof name - 1 : "a key of twenty-four bytes";
}

enum { WORD_MAX = 32 };

/* What stands for a word of a script; its length. */
static size_t replace(const char *word, const char *key, char out[WORD_MAX])
{
    swale_upgrade_accept(key, out);
    if (strcmp(word, "$key") == 0)
        memcpy(out, key, SWALE_KEY_SIZE);
    for (size_t i = 0; strcmp(word, "$lower") == 0 && i < SWALE_ACCEPT_SIZE; i++)
        out[i] = (char)tolower((unsigned char)out[i]);
    if (strcmp(word, "$short") == 0)
        return SWALE_ACCEPT_SIZE - 1;
    return strcmp(word, "$key") == 0 ? SWALE_KEY_SIZE : SWALE_ACCEPT_SIZE;
}

static const char *word_at(const char *script, size_t left)
{
    static const char *const words[] = { "$accept", "$key", "$lower", "$short" };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (left >= strlen(words[i]) && memcmp(script, words[i], strlen(words[i])) == 0)
            return words[i];
    return NULL;
}

static void prepare(struct bed_server *server)
{
    unsigned index = (unsigned)(server - server->bed->servers);
    const char *script = server->bed->scripts[index];
    if (!script || server->script)
        return;
    size_t size = server->bed->script_size[index] ? server->bed->script_size[index] : strlen(script);
    server->script = malloc(size * WORD_MAX / strlen("$key") + 1);
    assert_non_null(server->script);
    for (size_t i = 0; i < size;) {
        char replaced[WORD_MAX] = { script[i] };
        const char *word = word_at(script + i, size - i);
        size_t length = word ? replace(word, key_of(server), replaced) : 1;
        memcpy(server->script + server->size, replaced, length);
        server->size += length;
        i += word ? strlen(word) : 1;
    }
}

static void on_data(void *context, char *data, size_t size)
{
    struct bed_server *server = context;
    assert_true(server->heard_size + size < sizeof server->heard);
    memcpy(server->heard + server->heard_size, data, size);
    server->heard_size += size;
    server->heard[server->heard_size] = '\0';
    bool hastily = server->bed->hasty && strstr(server->heard, "Sec-WebSocket-Version");
    if (hastily && !server->script)
        swale__stream_pause(server->stream);
    if (hastily || strstr(server->heard, "\r\n\r\n"))
        prepare(server);
    send_on(server);
}

static void on_end(void *context)
{
    ((struct bed_server *)context)->ended = true;
}

static void on_fail(void *context, int error)
{
    ((struct bed_server *)context)->failed = error;
}

static const struct swale__stream_user server_user = {
    .on_data = on_data,
    .on_written = on_written,
    .on_end = on_end,
    .on_fail = on_fail,
};

/* ---- Connecting, as the bed has it ------------------------------------------------------------------ */

struct swale__connecting {
    struct bed *bed;
    struct swale__connect_options options;
    struct swale__work work;
};

static void serve(struct bed *bed, struct swale__stream *stream, const struct swale__connect_options *options)
{
    assert_true(bed->connections < BED_SERVERS);
    struct bed_server *server = &bed->servers[bed->connections++];
    server->bed = bed;
    server->stream = stream;
    server->port = options->port;
    server->user_timeout_ms = options->user_timeout_ms;
    snprintf(server->host, sizeof server->host, "%s%.*s", options->unix_socket ? "unix:" : "",
             (int)options->host.size, options->host.data);
    if (bed->server_tls && swale__tls_wrap(&server->stream, stream, bed->server_tls, SWALE__ACCEPTED, NULL) != 0)
        server->stream = NULL; /* for want of memory, which a test may want */
    if (!server->stream)
        return;
    swale__stream_use(server->stream, &server_user, server);
    swale__stream_resume(server->stream);
    if (bed->at_once) {
        prepare(server);
        send_on(server);
    }
}

static void connect_now(struct swale__work *work)
{
    struct swale__connecting *connecting = SWALE__LIST_OWNER(work, struct swale__connecting, work);
    struct swale__connect_options options = connecting->options;
    struct bed *bed = connecting->bed;
    struct swale__stream *ends[2];
    bed->connecting = NULL;
    free(connecting);
    if (options.on_note)
        options.on_note(options.context, "trying a pair");
    int error = bed->connect_error;
    if (error != SWALE_ERR_RESOLVE)
        options.on_resolved(options.context);
    if (!error)
        error = swale__pair(ends, bed->loop.loop, &bed->pair);
    if (error) {
        options.on_failed(options.context, error, error == SWALE_ERR_RESOLVE, "connect: it does not work");
        return;
    }
    serve(bed, ends[1], &options);
    options.on_connected(options.context, ends[0]);
}

/* The options' resolver is not used; the bed is found through it. */
int swale__connect(struct swale__connecting **out, const struct swale__connect_options *options)
{
    struct bed *bed = (struct bed *)options->resolver;
    struct swale__connecting *connecting = calloc(1, sizeof *connecting);
    assert_non_null(connecting);
    assert_null(bed->connecting);
    connecting->bed = bed;
    connecting->options = *options;
    connecting->work.run = connect_now;
    if (!bed->connect_never)
        swale__loop_at_next(options->loop, &connecting->work);
    bed->connecting = connecting;
    *out = connecting;
    return 0;
}

void swale__connect_cancel(struct swale__connecting *connecting)
{
    swale__loop_forget(connecting->options.loop, &connecting->work);
    connecting->bed->connecting = NULL;
    free(connecting);
}

/* ---- The attempt's side ----------------------------------------------------------------------------- */

static void copy(char *out, size_t room, struct swale_span text)
{
    snprintf(out, room, "%.*s", (int)text.size, text.data ? text.data : "");
}

static void record_response(struct bed *bed, const struct swale_response *response)
{
    if (!response)
        return;
    bed->status = response->status;
    if (response->field_count > 0)
        snprintf(bed->first_field, sizeof bed->first_field, "%.*s=%.*s", (int)response->fields[0].name.size,
                 response->fields[0].name.data, (int)response->fields[0].value.size, response->fields[0].value.data);
}

static void on_open(void *context, const struct swale__attempt_success *success)
{
    struct bed *bed = context;
    assert_non_null(bed->attempt);
    bed->attempt = NULL;
    bed->opened = true;
    bed->deflate = success->result.deflate;
    assert_false(success->ended);
    bed->reading = success->reading;
    copy(bed->early, sizeof bed->early, success->early);
    copy(bed->subprotocol, sizeof bed->subprotocol, success->result.subprotocol);
    record_response(bed, success->response);
    swale__stream_close(success->stream, false);
}

static void on_attempt_fail(void *context, struct swale_client_failure *failure, int64_t retry_after_ms)
{
    struct bed *bed = context;
    assert_non_null(bed->attempt);
    bed->attempt = NULL;
    bed->failed = true;
    bed->reason = failure->reason;
    bed->phase = failure->phase;
    bed->retry_after_ms = retry_after_ms;
    bed->body_cut = failure->body_cut;
    snprintf(bed->text, sizeof bed->text, "%s", failure->text);
    copy(bed->body, sizeof bed->body, failure->body);
    record_response(bed, failure->response);
}

static void on_trace(void *context, const struct swale_trace *trace)
{
    static const char *const kinds[] = { "note", "request", "response", "in", "out" };
    struct bed *bed = context;
    size_t size = strlen(bed->trace);
    snprintf(bed->trace + size, sizeof bed->trace - size, "%s: %.*s\n", kinds[trace->kind], (int)trace->text.size,
             trace->text.data);
}

/* Never the same twice. */
static void count_up(void *context, void *out, size_t size)
{
    static unsigned char next;
    (void)context;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = next++;
}

void bed_begin(struct bed *bed, const char *url)
{
    memset(bed, 0, sizeof *bed);
    test_loop_init(&bed->loop);
    bed->config.allocator = &bed->loop.allocator;
    bed->config.options = (struct swale_client_options){
        .url = url,
        .max_head = 16384,
        .max_fields = 100,
        .max_refusal = 1000,
    };
    bed->config.limits = swale_limits_resolve(NULL);
    assert_int_equal(swale_url_parse(swale_text(url), &bed->config.url, NULL), 0);
    bed->options = (struct swale__attempt_options){
        .loop = bed->loop.loop,
        .config = &bed->config,
        .resolver = (struct swale__resolver *)(void *)bed,
        .random = count_up,
        .on_open = on_open,
        .on_fail = on_attempt_fail,
        .on_trace = on_trace,
        .context = bed,
    };
}

static void close_servers(struct bed *bed)
{
    for (unsigned i = 0; i < bed->connections; i++) {
        if (bed->servers[i].stream)
            swale__stream_close(bed->servers[i].stream, true);
        free(bed->servers[i].script);
        memset(&bed->servers[i], 0, sizeof bed->servers[i]);
    }
    bed->connections = 0;
}

void bed_again(struct bed *bed)
{
    if (bed->attempt)
        swale__attempt_cancel(bed->attempt);
    assert_null(bed->connecting);
    bed->attempt = NULL;
    close_servers(bed);
    test_loop_settle(&bed->loop);
    bed->opened = bed->failed = bed->body_cut = bed->deflate = false;
    bed->reason = bed->status = 0;
    bed->trace[0] = bed->text[0] = bed->body[0] = bed->early[0] = bed->subprotocol[0] = bed->first_field[0] = '\0';
}

void bed_end(struct bed *bed)
{
    bed_again(bed);
    swale_tls_unref(bed->options.tls);
    swale_tls_unref(bed->options.proxy_tls);
    swale_tls_unref(bed->server_tls);
    test_loop_done(&bed->loop);
}

int bed_run(struct bed *bed)
{
    int error = swale__attempt_new(&bed->attempt, &bed->options);
    unsigned reached;
    do {
        reached = bed->connections;
        test_loop_settle(&bed->loop);
        if (reached > 0 && bed->servers[reached - 1].stream)
            send_on(&bed->servers[reached - 1]); /* what stands behind the cut */
        test_loop_settle(&bed->loop);
    } while (bed->connections > reached);
    assert_false(bed->opened && bed->failed);
    return error;
}

int bed_run_turns(struct bed *bed, unsigned turns)
{
    int error = swale__attempt_new(&bed->attempt, &bed->options);
    for (unsigned i = 0; i < turns; i++)
        assert_true(swale_loop_step(bed->loop.loop, 0) >= 0);
    return error;
}

bool bed_heard(const struct bed *bed, unsigned server, const char *text)
{
    return strstr(bed->servers[server].heard, text) != NULL;
}

bool bed_traced(const struct bed *bed, const char *text)
{
    return strstr(bed->trace, text) != NULL;
}

const char *bed_good(const char *fields)
{
    static char answers[4][1024];
    static unsigned next;
    char *answer = answers[next++ % 4];
    snprintf(answer, sizeof answers[0],
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: $accept\r\n%s\r\n",
             fields);
    return answer;
}
