#include "exchange_bed.h"

#include <stdio.h>

struct exchange_seen seen;

static void on_open(struct swale_conn *conn)
{
    struct swale_span name = swale_conn_subprotocol(conn);
    seen.opened++;
    seen.user = swale_conn_user(conn);
    snprintf(seen.subprotocol, sizeof seen.subprotocol, "%.*s", (int)name.size, name.size ? name.data : "");
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static void on_close(struct swale_conn *conn, const struct swale_close *close)
{
    (void)conn;
    seen.closed++;
    seen.close_reason = close->reason;
}

const struct swale_handler echo = { .on_open = on_open, .on_message = on_message, .on_close = on_close };

static enum swale_verdict hook(struct swale_exchange *exchange)
{
    if (seen.act)
        seen.act(exchange);
    if (seen.verdict == SWALE_LATER)
        seen.held = exchange;
    return seen.verdict;
}

static void plain(struct swale_exchange *exchange)
{
    if (seen.act)
        seen.act(exchange);
    else
        seen.held = exchange;
}

static void release(void *user)
{
    assert_ptr_equal(user, &seen.lent);
    seen.released++;
}

void lend(struct swale_exchange *exchange)
{
    swale_exchange_set_user(exchange, &seen.lent);
    seen.lent++;
}

static const char *const protocols[] = { "chat.v2", "chat.v1" };
int route_user, hook_user;

const char switching[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

void begin_with(struct bed *bed, const struct swale_server_options *options)
{
    memset(&seen, 0, sizeof seen);
    bed_init(bed, options);
    struct swale_route echoes = { .handler = &echo, .user = &route_user };
    struct swale_route hooked = { .handler = &echo, .on_upgrade = hook, .user = &route_user, .free_user = release };
    struct swale_route asked = { .on_request = plain, .user = &route_user };
    struct swale_route chat = { .handler = &echo, .subprotocols = protocols, .subprotocol_count = 2 };
    struct swale_route strict = chat;
    struct swale_route small = { .handler = &echo, .limits = &(struct swale_limits){ .max_message = 10 } };
    struct swale_route packed = { .handler = &echo, .deflate = &(struct swale_deflate_policy){ .enabled = true } };
    strict.require_subprotocol = true;
    assert_int_equal(swale_server_route(bed->server, "/echo", &echoes), 0);
    assert_int_equal(swale_server_route(bed->server, "/hook/{room}", &hooked), 0);
    assert_int_equal(swale_server_route(bed->server, "/plain/{id}/*", &asked), 0);
    assert_int_equal(swale_server_route(bed->server, "/chat", &chat), 0);
    assert_int_equal(swale_server_route(bed->server, "/strict", &strict), 0);
    assert_int_equal(swale_server_route(bed->server, "/small", &small), 0);
    assert_int_equal(swale_server_route(bed->server, "/packed", &packed), 0);
    bed_start(bed);
}

void begin(struct bed *bed)
{
    begin_with(bed, NULL);
}

void say_frame(struct peer *peer, unsigned first_byte, const void *payload, size_t size)
{
    char bytes[256];
    peer_send(peer, bytes, frame(bytes, first_byte, payload, size));
    test_loop_settle(&peer->bed->loop);
}

uint64_t handshaking(struct bed *bed)
{
    struct swale_server_stats stats;
    swale_server_stats(bed->server, &stats);
    return stats.connections_handshaking;
}

uint64_t open_now(struct bed *bed)
{
    struct swale_server_stats stats;
    swale_server_stats(bed->server, &stats);
    return stats.connections_open;
}
