#include "test.h"

#include "dns_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Asking ------------------------------------------------------------------------------------------- */

/* RFC 1035 section 4.1: one question behind the header, its name not compressed. */
static void take_question(struct dns_server *dns, const unsigned char *packet, size_t size,
                          const struct sockaddr_in *from)
{
    assert_true(dns->count < COUNT_OF(dns->questions));
    struct dns_question *question = &dns->questions[dns->count++];
    *question = (struct dns_question){ .tcp = !from, .size = size };
    assert_true(size > 12 && size <= sizeof question->packet);
    memcpy(question->packet, packet, size);
    if (from)
        question->from = *from;
    size_t at = 12, length = 0;
    while (packet[at] != 0) {
        size_t label = packet[at++];
        assert_true(at + label + 5 <= size && length + label + 1 < sizeof question->name);
        memcpy(question->name + length, packet + at, label);
        length += label;
        question->name[length++] = '.';
        at += label;
    }
    question->name[length > 0 ? length - 1 : 0] = '\0';
    question->type = packet[at + 1] << 8 | packet[at + 2];
    question->size = at + 5; /* without what may follow (EDNS) */
}

static void on_udp(struct swale_watch *watch, unsigned events)
{
    (void)events;
    unsigned char packet[512];
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(watch->fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_size);
    assert_true(size > 0);
    take_question(watch->context, packet, (size_t)size, &from);
}

static void close_tcp(struct dns_server *dns)
{
    swale_watch_stop(dns->loop->loop, &dns->tcp_watch);
    if (dns->tcp >= 0)
        close(dns->tcp);
    dns->tcp = -1;
    dns->stream_size = 0;
}

/* RFC 1035 section 4.2.2: a length of two bytes before each message. */
static void on_tcp(struct swale_watch *watch, unsigned events)
{
    (void)events;
    struct dns_server *dns = watch->context;
    ssize_t size = recv(watch->fd, dns->stream + dns->stream_size, sizeof dns->stream - dns->stream_size, 0);
    if (size <= 0) {
        close_tcp(dns);
        return;
    }
    dns->stream_size += (size_t)size;
    size_t length;
    while (dns->stream_size >= 2 &&
           dns->stream_size >= 2 + (length = (size_t)(dns->stream[0] << 8 | dns->stream[1]))) {
        take_question(dns, dns->stream + 2, length, NULL);
        dns->stream_size -= 2 + length;
        memmove(dns->stream, dns->stream + 2 + length, dns->stream_size);
    }
}

static void watch(struct dns_server *dns, struct swale_watch *what, int fd,
                  void (*ready)(struct swale_watch *what, unsigned events))
{
    *what = (struct swale_watch){ .ready = ready, .context = dns, .fd = fd };
    assert_int_equal(swale_watch_start(dns->loop->loop, what, SWALE_READABLE), 0);
}

static void on_connection(struct swale_watch *listener, unsigned events)
{
    (void)events;
    struct dns_server *dns = listener->context;
    close_tcp(dns);
    dns->tcp = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(dns->tcp >= 0);
    watch(dns, &dns->tcp_watch, dns->tcp, on_tcp);
}

static struct dns_question *find(struct dns_server *dns, const char *name, int type)
{
    for (unsigned i = 0; i < dns->count; i++) {
        struct dns_question *question = &dns->questions[i];
        if (!question->taken && question->type == type && strcmp(question->name, name) == 0)
            return question;
    }
    return NULL;
}

struct dns_question *dns_wait(struct dns_server *dns, const char *name, int type)
{
    struct dns_question *found;
    TEST_LOOP_UNTIL(dns->loop, (found = find(dns, name, type)));
    found->taken = true;
    return found;
}

/* ---- Answering ---------------------------------------------------------------------------------------- */

void dns_send(struct dns_server *dns, const struct dns_question *question, const void *packet, size_t size)
{
    if (!question->tcp) {
        assert_int_equal(
            sendto(dns->udp, packet, size, 0, (const struct sockaddr *)&question->from, sizeof question->from), size);
        return;
    }
    unsigned char length[2] = { (unsigned char)(size >> 8), (unsigned char)size };
    assert_int_equal(send(dns->tcp, length, 2, 0), 2);
    assert_int_equal(send(dns->tcp, packet, size, 0), size);
}

static size_t add_record(unsigned char *packet, size_t size, int type, const char *text)
{
    unsigned char address[16];
    assert_int_equal(inet_pton(type == DNS_A ? AF_INET : AF_INET6, text, address), 1);
    unsigned char length = type == DNS_A ? 4 : 16;
    const unsigned char record[12] = { 0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0, 0, 60, 0, length };
    memcpy(packet + size, record, sizeof record);
    memcpy(packet + size + sizeof record, address, length);
    return size + sizeof record + length;
}

static void answer(struct dns_server *dns, const struct dns_question *question, int flags, const char *addresses)
{
    unsigned char packet[8192];
    size_t size = question->size;
    unsigned count = 0;
    memcpy(packet, question->packet, size);
    for (const char *text = addresses; *text; count++) {
        char one[INET6_ADDRSTRLEN];
        size_t length = strcspn(text, " ");
        snprintf(one, sizeof one, "%.*s", (int)length, text);
        size = add_record(packet, size, question->type, one);
        text += length + (text[length] == ' ');
    }
    packet[2] = (unsigned char)(0x81 | flags >> 8); /* an answer, recursion was desired */
    packet[3] = (unsigned char)(0x80 | (flags & 15));
    packet[6] = (unsigned char)(count >> 8);
    packet[7] = (unsigned char)count;
    memset(packet + 8, 0, 4);
    dns_send(dns, question, packet, size);
}

void dns_answer(struct dns_server *dns, const struct dns_question *question, int rcode, const char *addresses)
{
    answer(dns, question, rcode, addresses);
}

void dns_answer_truncated(struct dns_server *dns, const struct dns_question *question)
{
    answer(dns, question, 0x0200, "");
}

/* ---- Life --------------------------------------------------------------------------------------------- */

/* The same port for both, which may take a few tries. */
static bool bind_both(struct dns_server *dns)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    dns->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    dns->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(dns->udp >= 0 && dns->listener >= 0);
    assert_int_equal(bind(dns->udp, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(dns->udp, (struct sockaddr *)&address, &size), 0);
    snprintf(dns->address, sizeof dns->address, "127.0.0.1:%u", ntohs(address.sin_port));
    if (bind(dns->listener, (struct sockaddr *)&address, size) == 0 && listen(dns->listener, 8) == 0)
        return true;
    close(dns->udp);
    close(dns->listener);
    return false;
}

void dns_begin(struct dns_server *dns, struct test_loop *loop)
{
    *dns = (struct dns_server){ .loop = loop, .tcp = -1 };
    for (int tries = 0; !bind_both(dns); tries++)
        assert_true(tries < 100);
    watch(dns, &dns->udp_watch, dns->udp, on_udp);
    watch(dns, &dns->listener_watch, dns->listener, on_connection);
}

void dns_end(struct dns_server *dns)
{
    close_tcp(dns);
    swale_watch_stop(dns->loop->loop, &dns->udp_watch);
    swale_watch_stop(dns->loop->loop, &dns->listener_watch);
    close(dns->udp);
    close(dns->listener);
}
