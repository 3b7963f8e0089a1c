/* Names that have several addresses: in which order they are tried, and when (RFC 8305). Time is virtual, the sockets
 * are real: an address where nobody listens refuses at once, one whose listener is full never answers. */
#include "test.h"

#include "dns_server.h"
#include "vloop.h"

#include "io/race.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct test_loop loop;
static struct dns_server dns;
static struct swale__resolver *resolver;
static uint16_t port; /* of all addresses; nobody listens at those that no test has opened */
static int held;      /* keeps the port ours, at every address */
static bool has_ipv6;
static unsigned descriptors;

/* What came of a connect. */
struct outcome {
    struct swale__connecting *connecting;
    struct swale__stream *stream;
    int calls, error, resolved;
    bool resolving;
    char text[512], notes[4096];
    struct outcome *again; /* to be begun from within the end */
};

static void begin(struct outcome *outcome, const char *host, const struct swale__address *local);

static void over(struct outcome *outcome)
{
    outcome->calls++;
    outcome->connecting = NULL;
    if (outcome->again)
        begin(outcome->again, "again.example.", NULL);
}

static void on_connected(void *context, struct swale__stream *stream)
{
    struct outcome *outcome = context;
    outcome->stream = stream;
    over(outcome);
}

static void on_failed(void *context, int error, bool resolving, const char *text)
{
    struct outcome *outcome = context;
    outcome->error = error;
    outcome->resolving = resolving;
    snprintf(outcome->text, sizeof outcome->text, "%s", text);
    over(outcome);
}

/* With the port cut out, which is another one in each run. */
static void on_note(void *context, const char *text)
{
    struct outcome *outcome = context;
    char shown[16];
    int size = snprintf(shown, sizeof shown, ":%u", port);
    const char *cut = strstr(text, shown);
    size_t at = strlen(outcome->notes);
    assert_non_null(cut);
    snprintf(outcome->notes + at, sizeof outcome->notes - at, "%.*s%s\n", (int)(cut - text), text, cut + size);
}

static void on_resolved(void *context)
{
    ((struct outcome *)context)->resolved++;
}

static int try(struct outcome *outcome, const char *host, const struct swale__address *local)
{
    struct swale__connect_options options = {
        .loop = loop.loop,
        .resolver = resolver,
        .host = swale_text(host),
        .port = port,
        .local = local,
        .on_connected = on_connected,
        .on_failed = on_failed,
        .on_note = on_note,
        .on_resolved = on_resolved,
        .context = outcome,
    };
    *outcome = (struct outcome){ .calls = 0 };
    return swale__connect(&outcome->connecting, &options);
}

static void begin(struct outcome *outcome, const char *host, const struct swale__address *local)
{
    assert_int_equal(try(outcome, host, local), 0);
}

static void until_over(struct outcome *outcome)
{
    TEST_LOOP_UNTIL(&loop, outcome->calls > 0);
    assert_int_equal(outcome->calls, 1);
}

static void expect_connected(struct outcome *outcome, const char *address)
{
    until_over(outcome);
    assert_non_null(outcome->stream);
    struct swale_peer peer;
    swale__stream_describe(outcome->stream, &peer);
    assert_true(swale_span_equal(peer.address, swale_text(address)));
    swale__stream_close(outcome->stream, false);
}

static void answer(int type, int rcode, const char *addresses)
{
    dns_answer(&dns, dns_wait(&dns, "host.example", type), rcode, addresses);
    test_loop_settle(&loop);
}

/* The answer has come when its lookup is gone; the other one is still to be told. */
static void answer_first(int type, const char *addresses)
{
    struct dns_question *question = dns_wait(&dns, "host.example", type);
    size_t blocks = loop.memory.blocks;
    dns_answer(&dns, question, DNS_OK, addresses);
    TEST_LOOP_UNTIL(&loop, loop.memory.blocks < blocks);
}

/* ---- Places to connect to ----------------------------------------------------------------------------- */

/* With SO_REUSEADDR here and there, a test may bind what is bound here; nobody else is given it. */
static int new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd >= 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    return fd;
}

static int socket_at(const char *host)
{
    struct swale__address address;
    char text[80];
    snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    assert_int_equal(swale__address_parse(&address, text, true), 0);
    int fd = new_socket(address.any.sa_family);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.any, address.size), 0);
    return fd;
}

static int listen_at(const char *host)
{
    int fd = socket_at(host);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

/* A listener that nobody gets through to: its queue is full. */
enum { FILLERS = 6 };
struct stalled {
    int listener, fillers[FILLERS];
};

static void stall(struct stalled *stalled, const char *host)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    stalled->listener = socket_at(host);
    assert_int_equal(listen(stalled->listener, 0), 0);
    assert_int_equal(getsockname(stalled->listener, (struct sockaddr *)&address, &size), 0);
    for (int i = 0; i < FILLERS; i++) {
        stalled->fillers[i] = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(connect(stalled->fillers[i], (struct sockaddr *)&address, size), -1);
        assert_int_equal(errno, EINPROGRESS);
    }
}

static void unstall(struct stalled *stalled)
{
    for (int i = 0; i < FILLERS; i++)
        close(stalled->fillers[i]);
    close(stalled->listener);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory && readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void hold_port(void)
{
    struct swale__address address = { .v6 = { .sin6_family = AF_INET6 }, .size = sizeof address.v6 };
    struct in6_addr ip;
    int off = 0;
    held = new_socket(AF_INET6);
    has_ipv6 = held >= 0 && setsockopt(held, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
               bind(held, &address.any, address.size) == 0;
    if (!has_ipv6) {
        close(held);
        address = (struct swale__address){ .v4 = { .sin_family = AF_INET }, .size = sizeof address.v4 };
        held = new_socket(AF_INET);
        assert_int_equal(bind(held, &address.any, address.size), 0);
    }
    assert_int_equal(getsockname(held, &address.any, &address.size), 0);
    assert_true(swale__address_ip(&address, &ip, &port));
}

static void needs_ipv6(void)
{
    if (!has_ipv6)
        skip();
}

static int set_up(void **state)
{
    (void)state;
    descriptors = count_descriptors();
    test_loop_init(&loop);
    dns_begin(&dns, &loop);
    assert_int_equal(swale__resolver_new(&resolver, loop.loop, dns.address), 0);
    hold_port();
    return 0;
}

/* Nothing stays behind: no memory, no descriptor. */
static int tear_down(void **state)
{
    (void)state;
    test_loop_settle(&loop);
    swale__resolver_free(resolver);
    dns_end(&dns);
    close(held);
    test_loop_done(&loop);
    assert_int_equal(count_descriptors(), descriptors);
    return 0;
}

/* ---- Names -------------------------------------------------------------------------------------------- */

static void ipv6_goes_first(void **state)
{
    (void)state;
    needs_ipv6();
    int listener = listen_at("127.0.0.1");
    struct outcome outcome;
    begin(&outcome, "host.example.", NULL);
    struct dns_question *a = dns_wait(&dns, "host.example", DNS_A);
    dns_answer(&dns, dns_wait(&dns, "host.example", DNS_AAAA), DNS_OK, "::1");
    dns_answer(&dns, a, DNS_OK, "127.0.0.1");
    expect_connected(&outcome, "127.0.0.1");
    assert_int_equal(outcome.resolved, 1);
    assert_string_equal(outcome.notes, "trying [::1]\n"
                                       "connect to [::1]: Connection refused\n"
                                       "trying 127.0.0.1\n");
    close(listener);
}

/* RFC 8305 section 3: the Resolution Delay. */
static void an_a_answer_waits_for_its_aaaa(void **state)
{
    (void)state;
    needs_ipv6();
    int v4 = listen_at("127.0.0.1"), v6 = listen_at("::1");
    struct outcome outcome;
    for (int late = 0; late < 2; late++) {
        begin(&outcome, "host.example.", NULL);
        answer_first(DNS_A, "127.0.0.1");
        test_loop_advance(&loop, SWALE__RESOLUTION_DELAY_MS - 1);
        assert_int_equal(outcome.resolved, 0);
        if (late) {
            test_loop_advance(&loop, 1);
            assert_int_equal(outcome.resolved, 1);
            expect_connected(&outcome, "127.0.0.1");
        } else {
            answer(DNS_AAAA, DNS_OK, "::1");
            expect_connected(&outcome, "::1");
        }
        test_loop_advance(&loop, 10000);
        assert_int_equal(outcome.calls, 1);
        dns.count = 0;
    }
    close(v4);
    close(v6);
}

static void an_a_answer_does_not_wait_for_nothing(void **state)
{
    (void)state;
    int listener = listen_at("127.0.0.1");
    struct outcome outcome;
    static const int orders[2][2] = { { DNS_A, DNS_AAAA }, { DNS_AAAA, DNS_A } };
    for (int order = 0; order < 2; order++) {
        begin(&outcome, "host.example.", NULL);
        for (int i = 0; i < 2; i++) {
            bool a = orders[order][i] == DNS_A;
            answer(orders[order][i], a ? DNS_OK : DNS_NXDOMAIN, a ? "127.0.0.1" : "");
        }
        expect_connected(&outcome, "127.0.0.1");
        dns.count = 0;
    }
    close(listener);
}

static void an_aaaa_answer_waits_for_nobody(void **state)
{
    (void)state;
    needs_ipv6();
    int listener = listen_at("::1");
    struct outcome outcome;
    begin(&outcome, "host.example.", NULL);
    answer(DNS_AAAA, DNS_OK, "::1");
    expect_connected(&outcome, "::1");
    assert_int_equal(outcome.resolved, 1);
    close(listener);
}

static void names_that_cannot_be_resolved(void **state)
{
    (void)state;
    static const struct {
        int a, aaaa;
        const char *text;
    } cases[] = {
        { DNS_NXDOMAIN, DNS_NXDOMAIN, "resolve host.example.: Domain name not found" },
        { DNS_OK, DNS_OK, "resolve host.example.: DNS server returned answer with no data" },
        { DNS_OK, DNS_NXDOMAIN, "resolve host.example.: Domain name not found" },
        { DNS_NXDOMAIN, DNS_OK, "resolve host.example.: Domain name not found" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome outcome;
        begin(&outcome, "host.example.", NULL);
        answer(DNS_A, cases[i].a, "");
        answer(DNS_AAAA, cases[i].aaaa, "");
        until_over(&outcome);
        assert_int_equal(outcome.error, SWALE_ERR_RESOLVE);
        assert_true(outcome.resolving);
        assert_string_equal(outcome.text, cases[i].text);
        assert_int_equal(outcome.resolved, 0);
        dns.count = 0;
    }
    struct outcome outcome;
    static const char *const others[] = { "", "a b", "\x1b[2J", "[::1]" };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        begin(&outcome, others[i], NULL);
        test_loop_settle(&loop);
        assert_int_equal(outcome.error, SWALE_ERR_RESOLVE);
        assert_string_equal(outcome.text, "resolve: not a host name");
    }
    assert_int_equal(dns.count, 0);
}

/* ---- Races -------------------------------------------------------------------------------------------- */

static void one_after_another_without_an_answer(void **state)
{
    (void)state;
    struct stalled first, second;
    struct outcome outcome;
    stall(&first, "127.0.0.2");
    stall(&second, "127.0.0.3");
    int listener = listen_at("127.0.0.1");
    begin(&outcome, "host.example.", NULL);
    answer(DNS_AAAA, DNS_OK, "");
    answer(DNS_A, DNS_OK, "127.0.0.2 127.0.0.3 127.0.0.1");
    TEST_LOOP_UNTIL(&loop, strstr(outcome.notes, "trying 127.0.0.2"));
    test_loop_advance(&loop, SWALE__RACE_DELAY_MS - 1);
    assert_string_equal(outcome.notes, "trying 127.0.0.2\n");
    test_loop_advance(&loop, 1);
    assert_string_equal(outcome.notes, "trying 127.0.0.2\ntrying 127.0.0.3\n");
    test_loop_advance(&loop, SWALE__RACE_DELAY_MS - 1);
    assert_int_equal(outcome.calls, 0);
    test_loop_advance(&loop, 1);
    expect_connected(&outcome, "127.0.0.1");
    test_loop_advance(&loop, 10000);
    assert_int_equal(outcome.calls, 1);
    unstall(&first);
    unstall(&second);
    close(listener);
}

/* The one that was tried first may still win. */
static void a_slow_address_wins_in_the_end(void **state)
{
    (void)state;
    needs_ipv6();
    struct stalled other;
    struct outcome outcome;
    stall(&other, "127.0.0.3");
    begin(&outcome, "host.example.", NULL);
    int listener = listen_at("::1");
    answer_first(DNS_A, "127.0.0.3 127.0.0.4");
    test_loop_advance(&loop, SWALE__RESOLUTION_DELAY_MS);
    assert_string_equal(outcome.notes, "trying 127.0.0.3\n");
    answer(DNS_AAAA, DNS_OK, "::1");
    TEST_LOOP_UNTIL(&loop, dns.count == 2);
    test_loop_advance(&loop, SWALE__RACE_DELAY_MS);
    /* IPv6 came late, and goes before the other IPv4 address all the same. */
    expect_connected(&outcome, "::1");
    assert_string_equal(outcome.notes, "trying 127.0.0.3\ntrying [::1]\n");
    unstall(&other);
    close(listener);
}

static void a_failure_makes_way_at_once(void **state)
{
    (void)state;
    int listener = listen_at("127.0.0.1");
    struct outcome outcome;
    begin(&outcome, "host.example.", NULL);
    answer(DNS_AAAA, DNS_OK, "::1");
    answer(DNS_A, DNS_OK, "127.0.0.2 127.0.0.3 127.0.0.1");
    uint64_t now = loop.now_ms;
    expect_connected(&outcome, "127.0.0.1");
    assert_int_equal(loop.now_ms, now); /* no time has passed */
    close(listener);
}

/* A later one fails while an earlier one still has no answer. */
static void a_failure_beside_a_silence(void **state)
{
    (void)state;
    struct stalled silent;
    struct outcome outcome;
    stall(&silent, "127.0.0.2");
    int listener = listen_at("127.0.0.1");
    begin(&outcome, "host.example.", NULL);
    answer(DNS_AAAA, DNS_OK, "");
    answer(DNS_A, DNS_OK, "127.0.0.2 127.0.0.3 127.0.0.1");
    TEST_LOOP_UNTIL(&loop, strstr(outcome.notes, "trying 127.0.0.2"));
    test_loop_advance(&loop, SWALE__RACE_DELAY_MS);
    expect_connected(&outcome, "127.0.0.1");
    assert_string_equal(outcome.notes, "trying 127.0.0.2\n"
                                       "trying 127.0.0.3\n"
                                       "connect to 127.0.0.3: Connection refused\n"
                                       "trying 127.0.0.1\n");
    unstall(&silent);
    close(listener);
}

static void families_take_turns(void **state)
{
    (void)state;
    needs_ipv6();
    struct outcome outcome;
    begin(&outcome, "host.example.", NULL);
    answer_first(DNS_A, "127.0.0.2 127.0.0.3 127.0.0.4");
    answer(DNS_AAAA, DNS_OK, "::1 ::1");
    until_over(&outcome);
    assert_string_equal(outcome.notes, "trying [::1]\n"
                                       "connect to [::1]: Connection refused\n"
                                       "trying 127.0.0.2\n"
                                       "connect to 127.0.0.2: Connection refused\n"
                                       "trying [::1]\n"
                                       "connect to [::1]: Connection refused\n"
                                       "trying 127.0.0.3\n"
                                       "connect to 127.0.0.3: Connection refused\n"
                                       "trying 127.0.0.4\n");
    char expected[200];
    snprintf(expected, sizeof expected, "connect to 127.0.0.4:%u: Connection refused (the last of 5 addresses)",
             port);
    assert_string_equal(outcome.text, expected);
    assert_int_equal(outcome.error, -ECONNREFUSED);
    assert_false(outcome.resolving);
}

/* While an answer is still to come, all is not lost. */
static void failures_before_the_last_answer(void **state)
{
    (void)state;
    needs_ipv6();
    int listener = listen_at("127.0.0.1");
    for (int good = 0; good < 2; good++) {
        struct outcome outcome;
        begin(&outcome, "host.example.", NULL);
        dns_answer(&dns, dns_wait(&dns, "host.example", DNS_AAAA), DNS_OK, "::1");
        TEST_LOOP_UNTIL(&loop, strstr(outcome.notes, "refused"));
        test_loop_advance(&loop, 1000);
        assert_int_equal(outcome.calls, 0);
        answer(DNS_A, good ? DNS_OK : DNS_NXDOMAIN, good ? "127.0.0.1" : "");
        if (good) {
            expect_connected(&outcome, "127.0.0.1");
        } else {
            until_over(&outcome);
            char expected[200];
            snprintf(expected, sizeof expected, "connect to [::1]:%u: Connection refused", port);
            assert_string_equal(outcome.text, expected);
            assert_int_equal(outcome.error, -ECONNREFUSED);
            assert_false(outcome.resolving);
        }
        dns.count = 0;
    }
    close(listener);
}

/* What could not be used is not even asked for. */
static void a_local_address_has_one_family(void **state)
{
    (void)state;
    struct swale__address local = { .v4 = { .sin_family = AF_INET }, .size = sizeof local.v4 };
    local.v4.sin_addr.s_addr = htonl(0x7f000005);
    int listener = listen_at("127.0.0.1");
    struct outcome outcome;
    begin(&outcome, "host.example.", &local);
    answer(DNS_A, DNS_OK, "127.0.0.1");
    expect_connected(&outcome, "127.0.0.1");
    assert_int_equal(dns.count, 1);
    begin(&outcome, "host.example.", &local);
    answer(DNS_A, DNS_NXDOMAIN, "");
    until_over(&outcome);
    assert_string_equal(outcome.text, "resolve host.example.: Domain name not found");
    close(listener);
}

static void neither_family_crowds_out_the_other(void **state)
{
    (void)state;
    static struct swale__race race;
    memset(&race, 0, sizeof race);
    race.loop = loop.loop;
    struct swale__address v4 = { .v4 = { .sin_family = AF_INET }, .size = sizeof v4.v4 };
    struct swale__address v6 = { .v6 = { .sin6_family = AF_INET6 }, .size = sizeof v6.v6 };
    for (int i = 0; i < 20; i++)
        swale__race_add(&race, &v4);
    assert_int_equal(race.count, SWALE__ADDRESSES_MAX / 2);
    for (int i = 0; i < 20; i++)
        swale__race_add(&race, &v6);
    assert_int_equal(race.count, SWALE__ADDRESSES_MAX);
    swale__race_stop(&race); /* one that has never begun */
}

/* ---- Cancelling, going on from within, memory ----------------------------------------------------------- */

enum stage { BEGUN, ASKED, ONE_ANSWER, PATIENT, RACING, RACING_TWO, STAGES };

static void cancelled_at(enum stage stage)
{
    struct outcome outcome;
    begin(&outcome, "host.example.", NULL);
    if (stage >= ASKED) {
        dns_wait(&dns, "host.example", DNS_A)->taken = false;
        dns_wait(&dns, "host.example", DNS_AAAA)->taken = false;
    }
    if (stage == ONE_ANSWER)
        answer(DNS_AAAA, DNS_NXDOMAIN, "");
    if (stage >= PATIENT) {
        answer_first(DNS_A, "127.0.0.2 127.0.0.3 127.0.0.1");
    }
    if (stage >= RACING)
        test_loop_advance(&loop, SWALE__RESOLUTION_DELAY_MS);
    if (stage >= RACING_TWO)
        test_loop_advance(&loop, SWALE__RACE_DELAY_MS);
    assert_int_equal(outcome.resolved, stage >= RACING);
    swale__connect_cancel(outcome.connecting);
    test_loop_settle(&loop);
    assert_int_equal(swale_loop_wait_ms(loop.loop), -1); /* no timer of anybody's */
    test_loop_advance(&loop, 10000);
    assert_int_equal(outcome.calls, 0);
    dns.count = 0;
}

static void cancelled_at_each_stage(void **state)
{
    (void)state;
    struct stalled first, second;
    stall(&first, "127.0.0.2");
    stall(&second, "127.0.0.3");
    for (enum stage stage = BEGUN; stage < STAGES; stage++)
        cancelled_at(stage);
    unstall(&first);
    unstall(&second);
}

static void another_is_begun_from_within_the_end(void **state)
{
    (void)state;
    int listener = listen_at("127.0.0.1");
    struct outcome first, second;
    for (int good = 0; good < 2; good++) {
        begin(&first, "host.example.", NULL);
        first.again = &second;
        answer(DNS_AAAA, DNS_OK, "");
        answer(DNS_A, DNS_OK, good ? "127.0.0.1" : "127.0.0.2");
        until_over(&first);
        assert_int_equal(first.stream != NULL, good);
        dns_answer(&dns, dns_wait(&dns, "again.example", DNS_A), DNS_OK, "127.0.0.1");
        dns_answer(&dns, dns_wait(&dns, "again.example", DNS_AAAA), DNS_NXDOMAIN, "");
        expect_connected(&second, "127.0.0.1");
        if (good)
            swale__stream_close(first.stream, false);
        dns.count = 0;
    }
    close(listener);
}

/* Whatever is asked, of this name. */
static void answer_all(void)
{
    for (unsigned i = 0; i < dns.count; i++) {
        struct dns_question *question = &dns.questions[i];
        if (!question->taken)
            dns_answer(&dns, question, DNS_OK, question->type == DNS_A ? "127.0.0.1" : "::1");
        question->taken = true;
    }
}

static void out_of_memory(void **state)
{
    (void)state;
    int listener = listen_at("127.0.0.1");
    unsigned failures = 0;
    bool spared = false; /* the allocation that would fail is not reached any more */
    for (uint64_t n = 1; !spared; n++) {
        assert_true(n < 100);
        struct outcome outcome;
        loop.memory.fail_at = loop.memory.allocations + n;
        int error = try(&outcome, "host.example.", NULL);
        if (!error) {
            TEST_LOOP_UNTIL(&loop, (answer_all(), outcome.calls > 0));
            error = outcome.error;
        }
        spared = loop.memory.allocations < loop.memory.fail_at;
        loop.memory.fail_at = 0;
        failures += error != 0;
        assert_true(error == 0 || error == -ENOMEM); /* one address may fail, and the other do */
        if (error == 0)
            swale__stream_close(outcome.stream, false);
        dns.count = 0;
    }
    assert_true(failures >= 3); /* connecting, lookup, its watch; a socket only where the pool is full */
    close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ipv6_goes_first),
        TEST(an_a_answer_waits_for_its_aaaa),
        TEST(an_a_answer_does_not_wait_for_nothing),
        TEST(an_aaaa_answer_waits_for_nobody),
        TEST(names_that_cannot_be_resolved),
        TEST(one_after_another_without_an_answer),
        TEST(a_slow_address_wins_in_the_end),
        TEST(a_failure_makes_way_at_once),
        TEST(a_failure_beside_a_silence),
        TEST(families_take_turns),
        TEST(failures_before_the_last_answer),
        TEST(a_local_address_has_one_family),
        TEST(neither_family_crowds_out_the_other),
        TEST(cancelled_at_each_stage),
        TEST(another_is_begun_from_within_the_end),
        TEST(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
