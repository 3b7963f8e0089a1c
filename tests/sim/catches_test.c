/* catches_test.c - the simulation's claims can be broken: for each there is something wrong that breaks it, in one of
 * the first seeds. And a run is what its seed says. */
#include "test.h"

#include "sim.h"

enum { TRIES = 3000, TWICE = 25 };

static struct sim sim;

static const struct {
    enum sabotage sabotage;
    const char *what, *claim;
} cases[] = {
    { SABOTAGE_DOUBLE, "the network doubles what a client has written", "doubled" },
    { SABOTAGE_SWAP, "the network swaps two messages", "order" },
    { SABOTAGE_LOSE, "the network loses a message", "lost" },
    { SABOTAGE_FLIP, "the network flips a bit", "content" },
    { SABOTAGE_BREAK, "the network makes frames invalid", "valid" },
    { SABOTAGE_TAMPER, "the network changes what TLS protects", "valid" },
    { SABOTAGE_FORGET, "the network forgets that a writer waits", "lost" },
    { SABOTAGE_DEAF, "the service does not hear a message", "lost" },
    { SABOTAGE_ECHO, "the service acknowledges twice", "acknowledgements" },
    { SABOTAGE_SILENT, "the service does not acknowledge", "acknowledgements" },
    { SABOTAGE_UNCLOSED, "an on_close gets lost", "pairing" },
    { SABOTAGE_UNDRAINED, "an on_drain gets lost", "drains" },
    { SABOTAGE_HOARD, "the service needs memory without bounds", "memory" },
    { SABOTAGE_LEAK, "a few bytes leak", "leak" },
    { SABOTAGE_BUSY, "the service never rests", "rest" },
    { SABOTAGE_INBOX, "a publication fails", "errors" },
    { SABOTAGE_RUDE, "a write to a stream that is full", "contract" },
    { SABOTAGE_SKIP, "a subscriber is left out", "topics" },
    { SABOTAGE_HALVES, "a fate is told wrongly", "fates" },
    { SABOTAGE_CARELESS, "a member takes memory for granted", "fates" },
    { SABOTAGE_QUEUE, "a queue may be longer than was said", "queue" },
    { SABOTAGE_PENDING, "more waits than was said", "pending" },
    { SABOTAGE_HANDSHAKE, "a handshake may take longer than was said", "handshake" },
    { SABOTAGE_HEARTBEAT, "silence may last longer than was said", "heartbeat" },
    { SABOTAGE_HASTE, "silence is cut short", "heartbeat" },
    { SABOTAGE_CLOSE_WAIT, "a close may take longer than was said", "close wait" },
    { SABOTAGE_CLOSE_WAIT, "the end of a transport may take longer than was said", "linger" },
    { SABOTAGE_DRAIN, "a drain may take longer than was said", "drain" },
    { SABOTAGE_RETRY, "a client waits longer than it says", "retry" },
};

static void test_catches(void **state)
{
    unsigned missed = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t seed = 1;
        const char *other = "";
        while (seed <= TRIES && (sim_run(&sim, seed, cases[i].sabotage) || strcmp(sim.broken, cases[i].claim) != 0)) {
            other = sim.broken ? sim.broken : other;
            seed++;
        }
        missed += seed > TRIES;
        print_message("%s: %s, %s by seed %u\n", cases[i].what, cases[i].claim, seed > TRIES ? "MISSED" : "broken",
                      (unsigned)seed);
        if (seed > TRIES && other[0])
            print_message("    (but %s was broken)\n", other);
    }
    assert_int_equal(missed, 0);
}

/* Everything comes from the seed, and it is noticed when something does not. */
static void test_repeats(void **state)
{
    unsigned different = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= TWICE; seed++) {
        assert_true(sim_run(&sim, seed, SABOTAGE_NONE));
        uint64_t digest = sim.digest, steps = sim.steps;
        assert_true(sim_run(&sim, seed, SABOTAGE_NONE));
        assert_true(sim.digest == digest && sim.steps == steps);
        sim_run(&sim, seed, SABOTAGE_DICE);
        different += sim.digest != digest;
    }
    assert_true(different > TWICE / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_catches),
        cmocka_unit_test(test_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
