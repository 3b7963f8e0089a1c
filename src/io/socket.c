/* A stream over a connected socket: the stream's verbs become those of a channel, and back.
 *
 * There is one per connection, idle ones included, so it is kept small: no buffer, no text. An IPv4 address takes 4
 * bytes, until somebody asks for its text; only those with an IPv6 address have room for it. */
#include "io/socket.h"

#include "base/memory.h"
#include "io/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum peer { PEER_UNIX, PEER_IP, PEER_TEXT };
enum { FOUR, SIX }; /* which of the loop's pools */

struct socket_stream {
    struct swale__stream stream;
    struct swale__channel channel;
    union {
        struct in_addr v4; /* PEER_IP, unless in v6 */
        char *text;        /* PEER_TEXT */
    };
    uint16_t port;
    uint16_t place; /* in the loop's pool */
    uint8_t peer;
    bool six : 1; /* a struct socket6_stream */
    bool dialling : 1;
    bool reset : 1; /* by the peer: the kernel has forgotten the connection */
};

struct socket6_stream {
    struct socket_stream base;
    struct in6_addr v6;
};

_Static_assert(SWALE__PEER_TEXT == INET6_ADDRSTRLEN, "any address fits");
_Static_assert(sizeof(struct socket_stream) <= 88, "an idle connection is to be cheap");

static struct socket_stream *of_stream(struct swale__stream *stream)
{
    return (struct socket_stream *)stream;
}

static struct socket_stream *of_channel(struct swale__channel *channel)
{
    return (struct socket_stream *)((char *)channel - offsetof(struct socket_stream, channel));
}

/* IPv4 as mapped into IPv6 (RFC 4291 section 2.5.5.2). */
static struct in6_addr ip_of(const struct socket_stream *self)
{
    if (self->six)
        return ((const struct socket6_stream *)self)->v6;
    struct in6_addr ip = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
    memcpy(ip.s6_addr + 12, &self->v4, sizeof self->v4);
    return ip;
}

static void set_peer(struct socket_stream *self, const struct in6_addr *ip)
{
    self->peer = PEER_IP;
    if (self->six)
        ((struct socket6_stream *)self)->v6 = *ip;
    else
        memcpy(&self->v4, ip->s6_addr + 12, sizeof self->v4);
}

/* ---- What the backend reports ------------------------------------------------------------------------ */

static void fail(struct socket_stream *self, ptrdiff_t error)
{
    self->reset = error == -ECONNRESET;
    self->stream.user->on_fail(self->stream.context, (int)error);
}

static void received(struct swale__channel *channel, char *data, ptrdiff_t size)
{
    struct swale__stream *stream = &of_channel(channel)->stream;
    if (size > 0)
        stream->user->on_data(stream->context, data, (size_t)size);
    else if (size == 0)
        stream->user->on_end(stream->context);
    else
        fail(of_channel(channel), size);
}

static bool is_own_peer(int fd)
{
    struct swale__address own = { .size = sizeof own.v6 }, peer = { .size = sizeof peer.v6 };
    struct in6_addr own_ip, peer_ip;
    uint16_t own_port, peer_port;
    return getsockname(fd, &own.any, &own.size) == 0 && getpeername(fd, &peer.any, &peer.size) == 0 &&
           swale__address_ip(&own, &own_ip, &own_port) && swale__address_ip(&peer, &peer_ip, &peer_port) &&
           own_port == peer_port && memcmp(&own_ip, &peer_ip, sizeof own_ip) == 0;
}

static void sent(struct swale__channel *channel, ptrdiff_t size)
{
    struct socket_stream *self = of_channel(channel);
    struct swale__stream *stream = &self->stream;
    /* The port that the kernel chose may be the one that we dial, on this machine, where nobody listens: TCP's
     * simultaneous open (RFC 9293 section 3.5) then connects the socket with itself, and keeps the port from the
     * server that we hope will come back. Whoever dials again and again gets there in time. */
    if (self->dialling && size == 0 && is_own_peer(channel->fd))
        size = -ECONNREFUSED;
    self->dialling = false;
    if (size >= 0)
        stream->user->on_written(stream->context, (size_t)size);
    else
        fail(self, size);
}

static void give_back(struct socket_stream *self)
{
    if (self)
        swale__pool_give(&self->stream.loop->sockets[self->six], self, self->place);
}

static void released(struct swale__channel *channel)
{
    struct socket_stream *self = of_channel(channel);
    if (self->peer == PEER_TEXT)
        swale__free(self->stream.loop->allocator, self->text, strlen(self->text) + 1);
    give_back(self);
}

static const struct swale__channel_user channel_user = {
    .received = received,
    .sent = sent,
    .released = released,
};

/* ---- What the user asks for -------------------------------------------------------------------------- */

static void resume_socket(struct swale__stream *stream)
{
    struct swale__backend *backend = stream->loop->backend;
    backend->ops->receive(backend, &of_stream(stream)->channel, true);
}

static void pause_socket(struct swale__stream *stream)
{
    struct swale__backend *backend = stream->loop->backend;
    backend->ops->receive(backend, &of_stream(stream)->channel, false);
}

static ptrdiff_t write_socket(struct swale__stream *stream, const struct iovec *parts, int count)
{
    struct swale__backend *backend = stream->loop->backend;
    return backend->ops->send(backend, &of_stream(stream)->channel, parts, count);
}

static void shutdown_socket(struct swale__stream *stream)
{
    struct swale__backend *backend = stream->loop->backend;
    backend->ops->shutdown(backend, &of_stream(stream)->channel);
}

static void close_socket(struct swale__stream *stream, bool abort)
{
    struct swale__backend *backend = stream->loop->backend;
    struct socket_stream *self = of_stream(stream);
    struct swale__channel *channel = &self->channel;
    if (abort && !self->reset) {
        /* Closing then discards what is unsent and resets; unix sockets know no reset, and just end. */
        struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(channel->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    backend->ops->close(backend, channel);
}

/* Without memory for it the peer has no address, which is better than no connection. */
static void make_text(struct socket_stream *self)
{
    char text[SWALE__PEER_TEXT];
    struct in6_addr ip = ip_of(self);
    swale__address_format_ip(&ip, text);
    size_t size = strlen(text) + 1;
    char *copy = swale__alloc(self->stream.loop->allocator, size);
    if (!copy)
        return;
    memcpy(copy, text, size);
    self->text = copy;
    self->peer = PEER_TEXT;
}

static void describe_socket(struct swale__stream *stream, struct swale_peer *peer, char *text)
{
    struct socket_stream *self = of_stream(stream);
    *peer = (struct swale_peer){ .port = self->port };
    if (self->peer == PEER_IP && text) {
        struct in6_addr ip = ip_of(self);
        swale__address_format_ip(&ip, text);
        peer->address = swale_text(text);
        return;
    }
    if (self->peer == PEER_IP)
        make_text(self);
    if (self->peer == PEER_TEXT)
        peer->address = swale_text(self->text);
    else if (self->peer == PEER_UNIX)
        peer->address = swale_text("unix");
}

static bool address_of_socket(const struct swale__stream *stream, unsigned char ip[16])
{
    const struct socket_stream *self = (const struct socket_stream *)stream;
    if (self->peer != PEER_IP)
        return false;
    struct in6_addr full = ip_of(self);
    memcpy(ip, &full, sizeof full);
    return true;
}

static char *place_of_socket(struct swale__stream *stream, size_t size)
{
    struct swale__backend *backend = stream->loop->backend;
    return backend->ops->place ? backend->ops->place(backend, &((struct socket_stream *)stream)->channel, size)
                               : NULL;
}

static const struct swale__stream_ops socket_ops = {
    .resume = resume_socket,
    .pause = pause_socket,
    .write = write_socket,
    .shutdown = shutdown_socket,
    .close = close_socket,
    .describe = describe_socket,
    .address = address_of_socket,
    .place = place_of_socket,
    .prompt = true,
};

/* ---- Making one -------------------------------------------------------------------------------------- */

void swale__socket_pools_init(struct swale__pool pools[2], const struct swale_allocator *allocator)
{
    swale__pool_init(&pools[FOUR], allocator, sizeof(struct socket_stream));
    swale__pool_init(&pools[SIX], allocator, sizeof(struct socket6_stream));
}

static struct socket_stream *make(struct swale_loop *loop, int fd, const struct swale__address *peer)
{
    struct in6_addr ip;
    uint16_t port = 0, place;
    bool has_ip = swale__address_ip(peer, &ip, &port);
    bool six = has_ip && !IN6_IS_ADDR_V4MAPPED(&ip);
    struct socket_stream *self = swale__pool_take(&loop->sockets[six ? SIX : FOUR], &place);
    if (!self)
        return NULL;
    *self = (struct socket_stream){ .place = place, .port = port, .six = six };
    self->stream.ops = &socket_ops;
    self->stream.loop = loop;
    self->channel.user = &channel_user;
    self->channel.fd = fd;
    if (has_ip)
        set_peer(self, &ip);
    return self;
}

void swale__socket_undelay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int swale__socket_open(struct swale__stream **stream, struct swale_loop *loop, int fd)
{
    struct swale__address peer = { .size = sizeof(struct sockaddr_un) };
    if (getpeername(fd, &peer.any, &peer.size) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    struct socket_stream *self = make(loop, fd, &peer);
    int error = -ENOMEM;
    if (self)
        error = loop->backend->ops->open(loop->backend, &self->channel);
    if (error) {
        close(fd);
        give_back(self);
        return error;
    }
    *stream = &self->stream;
    return 0;
}

static int set_options(int fd, const struct swale__address *address, const struct swale__socket_options *options)
{
    if (address->any.sa_family == AF_UNIX)
        return 0;
    swale__socket_undelay(fd);
    if (!options)
        return 0;
    /* A system that does not know it goes without. */
    unsigned timeout = options->user_timeout_ms;
    if (timeout > 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    if (!options->local)
        return 0;
    /* The port is chosen by connect, which can give the same one to connections with different peers. */
    int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, &options->local->any, options->local->size) == 0 ? 0 : -errno;
}

int swale__socket_connect(struct swale__stream **stream, struct swale_loop *loop,
                          const struct swale__address *address, const struct swale__socket_options *options)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct socket_stream *self = make(loop, fd, address);
    int error = self ? set_options(fd, address, options) : -ENOMEM;
    if (!error) {
        self->dialling = true;
        error = loop->backend->ops->connect(loop->backend, &self->channel, &address->any, address->size);
    }
    if (error) {
        close(fd);
        give_back(self);
        return error;
    }
    *stream = &self->stream;
    return 0;
}
