#include "test.h"

#include "bed.h"
#include "directory.h"
#include "seeded.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Two descriptors for each member. */
static void want_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur >= 3 * MEMBERS);
}

static int reach(void *context, struct swale__stream **up)
{
    struct bed *bed = context;
    struct swale__stream *ends[2];
    assert_int_equal(swale__pair(ends, bed->loop.loop, NULL), 0);
    swale__worker_arrive(bed->server->workers[0], ends[1], false);
    *up = ends[0];
    return 0;
}

static void begin_server(struct bed *bed)
{
    struct swale_server_options options = { .allocator = &bed->loop.allocator, .threads = 1, .receive_buffer = 4096 };
    assert_int_equal(swale_server_new(&bed->server, &options), 0);
    service_attach(bed->server, &bed->board);
    assert_int_equal(swale_server_attach(bed->server, bed->loop.loop), 0);
    assert_int_equal(swale_server_start(bed->server), 0);
}

void bed_begin(struct bed *bed, uint64_t seed)
{
    want_descriptors();
    seeded_begin(seed);
    test_loop_init(&bed->loop);
    begin_server(bed);
    test_directory(bed->directory, sizeof bed->directory);
    snprintf(bed->address, sizeof bed->address, "unix:%s/relay", bed->directory);
    snprintf(bed->url, sizeof bed->url, "ws+unix:%s/relay:/", bed->directory);
    bed->relay = (struct relay){ .loop = bed->loop.loop, .dice = { seed }, .reach = reach, .context = bed };
    relay_listen(&bed->relay, bed->address);
    bed->crowd.loop = bed->loop.loop;
    bed->crowd.board = &bed->board;
    bed->crowd.dice.state = seed;
    bed->crowd.options.url = bed->url;
    crowd_begin(&bed->crowd);
}

bool bed_until(struct bed *bed, bool (*condition)(const struct crowd *crowd), uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms && !condition(&bed->crowd); passed += 100)
        test_loop_advance(&bed->loop, 100);
    return condition(&bed->crowd);
}

bool bed_all_open(const struct crowd *crowd)
{
    return crowd->open == MEMBERS;
}

void bed_close(struct bed *bed)
{
    struct swale_server_stats stats;
    crowd_close(&bed->crowd);
    assert_true(bed_until(bed, crowd_over, 10000));
    test_loop_advance(&bed->loop, 40000); /* what is half open on the server's side */
    swale_server_stats(bed->server, &stats);
    assert_int_equal(stats.connections_open, 0);
}

void bed_free(struct bed *bed)
{
    crowd_free(&bed->crowd);
    relay_done(&bed->relay);
    test_loop_settle(&bed->loop);
    swale_server_free(bed->server);
    test_loop_settle(&bed->loop);
    test_loop_done(&bed->loop);
    assert_int_equal(rmdir(bed->directory), 0);
}
