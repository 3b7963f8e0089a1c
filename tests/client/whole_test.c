/* A client and a server on one loop, in virtual time, with real sockets between them: from the URL to the end. */
#include "certs.h"
#include "test.h"
#include "vloop.h"

#include <swale/client.h>
#include <swale/server.h>

#include <stdio.h>

struct world {
    struct test_loop loop;
    struct swale_server *server;
    struct swale_conn *peer; /* the server's end, NULL while there is none */
    struct swale_client *client;
    struct swale_tls *trust; /* the client's, or NULL */
    bool resumed;            /* the latest connection's TLS session */
    char url[128];
    char log[1024];
};

static void say(struct world *world, const char *word, long long number)
{
    size_t size = strlen(world->log);
    snprintf(world->log + size, sizeof world->log - size, "%s:%lld ", word, number);
}

static void assert_log(struct world *world, const char *wanted)
{
    assert_string_equal(world->log, wanted);
    world->log[0] = '\0';
}

/* ---- The server: an echo ---------------------------------------------------------------------------- */

static void peer_open(struct swale_conn *conn)
{
    struct world *world = swale_conn_user(conn);
    world->peer = conn;
}

static void peer_message(struct swale_conn *conn, const struct swale_message *message)
{
    swale_conn_send(conn, message->kind, message->data.data, message->data.size);
}

static void peer_close(struct swale_conn *conn, const struct swale_close *close)
{
    struct world *world = swale_conn_user(conn);
    world->peer = NULL;
    say(world, "peer", close->code);
}

/* ---- The client ------------------------------------------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct world *world = swale_client_user(client);
    assert_int_equal(opening->response->status, 101);
    assert_non_null(swale_client_conn(client));
    assert_true((swale_conn_id(swale_client_conn(client)) >> 63) == 1);
    assert_ptr_equal(swale_conn_user(swale_client_conn(client)), world);
    struct swale_peer peer;
    swale_conn_peer(swale_client_conn(client), &peer);
    world->resumed = peer.tls_resumed;
    say(world, opening->first ? "open" : "again", opening->tries);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    say(swale_client_user(client), "message", (long long)message->data.size);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    say(swale_client_user(client), "close", closing->close.reason);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    assert_non_null(failure->text);
    say(swale_client_user(client), "fail", failure->response ? failure->response->status : failure->reason);
}

static void on_end(struct swale_client *client, int reason)
{
    say(swale_client_user(client), "end", reason);
}

static void on_state(struct swale_client *client, enum swale_client_state state)
{
    assert_int_equal(state, swale_client_state(client));
    say(swale_client_user(client), swale_client_state_name(state), 0);
}

/* By chance the default is not to wait at all, and WAITING would be over before a test can see it. */
static int64_t on_retry(struct swale_client *client, const struct swale_client_retry *retry)
{
    (void)client;
    return retry->delay_ms + (retry->delay_ms == 0);
}

static const struct swale_client_handler handler = {
    .on_open = on_open,
    .on_message = on_message,
    .on_close = on_close,
    .on_fail = on_fail,
    .on_end = on_end,
    .on_state = on_state,
    .on_retry = on_retry,
};

/* ---- Set-up ----------------------------------------------------------------------------------------- */

static void begin_server(struct world *world, const char *path, struct swale_tls *tls)
{
    static const struct swale_handler echo = { .on_open = peer_open,
                                               .on_message = peer_message,
                                               .on_close = peer_close };
    *world = (struct world){ .peer = NULL };
    test_loop_init(&world->loop);
    struct swale_server_options server = { .threads = 1, .allocator = &world->loop.allocator };
    assert_int_equal(swale_server_new(&world->server, &server), 0);
    assert_int_equal(swale_server_attach(world->server, world->loop.loop), 0);
    struct swale_route route = { .handler = &echo, .user = world };
    assert_int_equal(swale_server_route(world->server, "/", &route), 0);
    struct swale_listen listen = { .address = "127.0.0.1:0", .tls = tls };
    assert_int_equal(swale_server_listen(world->server, &listen), 0);
    snprintf(world->url, sizeof world->url, "%s://%s%s", tls ? "wss" : "ws", swale_server_address(world->server, 0),
             path);
}

static int begin_client(struct world *world)
{
    struct swale_client_options options = {
        .url = world->url,
        .handler = &handler,
        .user = world,
        .tls = world->trust,
        .proxy = "",
    };
    return swale_client_new(&world->client, world->loop.loop, &options, NULL);
}

static void begin(struct world *world, const char *path)
{
    begin_server(world, path, NULL);
    assert_int_equal(begin_client(world), 0);
}

static void end(struct world *world)
{
    swale_client_free(world->client);
    swale_server_free(world->server);
    test_loop_done(&world->loop);
}

static bool ended(const struct world *world)
{
    return strstr(world->log, "end:") && !world->peer;
}

/* ---- Tests ------------------------------------------------------------------------------------------ */

static void test_there_and_back(void **state)
{
    struct world world;
    (void)state;
    begin(&world, "/");
    assert_int_equal(swale_client_send(world.client, SWALE_TEXT, "early", 5, NULL), SWALE_ERR_NOT_CONNECTED);
    TEST_LOOP_UNTIL(&world.loop, world.peer && swale_client_conn(world.client));
    assert_log(&world, "connecting:0 open:0 open:1 ");
    assert_int_equal(swale_client_send(world.client, SWALE_TEXT, "hello", 5, NULL), 0);
    TEST_LOOP_UNTIL(&world.loop, strstr(world.log, "message"));
    assert_int_equal(swale_client_close(world.client, 1000, "bye"), 0);
    assert_int_equal(swale_client_close(world.client, 1000, NULL), SWALE_ERR_CLOSED);
    TEST_LOOP_UNTIL(&world.loop, ended(&world));
    assert_log(&world, "message:5 closing:0 peer:1000 ended:0 close:-2102 end:-2102 ");
    end(&world);
}

static void test_comes_back(void **state)
{
    struct world world;
    (void)state;
    begin(&world, "/");
    TEST_LOOP_UNTIL(&world.loop, world.peer && swale_client_conn(world.client));
    swale_conn_abort(world.peer);
    TEST_LOOP_UNTIL(&world.loop, swale_client_state(world.client) == SWALE_CLIENT_WAITING);
    assert_in_range(swale_client_retry_in(world.client), 1, 500);
    test_loop_advance(&world.loop, 500);
    TEST_LOOP_UNTIL(&world.loop, world.peer && swale_client_conn(world.client));
    assert_log(&world, "connecting:0 open:0 open:1 peer:1006 waiting:0 close:-2104 connecting:0 open:0 again:1 ");
    end(&world);
}

static struct swale_tls *server_tls(struct test_certs *certs)
{
    struct swale_tls *tls;
    test_certs_make(certs, &(struct test_cert){ .name = "server", .names = "IP:127.0.0.1" });
    struct swale_tls_certificate certificate = { test_certs_path(certs, "server.crt"),
                                                 test_certs_path(certs, "server.key") };
    struct swale_tls_options options = { .certificates = &certificate, .certificate_count = 1 };
    assert_int_equal(swale_tls_server(&tls, &options, NULL), 0);
    return tls;
}

/* The second connection goes on with the TLS session of the first: the server's tickets came with its messages. */
static void test_comes_back_with_its_session(void **state)
{
    struct world world;
    struct test_certs certs;
    (void)state;
    test_certs_begin(&certs);
    struct swale_tls *tls = server_tls(&certs);
    begin_server(&world, "/", tls);
    struct swale_tls_options trust = { .ca_file = test_certs_path(&certs, "ca.crt") };
    assert_int_equal(swale_tls_client(&world.trust, &trust, NULL), 0);
    assert_int_equal(begin_client(&world), 0);
    TEST_LOOP_UNTIL(&world.loop, world.peer && swale_client_conn(world.client));
    assert_false(world.resumed);
    assert_int_equal(swale_client_send(world.client, SWALE_TEXT, "hello", 5, NULL), 0);
    TEST_LOOP_UNTIL(&world.loop, strstr(world.log, "message"));
    swale_conn_abort(world.peer);
    TEST_LOOP_UNTIL(&world.loop, swale_client_state(world.client) == SWALE_CLIENT_WAITING);
    test_loop_advance(&world.loop, 500);
    TEST_LOOP_UNTIL(&world.loop, world.peer && swale_client_conn(world.client));
    assert_true(world.resumed);
    swale_tls_unref(world.trust);
    swale_tls_unref(tls);
    end(&world);
    test_certs_end(&certs);
}

static void test_refused_for_good(void **state)
{
    struct world world;
    (void)state;
    begin(&world, "/nothing");
    TEST_LOOP_UNTIL(&world.loop, ended(&world));
    assert_log(&world, "connecting:0 ended:0 fail:404 end:-2041 ");
    end(&world);
}

/* Every allocation fails once, the server's included: the client gets there all the same, later. True when none
 * failed any more. */
static bool try_without_memory(uint64_t nth)
{
    struct world world;
    begin_server(&world, "/", NULL);
    world.loop.memory.fail_at = world.loop.memory.allocations + nth;
    while (begin_client(&world) != 0)
        assert_true(world.loop.memory.allocations >= world.loop.memory.fail_at);
    for (int tries = 0; !strstr(world.log, "message"); tries++) {
        test_loop_settle(&world.loop);
        if (swale_client_conn(world.client))
            swale_client_send(world.client, SWALE_TEXT, "hello", 5, NULL);
        test_loop_settle(&world.loop);
        test_loop_advance(&world.loop, 20); /* waits pass, and the deadline of a try that nobody answers */
        test_loop_nap(tries);
    }
    bool failed = world.loop.memory.allocations >= world.loop.memory.fail_at;
    end(&world);
    return !failed;
}

static void test_out_of_memory(void **state)
{
    uint64_t n = 1;
    (void)state;
    while (!try_without_memory(n))
        n++;
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_comes_back_with_its_session),
        cmocka_unit_test(test_refused_for_good),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("client.whole", tests, NULL, NULL);
}
