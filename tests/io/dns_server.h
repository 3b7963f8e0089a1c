/* dns_server.h - a name server on the test's own loop, over UDP and TCP at one port of loopback. It answers nothing
 * by itself: a test waits for a question and says what comes back, in any order.
 *
 *     struct dns_server dns;
 *     dns_begin(&dns, &loop);                         dns.address is "127.0.0.1:40213"
 *     ... something asks ...
 *     struct dns_question *a = dns_wait(&dns, "host.example", DNS_A);
 *     dns_answer(&dns, a, 0, "127.0.0.1 127.0.0.2");
 *     dns_end(&dns);
 */
#ifndef SWALE_TEST_DNS_SERVER_H
#define SWALE_TEST_DNS_SERVER_H

#include "vloop.h"

#include <netinet/in.h>

enum { DNS_A = 1, DNS_AAAA = 28 };
enum { DNS_OK = 0, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_REFUSED = 5 };

struct dns_question {
    char name[256];
    int type;
    bool tcp, taken; /* by dns_wait */
    struct sockaddr_in from;
    unsigned char packet[512];
    size_t size;
};

struct dns_server {
    struct test_loop *loop;
    int udp, listener, tcp; /* one connection at a time; -1 for none */
    struct swale_watch udp_watch, listener_watch, tcp_watch;
    char address[32];
    struct dns_question questions[64];
    unsigned count;
    unsigned char stream[1024]; /* what has come by TCP */
    size_t stream_size;
};

void dns_begin(struct dns_server *dns, struct test_loop *loop);
void dns_end(struct dns_server *dns);

/* Turns until this is asked (once more). */
struct dns_question *dns_wait(struct dns_server *dns, const char *name, int type);

/* `addresses`, separated by blanks, or "". */
void dns_answer(struct dns_server *dns, const struct dns_question *question, int rcode, const char *addresses);
void dns_answer_truncated(struct dns_server *dns, const struct dns_question *question);

/* Any bytes, as they are. */
void dns_send(struct dns_server *dns, const struct dns_question *question, const void *packet, size_t size);

#endif
