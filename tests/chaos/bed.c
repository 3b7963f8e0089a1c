#include "test.h"

#include "bed.h"
#include "seeded.h"

static void begin_server(struct bed *bed)
{
    struct swale_server_options options = { .allocator = &bed->loop.allocator, .threads = 1, .receive_buffer = 4096 };
    assert_int_equal(swale_server_new(&bed->server, &options), 0);
    service_attach(bed->server, &bed->board);
    assert_int_equal(swale_server_attach(bed->server, bed->loop.loop), 0);
    assert_int_equal(swale_server_listen(bed->server, &(struct swale_listen){ .address = "server:80" }), 0);
}

void bed_begin(struct bed *bed, uint64_t seed)
{
    seeded_begin(seed);
    test_loop_init(&bed->loop);
    bed->network = (struct network){ .ether = bed->loop.loop, .dice = { seed } };
    network_begin(&bed->network);
    begin_server(bed);
    bed->crowd.loop = bed->loop.loop;
    bed->crowd.board = &bed->board;
    bed->crowd.dice.state = seed;
    bed->crowd.options.url = "ws://server:80/";
    bed->crowd.options.proxy = "";
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
    test_loop_settle(&bed->loop);
    swale_server_free(bed->server);
    test_loop_settle(&bed->loop);
    network_end(&bed->network);
    test_loop_done(&bed->loop);
}
