/* One server context and one client context, shared by threads that shake hands while another reloads both. */
#include "test.h"

#include "tls_bed.h"

#include <openssl/err.h>
#include <stdlib.h>

enum { THREADS = 2, HANDSHAKES = 60, RELOADS = 60 };

struct worker {
    pthread_t thread;
    struct swale_tls *server, *client;
    unsigned done, resumed;
};

static int heard_failure;

static void on_data(void *context, char *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
}

static void on_written(void *context, size_t size)
{
    (void)context, (void)size;
}

static void on_end(void *context)
{
    (void)context;
}

static void on_fail(void *context, int error)
{
    (void)context;
    heard_failure = error;
}

static const struct swale__stream_user user = { on_data, on_written, on_end, on_fail };

static struct swale__stream *wrap(struct swale__stream *lower, struct swale_tls *tls, enum swale__side side,
                                  size_t *received)
{
    struct swale__stream *stream;
    if (swale__tls_wrap(&stream, lower, tls, side, "localhost") != 0)
        return NULL;
    swale__stream_use(stream, &user, received);
    swale__stream_resume(stream);
    return stream;
}

static void shake(struct worker *worker, struct swale_loop *loop)
{
    struct swale__stream *lower[2];
    size_t server_received = 0, client_received = 0;
    if (swale__pair(lower, loop, NULL) != 0)
        return;
    struct swale__stream *server = wrap(lower[0], worker->server, SWALE__ACCEPTED, &server_received);
    struct swale__stream *client = wrap(lower[1], worker->client, SWALE__DIALLED, &client_received);
    for (int i = 0; server && client && i < 40; i++)
        swale_loop_step(loop, 0);
    struct iovec hello = { (char[]){ "hello" }, 5 };
    if (server && client && swale__stream_write(client, &hello, 1) == 5) {
        for (int i = 0; i < 10; i++)
            swale_loop_step(loop, 0);
        struct swale_peer peer;
        swale__stream_describe(server, &peer);
        worker->done += server_received == 5;
        worker->resumed += peer.tls_resumed;
    }
    if (server)
        swale__stream_close(server, false);
    if (client)
        swale__stream_close(client, true);
    for (int i = 0; i < 4; i++)
        swale_loop_step(loop, 0);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct swale_loop *loop;
    if (swale_loop_new(&loop, NULL) != 0)
        return NULL;
    for (int i = 0; i < HANDSHAKES; i++)
        shake(worker, loop);
    swale_loop_free(loop);
    swale_tls_unref(worker->server);
    swale_tls_unref(worker->client);
    return NULL;
}

static void test_handshakes_during_reloads(void **state)
{
    struct bed *bed = *state;
    struct worker workers[THREADS] = { { .done = 0 } };
    bed_contexts(bed, NULL, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].server = swale_tls_ref(bed->server_tls);
        workers[i].client = swale_tls_ref(bed->client_tls);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < RELOADS; i++) {
        assert_int_equal(swale_tls_reload(bed->server_tls, NULL), 0);
        if (i % 8 == 0)
            assert_int_equal(swale_tls_reload(bed->client_tls, NULL), 0);
    }
    unsigned resumed = 0;
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].done, HANDSHAKES);
        resumed += workers[i].resumed;
    }
    assert_true(resumed > 0);
    assert_int_equal(heard_failure, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { BED_TEST(test_handshakes_during_reloads) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
