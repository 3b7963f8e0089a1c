/* c-ares 1.18 on the loop. resolve.h tells how the pieces hang together.
 *
 * What c-ares keeps for itself: its memory (its allocator is one for the whole process, and so not ours to replace),
 * and its clock (in a loop of virtual time its timeouts are still those of the real one). It reads /etc/hosts, and
 * for each burst /etc/resolv.conf and a few like it, when it is asked and on the spot: small files, but a slow disk
 * would hold up the loop. ares_library_init, which counts in a global variable, does nothing on Linux and is not
 * called. */
#include "io/resolve.h"

#include "base/memory.h"
#include "io/turn.h"

#include <ares.h>
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <strings.h>

enum {
    /* A lost packet must not cost half of a handshake's deadline, as c-ares's own 5 s would; doubled for each try. */
    TIMEOUT_MS = 1000,
    TRIES = 4,
    NAME_MAX_SIZE = 253 /* RFC 1035 section 2.3.4, as text and without the final dot */
};

struct swale__resolver {
    struct swale_loop *loop;
    ares_channel channel; /* NULL while there are no lookups */
    size_t live;          /* lookups that wait for their answer to come, or to be told */
    struct swale__list sockets;
    struct swale_timer timer; /* the next of c-ares's timeouts */
    int error;                /* of a watch, while c-ares, which must not hear of it, is at work */
    size_t size;              /* of this block */
    size_t server_count;      /* 0: the system's */
    struct ares_addr_port_node servers[];
};

/* A socket of c-ares's. */
struct dns_socket {
    struct swale__resolver *resolver;
    struct swale_watch watch;
    struct swale__list node;
};

struct swale__lookup {
    struct swale__resolver *resolver;
    void (*on_answer)(void *context, const struct swale__answer *answer);
    void *context;
    int family;
    uint16_t port;
    bool localhost;
    enum { ASKED, ANSWERED, CANCELLED } state; /* CANCELLED: c-ares has not let go of it yet */
    int status;                                /* of c-ares */
    int error;                                 /* of ours, which goes before */
    struct ares_addrinfo *result;
    struct swale__work tell;
};

/* ---- Servers ----------------------------------------------------------------------------------------- */

static bool parse_port(const char *text, int *port)
{
    int value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 5; digits++)
        value = value * 10 + (text[digits] - '0');
    *port = value;
    return digits > 0 && text[digits] == '\0' && value > 0 && value <= UINT16_MAX;
}

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::53", "[2001:db8::53]", "[2001:db8::53]:5353"; `text` is changed. */
static bool parse_server(struct ares_addr_port_node *server, char *text)
{
    char *colon = strchr(text, ':');
    char *port = NULL;
    server->family = AF_INET;
    if (*text == '[') {
        char *bracket = strchr(text, ']');
        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return false;
        port = bracket[1] == ':' ? bracket + 2 : NULL;
        *bracket = '\0';
        text++;
        server->family = AF_INET6;
    } else if (colon && strchr(colon + 1, ':')) {
        server->family = AF_INET6;
    } else if (colon) {
        port = colon + 1;
        *colon = '\0';
    }
    if (port && !parse_port(port, &server->udp_port))
        return false;
    server->tcp_port = server->udp_port;
    return inet_pton(server->family, text, &server->addr) == 1;
}

static bool parse_servers(struct swale__resolver *resolver, const char *servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[INET6_ADDRSTRLEN + sizeof "[]:65535"];
        size_t size = strcspn(servers, ",");
        if (size >= sizeof text)
            return false;
        memcpy(text, servers, size);
        text[size] = '\0';
        servers += size + 1;
        struct ares_addr_port_node *server = &resolver->servers[i];
        if (!parse_server(server, text))
            return false;
        server->next = i + 1 < count ? server + 1 : NULL;
    }
    return true;
}

static size_t count_servers(const char *servers)
{
    size_t count = servers ? 1 : 0;
    for (; servers && *servers; servers++)
        count += *servers == ',';
    return count;
}

/* ---- What c-ares asks of the loop --------------------------------------------------------------------- */

static void update_timer(struct swale__resolver *resolver)
{
    struct timeval left;
    if (!ares_timeout(resolver->channel, NULL, &left)) {
        swale_timer_stop(resolver->loop, &resolver->timer);
        return;
    }
    uint64_t ms = (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;
    swale_timer_start(resolver->loop, &resolver->timer, swale_loop_now(resolver->loop) + ms);
}

/* Behind every call of c-ares that may have done something. */
static void settle(struct swale__resolver *resolver)
{
    if (resolver->error)
        ares_cancel(resolver->channel); /* it waits for a socket that nobody watches */
    resolver->error = 0;
    update_timer(resolver);
}

static void on_ready(struct swale_watch *watch, unsigned events)
{
    struct swale__resolver *resolver = ((struct dns_socket *)watch->context)->resolver;
    int fd = watch->fd; /* the socket may be closed from within */
    ares_process_fd(resolver->channel, events & SWALE_READABLE ? fd : ARES_SOCKET_BAD,
                    events & SWALE_WRITABLE ? fd : ARES_SOCKET_BAD);
    settle(resolver);
}

static void on_timeout(struct swale_timer *timer)
{
    struct swale__resolver *resolver = timer->context;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(resolver);
}

static struct dns_socket *find_socket(struct swale__resolver *resolver, int fd)
{
    for (struct swale__list *node = resolver->sockets.next; node != &resolver->sockets; node = node->next) {
        struct dns_socket *dns = SWALE__LIST_OWNER(node, struct dns_socket, node);
        if (dns->watch.fd == fd)
            return dns;
    }
    return NULL;
}

static struct dns_socket *add_socket(struct swale__resolver *resolver, int fd)
{
    struct dns_socket *dns = swale__alloc_zeroed(swale__loop_allocator(resolver->loop), sizeof *dns);
    if (!dns)
        return NULL;
    dns->resolver = resolver;
    dns->watch.ready = on_ready;
    dns->watch.context = dns;
    dns->watch.fd = fd;
    swale__list_append(&resolver->sockets, &dns->node);
    return dns;
}

static void remove_socket(struct dns_socket *dns)
{
    struct swale_loop *loop = dns->resolver->loop;
    swale_watch_stop(loop, &dns->watch);
    swale__list_remove(&dns->node);
    swale__free(swale__loop_allocator(loop), dns, sizeof *dns);
}

/* Neither: it is about to be closed. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
    struct swale__resolver *resolver = data;
    struct dns_socket *dns = find_socket(resolver, fd);
    if (!readable && !writable) {
        if (dns)
            remove_socket(dns);
        return;
    }
    if (!dns)
        dns = add_socket(resolver, fd);
    unsigned events = (readable ? SWALE_READABLE : 0u) | (writable ? SWALE_WRITABLE : 0u);
    int error = dns ? swale_watch_start(resolver->loop, &dns->watch, events) : -ENOMEM;
    if (error)
        resolver->error = error;
}

/* ---- The channel ------------------------------------------------------------------------------------- */

static int open_channel(struct swale__resolver *resolver)
{
    struct ares_options options = {
        .timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = on_socket, .sock_state_cb_data = resolver
    };
    ares_channel channel;
    int status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? -ENOMEM : SWALE_ERR_RESOLVE;
    if (resolver->server_count > 0 && ares_set_servers_ports(channel, resolver->servers) != ARES_SUCCESS) {
        ares_destroy(channel);
        return -ENOMEM;
    }
    resolver->channel = channel;
    return 0;
}

/* What was cancelled is let go of now. */
static void close_channel(struct swale__resolver *resolver)
{
    ares_destroy(resolver->channel);
    resolver->channel = NULL;
    assert(swale__list_empty(&resolver->sockets));
    swale_timer_stop(resolver->loop, &resolver->timer);
}

static void leave(struct swale__resolver *resolver)
{
    if (--resolver->live == 0 && resolver->channel)
        close_channel(resolver);
}

int swale__resolver_new(struct swale__resolver **out, struct swale_loop *loop, const char *servers)
{
    size_t count = count_servers(servers);
    size_t size = sizeof(struct swale__resolver) + count * sizeof(struct ares_addr_port_node);
    struct swale__resolver *resolver = swale__alloc_zeroed(swale__loop_allocator(loop), size);
    if (!resolver)
        return -ENOMEM;
    resolver->loop = loop;
    resolver->size = size;
    resolver->server_count = count;
    resolver->timer.fire = on_timeout;
    resolver->timer.context = resolver;
    swale__list_init(&resolver->sockets);
    if (!parse_servers(resolver, servers, count)) {
        swale__resolver_free(resolver);
        return SWALE_ERR_ADDRESS;
    }
    *out = resolver;
    return 0;
}

void swale__resolver_free(struct swale__resolver *resolver)
{
    if (!resolver)
        return;
    assert(resolver->live == 0);
    swale__free(swale__loop_allocator(resolver->loop), resolver, resolver->size);
}

/* ---- Lookups ----------------------------------------------------------------------------------------- */

bool swale__is_host_name(struct swale_span name)
{
    size_t size = name.size;
    if (size > 0 && name.data[size - 1] == '.')
        size--;
    if (size == 0 || size > NAME_MAX_SIZE)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

/* RFC 6761 section 6.3: these are the loopback's, and nobody is asked. c-ares knows only the first, and leaks a copy
 * of it where /etc/hosts has but the other family's address. */
static bool is_localhost(const char *name)
{
    static const char localhost[] = "localhost";
    size_t size = strlen(name), wanted = sizeof localhost - 1;
    if (size > 0 && name[size - 1] == '.')
        size--;
    if (size < wanted || strncasecmp(name + size - wanted, localhost, wanted) != 0)
        return false;
    return size == wanted || name[size - wanted - 1] == '.';
}

static void free_lookup(struct swale__lookup *lookup)
{
    ares_freeaddrinfo(lookup->result);
    swale__free(swale__loop_allocator(lookup->resolver->loop), lookup, sizeof *lookup);
}

static void set_loopback(struct swale__address *address, int family, uint16_t port)
{
    *address = (struct swale__address){ .any.sa_family = (sa_family_t)family };
    if (family == AF_INET6) {
        address->v6.sin6_port = htons(port);
        address->v6.sin6_addr = in6addr_loopback;
        address->size = sizeof address->v6;
    } else {
        address->v4.sin_port = htons(port);
        address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address->size = sizeof address->v4;
    }
}

static size_t copy_addresses(struct swale__address *addresses, const struct swale__lookup *lookup)
{
    if (lookup->localhost) {
        set_loopback(addresses, lookup->family, lookup->port);
        return 1;
    }
    size_t count = 0;
    const struct ares_addrinfo_node *node = lookup->result ? lookup->result->nodes : NULL;
    for (; node && count < SWALE__ADDRESSES_MAX; node = node->ai_next) {
        struct swale__address *address = &addresses[count];
        if (node->ai_addrlen > sizeof address->v6)
            continue;
        *address = (struct swale__address){ .size = node->ai_addrlen };
        memcpy(&address->any, node->ai_addr, node->ai_addrlen);
        if (address->any.sa_family == AF_INET6)
            address->v6.sin6_port = htons(lookup->port);
        else
            address->v4.sin_port = htons(lookup->port);
        count++;
    }
    return count;
}

static struct swale__answer failure_of(const struct swale__lookup *lookup)
{
    int status = lookup->status == ARES_SUCCESS ? ARES_ENODATA : lookup->status;
    int error = status == ARES_ENOMEM ? -ENOMEM : SWALE_ERR_RESOLVE;
    if (lookup->error)
        return (struct swale__answer){ .error = lookup->error, .text = swale_strerror(lookup->error) };
    return (struct swale__answer){ .error = error, .no_data = status == ARES_ENODATA, .text = ares_strerror(status) };
}

/* The lookup goes before its user hears of it, and nothing of ours is touched behind that. */
static void tell(struct swale__work *work)
{
    struct swale__lookup *lookup = SWALE__LIST_OWNER(work, struct swale__lookup, tell);
    struct swale__lookup copy = *lookup;
    struct swale__address addresses[SWALE__ADDRESSES_MAX];
    size_t count = copy_addresses(addresses, lookup);
    struct swale__answer answer = { .addresses = addresses, .count = count };
    if (count == 0)
        answer = failure_of(lookup);
    free_lookup(lookup);
    leave(copy.resolver);
    copy.on_answer(copy.context, &answer);
}

static void put_off(struct swale__lookup *lookup)
{
    lookup->state = ANSWERED;
    swale__loop_at_next(lookup->resolver->loop, &lookup->tell);
}

/* c-ares says so from within most of its calls, the one that asks included. */
static void on_result(void *argument, int status, int timeouts, struct ares_addrinfo *result)
{
    (void)timeouts;
    struct swale__lookup *lookup = argument;
    lookup->result = result;
    lookup->status = status;
    lookup->error = lookup->resolver->error;
    if (lookup->state == CANCELLED)
        free_lookup(lookup);
    else
        put_off(lookup);
}

static int ask(struct swale__lookup *lookup, const char *name)
{
    struct swale__resolver *resolver = lookup->resolver;
    int error = resolver->channel ? 0 : open_channel(resolver);
    if (error)
        return error;
    struct ares_addrinfo_hints hints = { .ai_family = lookup->family, .ai_socktype = SOCK_STREAM };
    ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_result, lookup);
    settle(resolver);
    return 0;
}

int swale__lookup(struct swale__lookup **out, struct swale__resolver *resolver, const char *name, int family,
                  uint16_t port, void (*on_answer)(void *context, const struct swale__answer *answer), void *context)
{
    struct swale__lookup *lookup = swale__alloc_zeroed(swale__loop_allocator(resolver->loop), sizeof *lookup);
    if (!lookup)
        return -ENOMEM;
    lookup->resolver = resolver;
    lookup->on_answer = on_answer;
    lookup->context = context;
    lookup->family = family;
    lookup->port = port;
    lookup->tell.run = tell;
    lookup->localhost = is_localhost(name);
    int error = lookup->localhost ? 0 : ask(lookup, name);
    if (error) {
        free_lookup(lookup);
        return error;
    }
    if (lookup->localhost)
        put_off(lookup);
    resolver->live++;
    *out = lookup;
    return 0;
}

void swale__lookup_cancel(struct swale__lookup *lookup)
{
    struct swale__resolver *resolver = lookup->resolver;
    if (lookup->state == ANSWERED) {
        swale__loop_forget(resolver->loop, &lookup->tell);
        free_lookup(lookup);
    } else {
        lookup->state = CANCELLED;
    }
    leave(resolver);
}
