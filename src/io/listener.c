/* A listening socket.
 *
 * What an accept can fail with falls into two kinds. Some errors are about the one connection, which is gone:
 * the next accept goes on. All others are about us (descriptors or memory have run out): the connection stays in
 * the kernel's queue and would be reported again at once, for ever, so accepting rests for a while.
 *
 * A unix socket is a file. Its maker removes it at the end, but only while it is still the file that it made: a
 * successor may have put its own in that place. */
#include "base/memory.h"
#include "io/address.h"
#include "io/loop.h"
#include "io/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_BACKLOG = 4096, REST_MS = 100 };

struct swale__listener {
    struct swale__channel channel;
    struct swale_loop *loop;
    struct swale__listener_options options; /* but for the address, which is below */
    struct swale_timer rest;
    bool made_file; /* at that path, with these numbers */
    dev_t device;
    ino_t inode;
    char address[SWALE__ADDRESS_TEXT_MAX];
};

/* ---- Accepting --------------------------------------------------------------------------------------- */

static void accept_connections(struct swale__listener *listener, bool on)
{
    struct swale__backend *backend = listener->loop->backend;
    int error = backend->ops->accept(backend, &listener->channel, on);
    if (error) /* the kernel has no memory for it: again later */
        swale_timer_start(listener->loop, &listener->rest, swale_loop_now(listener->loop) + REST_MS);
}

static void end_rest(struct swale_timer *timer)
{
    accept_connections(timer->context, true);
}

static void report(struct swale__listener *listener, int error)
{
    if (listener->options.on_error)
        listener->options.on_error(listener->options.context, error);
}

static void rest(struct swale__listener *listener, int error)
{
    accept_connections(listener, false);
    swale_timer_start(listener->loop, &listener->rest, swale_loop_now(listener->loop) + REST_MS);
    report(listener, error);
}

/* Errors of one connection, which Linux passes on from the network (accept(2)). */
static bool is_about_the_peer(int error)
{
    switch (-error) {
    case ECONNABORTED:
    case ENOTCONN:
    case EPROTO:
    case EPERM: /* a firewall rule */
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static void accepted(struct swale__channel *channel, int fd)
{
    struct swale__listener *listener = (struct swale__listener *)channel; /* its first member */
    const struct swale__listener_options *options = &listener->options;
    if (fd >= 0 && options->give_away && options->give_away(options->context, fd))
        return;
    struct swale__stream *stream;
    struct swale__open_options open = { .fd = fd, .tls = options->tls, .side = SWALE__ACCEPTED };
    int error = fd < 0 ? fd : swale__stream_open(&stream, listener->loop, &open);
    if (!error)
        options->on_stream(options->context, stream);
    else if (!is_about_the_peer(error))
        rest(listener, error);
}

static void released(struct swale__channel *channel)
{
    struct swale__listener *listener = (struct swale__listener *)channel;
    swale_tls_unref(listener->options.tls);
    swale__free(listener->loop->allocator, listener, sizeof *listener);
}

static const struct swale__channel_user channel_user = {
    .accepted = accepted,
    .released = released,
};

/* ---- The socket -------------------------------------------------------------------------------------- */

/* A socket file on which nobody listens: its server died without removing it. */
static bool is_stale(const struct swale__address *address)
{
    struct stat file;
    if (lstat(address->path.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, &address->any, address->size) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_path(int fd, const struct swale__address *address)
{
    if (bind(fd, &address->any, address->size) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    if (!is_stale(address) || unlink(address->path.sun_path) != 0)
        return -EADDRINUSE;
    return bind(fd, &address->any, address->size) == 0 ? 0 : -errno;
}

static int bind_ip(int fd, const struct swale__address *address, bool share)
{
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return -errno;
    if (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return -errno;
    swale__socket_undelay(fd);
    int only_v6 = !address->everywhere;
    if (address->any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6) != 0)
        return -errno;
    return bind(fd, &address->any, address->size) == 0 ? 0 : -errno;
}

/* A listening descriptor, or -errno. */
static int listen_on(const struct swale__address *address, const struct swale__listener_options *options)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int error = address->any.sa_family == AF_UNIX ? bind_path(fd, address) : bind_ip(fd, address, options->share);
    if (!error && listen(fd, options->backlog > 0 ? options->backlog : DEFAULT_BACKLOG) != 0)
        error = -errno;
    if (error)
        close(fd);
    return error ? error : fd;
}

/* ":80" on a machine without IPv6 is every address that there is: IPv4's. */
static int listen_anywhere(struct swale__address *address, const struct swale__listener_options *options)
{
    int fd = listen_on(address, options);
    if (!address->everywhere || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
        return fd;
    in_port_t port = address->v6.sin6_port;
    address->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
    address->size = sizeof address->v4;
    return listen_on(address, options);
}

/* ---- Making and closing ------------------------------------------------------------------------------ */

/* Of a descriptor that listens, which it owns from then on, also on failure. */
static int make(struct swale__listener **out, struct swale_loop *loop, int fd,
                const struct swale__listener_options *options)
{
    struct swale__listener *listener = swale__alloc_zeroed(loop->allocator, sizeof *listener);
    if (!listener) {
        close(fd);
        return -ENOMEM;
    }
    listener->channel.user = &channel_user;
    listener->channel.fd = fd;
    listener->loop = loop;
    listener->options = *options;
    listener->options.address = NULL; /* the caller's memory */
    listener->rest.fire = end_rest;
    listener->rest.context = listener;
    int error = loop->backend->ops->accept(loop->backend, &listener->channel, true);
    if (error) {
        close(fd);
        swale__free(loop->allocator, listener, sizeof *listener);
        return error;
    }
    if (options->tls)
        swale_tls_ref(options->tls);
    *out = listener;
    return 0;
}

/* Which port has the kernel chosen, or which file has it made? */
static void note_address(struct swale__listener *listener, struct swale__address *address)
{
    struct stat file;
    if (address->any.sa_family != AF_UNIX) {
        getsockname(listener->channel.fd, &address->any, &address->size);
    } else if (lstat(address->path.sun_path, &file) == 0) {
        listener->made_file = true;
        listener->device = file.st_dev;
        listener->inode = file.st_ino;
    }
    swale__address_format(address, listener->address);
}

int swale__listen(struct swale__listener **listener, struct swale_loop *loop,
                  const struct swale__listener_options *options)
{
    struct swale__address address;
    int error = swale__address_parse(&address, options->address, true);
    if (error)
        return error;
    int fd = listen_anywhere(&address, options);
    if (fd < 0)
        return fd;
    error = make(listener, loop, fd, options);
    if (!error)
        note_address(*listener, &address);
    else if (address.any.sa_family == AF_UNIX)
        unlink(address.path.sun_path);
    return error;
}

int swale__listen_probe(const char *text)
{
    struct swale__address address;
    int error = swale__address_parse(&address, text, true);
    if (error)
        return error;
    static const struct swale__listener_options options;
    int fd = listen_anywhere(&address, &options);
    if (fd < 0)
        return fd;
    close(fd);
    if (address.any.sa_family == AF_UNIX)
        unlink(address.path.sun_path);
    return 0;
}

int swale__listen_copy(struct swale__listener **listener, struct swale_loop *loop,
                       const struct swale__listener *original, const struct swale__listener_options *options)
{
    int fd = fcntl(original->channel.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = make(listener, loop, fd, options);
    if (!error)
        memcpy((*listener)->address, original->address, sizeof original->address);
    return error;
}

const char *swale__listener_address(const struct swale__listener *listener)
{
    return listener->address;
}

static void remove_file(const struct swale__listener *listener)
{
    const char *path = listener->address + strlen("unix:");
    struct stat file;
    if (lstat(path, &file) == 0 && file.st_dev == listener->device && file.st_ino == listener->inode)
        unlink(path);
}

void swale__listener_close(struct swale__listener *listener)
{
    struct swale__backend *backend = listener->loop->backend;
    swale_timer_stop(listener->loop, &listener->rest);
    if (listener->made_file)
        remove_file(listener);
    backend->ops->close(backend, &listener->channel);
}
