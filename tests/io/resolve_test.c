#include "test.h"

#include "dns_server.h"
#include "guard.h"
#include "vloop.h"

#include "io/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct test_loop loop;
static struct dns_server dns;
static struct swale__resolver *resolver;

/* A lookup, and what came of it. */
struct seeker {
    struct swale__lookup *lookup; /* NULL when it is over */
    int calls, error;
    bool no_data, within;
    char text[100], addresses[2048]; /* "127.0.0.1:80 [::1]:80 " */
    struct seeker *cancel, *again;   /* to be done from within its answer */
};

static void look_up(struct seeker *seeker, const char *name, int type);

static void on_answer(void *context, const struct swale__answer *answer)
{
    struct seeker *seeker = context;
    assert_false(seeker->within);
    seeker->lookup = NULL;
    seeker->calls++;
    seeker->error = answer->error;
    seeker->no_data = answer->no_data;
    assert_int_equal(answer->error != 0, answer->count == 0);
    snprintf(seeker->text, sizeof seeker->text, "%s", answer->error ? answer->text : "");
    for (size_t i = 0; i < answer->count; i++) {
        char text[SWALE__ADDRESS_TEXT_MAX];
        swale__address_format(&answer->addresses[i], text);
        size_t size = strlen(seeker->addresses);
        snprintf(seeker->addresses + size, sizeof seeker->addresses - size, "%s ", text);
    }
    if (seeker->cancel) {
        swale__lookup_cancel(seeker->cancel->lookup);
        seeker->cancel->lookup = NULL;
    }
    if (seeker->again)
        look_up(seeker->again, "again.example.", DNS_A);
}

static void look_up(struct seeker *seeker, const char *name, int type)
{
    *seeker = (struct seeker){ .within = true };
    int family = type == DNS_A ? AF_INET : AF_INET6;
    assert_int_equal(swale__lookup(&seeker->lookup, resolver, name, family, 80, on_answer, seeker), 0);
    seeker->within = false;
}

static void until_told(struct seeker *seeker)
{
    TEST_LOOP_UNTIL(&loop, seeker->calls > 0);
    assert_int_equal(seeker->calls, 1);
}

static int set_up(void **state)
{
    (void)state;
    test_loop_init(&loop);
    dns_begin(&dns, &loop);
    assert_int_equal(swale__resolver_new(&resolver, loop.loop, dns.address), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    swale__resolver_free(resolver);
    dns_end(&dns);
    test_loop_done(&loop);
    return 0;
}

/* ---- Answers ------------------------------------------------------------------------------------------ */

static void both_families(void **state)
{
    (void)state;
    struct seeker a, aaaa;
    look_up(&a, "host.example.", DNS_A);
    look_up(&aaaa, "host.example.", DNS_AAAA);
    dns_answer(&dns, dns_wait(&dns, "host.example", DNS_AAAA), DNS_OK, "::1");
    until_told(&aaaa);
    assert_string_equal(aaaa.addresses, "[::1]:80 ");
    assert_int_equal(a.calls, 0); /* each comes by itself */
    dns_answer(&dns, dns_wait(&dns, "host.example", DNS_A), DNS_OK, "127.0.0.2 127.0.0.1");
    until_told(&a);
    assert_string_equal(a.addresses, "127.0.0.2:80 127.0.0.1:80 "); /* in the server's order */
}

static void failures(void **state)
{
    (void)state;
    static const struct {
        int rcode, tries; /* of c-ares */
        bool no_data;
        const char *text;
    } cases[] = {
        { DNS_NXDOMAIN, 1, false, "Domain name not found" },
        { DNS_OK, 1, true, "DNS server returned answer with no data" },
        { DNS_SERVFAIL, 4, false, "Could not contact DNS servers" }, /* none that was of use, c-ares means */
        { DNS_REFUSED, 4, false, "Could not contact DNS servers" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seeker a;
        look_up(&a, "host.example.", DNS_A);
        for (int n = 0; n < cases[i].tries; n++)
            dns_answer(&dns, dns_wait(&dns, "host.example", DNS_A), cases[i].rcode, "");
        until_told(&a);
        assert_int_equal(a.error, SWALE_ERR_RESOLVE);
        assert_int_equal(a.no_data, cases[i].no_data);
        assert_string_equal(a.text, cases[i].text);
    }
}

static void more_addresses_than_anyone_needs(void **state)
{
    (void)state;
    char addresses[2000] = "";
    for (int i = 1; i <= 28; i++) /* as many as fit into a packet without EDNS */
        snprintf(addresses + strlen(addresses), sizeof addresses - strlen(addresses), "%s127.0.0.%d",
                 i > 1 ? " " : "", i);
    struct seeker a;
    look_up(&a, "host.example.", DNS_A);
    dns_answer(&dns, dns_wait(&dns, "host.example", DNS_A), DNS_OK, addresses);
    until_told(&a);
    assert_non_null(strstr(a.addresses, "127.0.0.28:80"));
    for (int i = 29; i <= 90; i++)
        snprintf(addresses + strlen(addresses), sizeof addresses - strlen(addresses), " 127.0.0.%d", i);
    look_up(&a, "host.example.", DNS_A);
    dns_answer_truncated(&dns, dns_wait(&dns, "host.example", DNS_A));
    struct dns_question *question = dns_wait(&dns, "host.example", DNS_A);
    assert_true(question->tcp);
    dns_answer(&dns, question, DNS_OK, addresses);
    until_told(&a);
    assert_non_null(strstr(a.addresses, "127.0.0.32:80"));
    assert_null(strstr(a.addresses, "127.0.0.33:80"));
}

/* What is no answer is not taken for one; what is one, but broken, is a failure. */
static void garbage(void **state)
{
    (void)state;
    struct seeker a;
    look_up(&a, "host.example.", DNS_A);
    struct dns_question *question = dns_wait(&dns, "host.example", DNS_A);
    static const unsigned char noise[600] = { 0xff, 0xff, 0x81, 0x80, 0xff, 0xff, 0xff, 0xff };
    dns_send(&dns, question, noise, 1);
    dns_send(&dns, question, noise, 11);
    dns_send(&dns, question, noise, 12);
    dns_send(&dns, question, noise, sizeof noise);
    struct dns_question other = *question; /* a guess at the number: not ours */
    other.packet[0] ^= 0x55;
    dns_answer(&dns, &other, DNS_OK, "127.0.0.66");
    struct dns_question evil = *question; /* the right number, another name */
    evil.packet[13] ^= 1;
    dns_answer(&dns, &evil, DNS_OK, "127.0.0.66");
    test_loop_settle(&loop);
    assert_int_equal(a.calls, 0);
    dns_answer(&dns, question, DNS_OK, "127.0.0.1");
    until_told(&a);
    assert_string_equal(a.addresses, "127.0.0.1:80 ");

    look_up(&a, "host.example.", DNS_A);
    question = dns_wait(&dns, "host.example", DNS_A);
    unsigned char packet[512];
    memcpy(packet, question->packet, question->size);
    packet[2] = 0x81;
    packet[3] = 0x80;
    packet[7] = 9; /* records that are not there */
    dns_send(&dns, question, packet, question->size);
    until_told(&a);
    assert_int_equal(a.error, SWALE_ERR_RESOLVE);
    assert_string_equal(a.text, "Misformatted DNS reply");
}

static void localhost_asks_nobody(void **state)
{
    (void)state;
    static const char *const names[] = { "localhost", "LocalHost", "localhost.", "my.app.localhost" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct seeker a, aaaa;
        look_up(&a, names[i], DNS_A);
        look_up(&aaaa, names[i], DNS_AAAA);
        test_loop_settle(&loop);
        assert_string_equal(a.addresses, "127.0.0.1:80 ");
        assert_string_equal(aaaa.addresses, "[::1]:80 ");
    }
    assert_int_equal(dns.count, 0);
    struct seeker other;
    look_up(&other, "notlocalhost.", DNS_A);
    dns_answer(&dns, dns_wait(&dns, "notlocalhost", DNS_A), DNS_NXDOMAIN, "");
    until_told(&other);
}

/* The first name in /etc/hosts that is not of the kind of localhost, with its IPv4 address. */
static bool find_host(char address[64], char name[256])
{
    char line[1024];
    bool found = false;
    FILE *hosts = fopen("/etc/hosts", "re");
    while (hosts && !found && fgets(line, sizeof line, hosts)) {
        struct in_addr ip;
        found = sscanf(line, "%63[0-9.] %255s", address, name) == 2 && inet_pton(AF_INET, address, &ip) == 1 &&
                !strstr(name, "localhost");
    }
    if (hosts)
        fclose(hosts);
    return found;
}

static void names_of_the_hosts_file(void **state)
{
    (void)state;
    char address[64], name[256], expected[70];
    if (!find_host(address, name))
        skip();
    struct seeker a;
    look_up(&a, name, DNS_A);
    test_loop_settle(&loop);
    snprintf(expected, sizeof expected, "%s:80 ", address);
    assert_memory_equal(a.addresses, expected, strlen(expected));
    assert_int_equal(dns.count, 0);
}

static void labels_that_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a..example.", "a123456789012345678901234567890123456789012345678901234567890123.example."
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct seeker a;
        look_up(&a, names[i], DNS_A);
        test_loop_settle(&loop);
        assert_int_equal(a.calls, 1);
        assert_int_equal(a.error, SWALE_ERR_RESOLVE);
        assert_string_equal(a.text, "Misformatted domain name");
    }
}

/* An address of loopback where no name server is: a UDP socket has it that hears only somebody else. */
static int take_dead_address(char address[32])
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    snprintf(address, 32, "127.0.0.1:%u", ntohs(name.sin_port));
    name.sin_port = htons(1);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, size), 0);
    return fd;
}

static void dead_servers_are_passed_over(void **state)
{
    (void)state;
    char dead[32], both[70];
    int held = take_dead_address(dead);
    snprintf(both, sizeof both, "%s,%s", dead, dns.address);
    for (int good = 0; good < 2; good++) {
        swale__resolver_free(resolver);
        assert_int_equal(swale__resolver_new(&resolver, loop.loop, good ? both : dead), 0);
        struct seeker a;
        look_up(&a, "host.example.", DNS_A);
        if (good)
            dns_answer(&dns, dns_wait(&dns, "host.example", DNS_A), DNS_OK, "127.0.0.1");
        until_told(&a);
        assert_string_equal(a.addresses, good ? "127.0.0.1:80 " : "");
        assert_string_equal(a.text, good ? "" : "Could not contact DNS servers");
    }
    close(held);
}

static uint64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* c-ares goes by the real clock, and so must the loop here: it is the loop's timer that makes c-ares look at its own.
 */
static void a_lost_question_is_asked_again(void **state)
{
    (void)state;
    struct seeker a;
    uint64_t apart = loop.now_ms - real_ms();
    look_up(&a, "host.example.", DNS_A);
    dns_wait(&dns, "host.example", DNS_A);
    TEST_LOOP_UNTIL(&loop, (loop.now_ms = real_ms() + apart, dns.count == 2));
    dns_answer(&dns, dns_wait(&dns, "host.example", DNS_A), DNS_OK, "127.0.0.1");
    until_told(&a);
    assert_string_equal(a.addresses, "127.0.0.1:80 ");
}

/* Nothing is kept between bursts: not the sockets, and so not their port. */
static void bursts_leave_nothing_behind(void **state)
{
    (void)state;
    size_t blocks = loop.memory.blocks;
    for (int i = 0; i < 3; i++) {
        struct seeker a;
        look_up(&a, "host.example.", DNS_A);
        dns_answer(&dns, dns_wait(&dns, "host.example", DNS_A), DNS_OK, "127.0.0.1");
        until_told(&a);
        test_loop_settle(&loop);
        assert_int_equal(loop.memory.blocks, blocks);
        assert_int_equal(swale_loop_wait_ms(loop.loop), -1); /* no timer either */
    }
}

/* ---- Several, and fewer than before -------------------------------------------------------------------- */

static void many_at_a_time(void **state)
{
    (void)state;
    enum { MANY = 20 };
    static struct seeker seekers[MANY];
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "host%d.example.", i);
        look_up(&seekers[i], name, i % 2 ? DNS_A : DNS_AAAA);
    }
    for (int i = MANY - 1; i >= 0; i--) {
        char name[32], address[32], expected[40];
        snprintf(name, sizeof name, "host%d.example", i);
        snprintf(address, sizeof address, i % 2 ? "127.0.0.%d" : "2001:db8::%d", i + 1);
        snprintf(expected, sizeof expected, i % 2 ? "%s:80 " : "[%s]:80 ", address);
        dns_answer(&dns, dns_wait(&dns, name, i % 2 ? DNS_A : DNS_AAAA), DNS_OK, address);
        until_told(&seekers[i]);
        assert_string_equal(seekers[i].addresses, expected);
    }
}

static void cancel(struct seeker *seeker)
{
    swale__lookup_cancel(seeker->lookup);
    seeker->lookup = NULL;
}

static void cancelled_at_every_stage(void **state)
{
    (void)state;
    struct seeker a;
    look_up(&a, "host.example.", DNS_A);
    cancel(&a); /* nothing was done yet */
    look_up(&a, "host.example.", DNS_A);
    struct dns_question *question = dns_wait(&dns, "host.example", DNS_A);
    cancel(&a); /* asked, not answered */
    dns_answer(&dns, question, DNS_OK, "127.0.0.1");
    test_loop_settle(&loop);
    look_up(&a, "localhost", DNS_A);
    cancel(&a); /* answered, not told */
    test_loop_advance(&loop, 60000);
    assert_int_equal(a.calls, 0);
}

/* The one that goes on keeps the channel, and with it what was cancelled, until it is over. */
static void cancelled_beside_another(void **state)
{
    (void)state;
    struct seeker a, b;
    look_up(&a, "a.example.", DNS_A);
    look_up(&b, "b.example.", DNS_A);
    struct dns_question *question = dns_wait(&dns, "a.example", DNS_A);
    cancel(&a);
    look_up(&a, "c.example.", DNS_A);
    dns_wait(&dns, "c.example", DNS_A);
    cancel(&a); /* this one is never answered */
    dns_answer(&dns, question, DNS_OK, "127.0.0.1");
    test_loop_settle(&loop);
    assert_int_equal(b.calls, 0);
    dns_answer(&dns, dns_wait(&dns, "b.example", DNS_A), DNS_OK, "127.0.0.2");
    until_told(&b);
    assert_int_equal(a.calls, 0);
}

static void cancelled_from_within_an_answer(void **state)
{
    (void)state;
    struct seeker a, b, c;
    look_up(&a, "a.example.", DNS_A);
    look_up(&b, "b.example.", DNS_A);
    a.cancel = &b;
    a.again = &c;
    dns_answer(&dns, dns_wait(&dns, "a.example", DNS_A), DNS_OK, "127.0.0.1");
    until_told(&a);
    dns_answer(&dns, dns_wait(&dns, "again.example", DNS_A), DNS_OK, "127.0.0.3");
    until_told(&c);
    assert_string_equal(c.addresses, "127.0.0.3:80 ");
    assert_int_equal(b.calls, 0);

    look_up(&a, "localhost", DNS_A); /* both answered, the other not yet told */
    look_up(&b, "localhost", DNS_AAAA);
    a.cancel = &b;
    test_loop_settle(&loop);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
}

/* ---- Memory ------------------------------------------------------------------------------------------- */

/* By UDP and then by TCP, so that there are two sockets. */
static void out_of_memory(void **state)
{
    (void)state;
    bool good = false;
    for (uint64_t n = 1; !good; n++) {
        assert_true(n < 100);
        dns.count = 0;
        struct seeker a = { .calls = 0 };
        /* Of the lookup's part only; the server lives on the same loop, and must not fail. */
        loop.memory.fail_at = loop.memory.allocations + n;
        int error = swale__lookup(&a.lookup, resolver, "host.example.", AF_INET, 80, on_answer, &a);
        loop.memory.fail_at = 0;
        good = error == 0;
        assert_int_equal(error, good ? 0 : -ENOMEM);
        if (good && n <= 4) { /* the lookup, the socket, its watch */
            TEST_LOOP_UNTIL(&loop, a.calls > 0 || dns.count > 0);
            good = a.calls == 0;
            assert_int_equal(a.error, good ? 0 : -ENOMEM);
            assert_string_equal(a.text, good ? "" : "Cannot allocate memory");
            if (good)
                cancel(&a);
        }
    }
}

/* ---- What is a name, and what a server ------------------------------------------------------------------ */

static void host_names(void **state)
{
    (void)state;
    char longest[256];
    memset(longest, 'a', sizeof longest);
    static const struct {
        const char *name;
        bool good;
    } cases[] = {
        { "a", true },
        { "example.com", true },
        { "example.com.", true },
        { "_x-y.Example", true },
        { "1.2.3", true },
        { "", false },
        { ".", false },
        { "a b", false },
        { " a", false },
        { "a\t", false },
        { "a\n", false },
        { "a/b", false },
        { "[::1]", false },
        { "fe80::1%eth0", false },
        { "a\\b", false },
        { "z\xc3\xbcrich", false },
        { "a:80", false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(swale__is_host_name(swale_text(cases[i].name)), cases[i].good);
    assert_false(swale__is_host_name(swale_span("a\0b", 3)));
    assert_true(swale__is_host_name(swale_span(longest, 253)));
    assert_false(swale__is_host_name(swale_span(longest, 254)));
    longest[253] = '.';
    assert_true(swale__is_host_name(swale_span(longest, 254)));
}

static void servers(void **state)
{
    (void)state;
    static const struct {
        const char *servers;
        bool good;
    } cases[] = {
        { NULL, true },
        { "192.0.2.1", true },
        { "192.0.2.1:5353", true },
        { "2001:db8::53", true },
        { "[2001:db8::53]", true },
        { "[2001:db8::53]:5353", true },
        { "192.0.2.1,[2001:db8::53]:5353,127.0.0.1:1", true },
        { "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", true },
        { "", false },
        { ",", false },
        { "192.0.2.1,", false },
        { ",192.0.2.1", false },
        { "192.0.2.1, 192.0.2.2", false },
        { " 192.0.2.1", false },
        { "192.0.2.1 ", false },
        { "192.0.2.1:", false },
        { "192.0.2.1:0", false },
        { "192.0.2.1:65536", false },
        { "192.0.2.1:+53", false },
        { "192.0.2.1:53x", false },
        { "192.0.2", false },
        { "[192.0.2.1]", false },
        { "[2001:db8::53", false },
        { "[2001:db8::53]5353", false },
        { "[2001:db8::53]:", false },
        { "[]", false },
        { "fe80::1%eth0", false },
        { "dns.example", false },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255:00000000000000000000000000000000000", false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = cases[i].servers ? strlen(cases[i].servers) + 1 : 0;
        char *text = cases[i].servers ? guard_copy(cases[i].servers, size) : NULL;
        struct swale__resolver *made = NULL;
        int error = swale__resolver_new(&made, loop.loop, text);
        assert_int_equal(error, cases[i].good ? 0 : SWALE_ERR_ADDRESS);
        assert_int_equal(made != NULL, cases[i].good);
        swale__resolver_free(made);
        if (text)
            guard_free(text, size);
    }
    struct swale__resolver *made;
    loop.memory.fail_at = loop.memory.allocations + 1;
    assert_int_equal(swale__resolver_new(&made, loop.loop, NULL), -ENOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_families),
        TEST(failures),
        TEST(more_addresses_than_anyone_needs),
        TEST(garbage),
        TEST(localhost_asks_nobody),
        TEST(names_of_the_hosts_file),
        TEST(labels_that_are_none),
        TEST(dead_servers_are_passed_over),
        TEST(a_lost_question_is_asked_again),
        TEST(bursts_leave_nothing_behind),
        TEST(many_at_a_time),
        TEST(cancelled_at_every_stage),
        TEST(cancelled_beside_another),
        TEST(cancelled_from_within_an_answer),
        TEST(out_of_memory),
        TEST(host_names),
        TEST(servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
