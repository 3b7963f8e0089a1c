#include "app/bench/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool wants_tls(const char *url)
{
    return strncasecmp(url, "wss:", 4) == 0 || strncasecmp(url, "https:", 6) == 0;
}

static int make_tls(struct dial *dial, const struct bench_options *options, char *message)
{
    struct swale_tls_certificate certificate = { options->certificate, options->key };
    struct swale_tls_options tls = { .certificates = &certificate,
                                     .certificate_count = options->certificate ? 1 : 0,
                                     .ca_file = options->ca,
                                     .insecure_skip_verification = options->insecure,
                                     .no_session_resumption = !options->resume };
    return wants_tls(options->url) ? swale_tls_client(&dial->options.tls, &tls, message) : 0;
}

static int make_fields(struct dial *dial, const struct option_list *headers)
{
    if (headers->count == 0)
        return 0;
    dial->fields = calloc(headers->count, sizeof *dial->fields);
    if (!dial->fields)
        return -ENOMEM;
    for (size_t i = 0; i < headers->count; i++)
        bench_options_field(headers->items[i], &dial->fields[i]);
    dial->options.fields = dial->fields;
    dial->options.field_count = headers->count;
    return 0;
}

/* A closed loop bounds what is queued by its depth. An open one stops at the high-water mark, and its messages wait
 * where their lateness is counted. Nothing is sent that the load does not consist of: no pings. */
static void set_limits(struct dial *dial, const struct bench_options *options)
{
    enum { FLOOR = 1024 * 1024, MARGIN = 2 };
    uint64_t size = options->size;
    uint64_t low = 65536;
    dial->limits = (struct swale_limits){ .max_message = size > FLOOR / MARGIN ? size * MARGIN : FLOOR,
                                          .high_water = SWALE_UNLIMITED,
                                          .max_queue = SWALE_UNLIMITED,
                                          .handshake_ms = options->timeout_ms,
                                          .ping_after_ms = SWALE_OFF,
                                          .compress_threshold = 1 };
    if (options->rate)
        dial->limits.high_water = 4 * size > low ? 4 * size : low;
}

int dial_init(struct dial *dial, const struct plan *plan, char *message)
{
    const struct bench_options *options = plan->options;
    *dial = (struct dial){ .plan = plan };
    message[0] = 0;
    set_limits(dial, options);
    dial->options = (struct swale_client_options){ .url = options->url,
                                                   .origin = options->origin,
                                                   .subprotocols = options->subprotocols.items,
                                                   .subprotocol_count = options->subprotocols.count,
                                                   .deflate = options->deflate,
                                                   .limits = &dial->limits,
                                                   .no_cookies = true,
                                                   .connect_to = plan->connect_to[0] ? plan->connect_to : NULL,
                                                   .proxy = "",
                                                   .reconnect = { .off = true } };
    int error = make_fields(dial, &options->headers);
    return error < 0 ? error : make_tls(dial, options, message);
}

void dial_done(struct dial *dial)
{
    swale_tls_unref(dial->options.tls);
    free(dial->fields);
    *dial = (struct dial){ 0 };
}

struct swale_client_options *dial_options(struct dial *dial, uint64_t connection)
{
    dial->options.local_address = plan_local_address(dial->plan, connection, dial->address);
    return &dial->options;
}
