#include "app/bench/target.h"

#include "app/bench/dial.h"
#include "app/fault.h"

#include <arpa/inet.h>
#include <string.h>

struct probe {
    struct target *target;
    char *message;
    bool failed;
    struct swale_loop *loop;
};

/* ---- Names ------------------------------------------------------------------------------------------ */

static bool is_loopback(struct swale_span address)
{
    return address.size > 4 && memcmp(address.data, "127.", 4) == 0;
}

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct probe *probe = swale_client_user(client);
    struct swale_peer peer;
    (void)opening;
    swale_conn_peer(swale_client_conn(client), &peer);
    bool ipv6 = memchr(peer.address.data, ':', peer.address.size) != NULL;
    snprintf(probe->target->connect_to, PLAN_ADDRESS_MAX, ipv6 ? "[%.*s]:%u" : "%.*s:%u", (int)peer.address.size,
             peer.address.data, (unsigned)peer.port);
    probe->target->loopback = is_loopback(peer.address);
    swale_loop_stop(probe->loop);
}

/* A server that can be reached and refuses may do so now and then: that is for the load to count. */
static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct probe *probe = swale_client_user(client);
    probe->failed = failure->phase <= SWALE_PHASE_CONNECT;
    snprintf(probe->message, SWALE_CLIENT_MESSAGE_MAX, "%s", failure->text);
    swale_loop_stop(probe->loop);
}

static const struct swale_client_handler handler = { .on_open = on_open, .on_fail = on_fail };

/* ---- Addresses -------------------------------------------------------------------------------------- */

static bool is_address(const struct swale_url *url)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (url->ipv6)
        return true;
    if (url->host.size >= sizeof text)
        return false;
    memcpy(text, url->host.data, url->host.size);
    text[url->host.size] = 0;
    return inet_pton(AF_INET, text, &address) == 1;
}

/* True when that is all that there is to know. */
static bool take_address(struct target *target, const struct bench_options *options)
{
    struct swale_url url;
    if (swale_url_parse(swale_text(options->url), &url, NULL) < 0)
        return true;
    target->tcp = !url.unix_socket;
    if (url.unix_socket || !is_address(&url))
        return url.unix_socket;
    target->loopback = is_loopback(url.host);
    return true;
}

/* ---- Both ------------------------------------------------------------------------------------------- */

static int describe(int error, char *message)
{
    if (!message[0])
        snprintf(message, SWALE_CLIENT_MESSAGE_MAX, "%s", fault_text(error));
    return error == SWALE_ERR_URL || error == SWALE_ERR_INVALID || error == SWALE_ERR_ADDRESS ? STATUS_USAGE
                                                                                              : STATUS_FAILED;
}

/* A client is made in any case, because that checks its options. */
static int look(struct probe *probe, struct dial *dial, const struct bench_options *options)
{
    struct swale_client_options *wanted = dial_options(dial, 0);
    struct swale_client *client;
    wanted->handler = &handler;
    wanted->user = probe;
    int error = swale_client_new(&client, probe->loop, wanted, probe->message);
    if (error < 0)
        return describe(error, probe->message);
    if (!take_address(probe->target, options))
        swale_loop_run(probe->loop);
    swale_client_free(client);
    return probe->failed ? STATUS_FAILED : STATUS_OK;
}

static int look_with(struct probe *probe, struct dial *dial, const struct bench_options *options)
{
    int error = swale_loop_new(&probe->loop, NULL);
    if (error < 0)
        return describe(error, probe->message);
    int status = look(probe, dial, options);
    swale_loop_free(probe->loop);
    return status;
}

int target_find(struct target *target, const struct bench_options *options, char *message)
{
    struct plan plan = { .options = options };
    struct probe probe = { .target = target, .message = message };
    struct dial dial;
    *target = (struct target){ 0 };
    int error = dial_init(&dial, &plan, message);
    int status = error < 0 ? describe(error, message) : look_with(&probe, &dial, options);
    dial_done(&dial);
    return status;
}
