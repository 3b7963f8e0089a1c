/* stream.h - the contract between a connection and whatever carries its bytes.
 *
 * A stream is bytes in, bytes out, half-close, abort and water marks; TCP, unix sockets, TLS on top of
 * either, and a pair in memory implement it. The contract is completion-shaped: a backend may finish a
 * write at once (epoll) or later (io_uring), and the user of a stream cannot tell the difference.
 *
 *      user (conn, http session) --- write ---> stream ---> kernel
 *      user <--- data, written, end, fail --- stream <--- kernel
 *
 * Lifetime: a stream is made by a listener, a dial or a pair; its user is set with swale__stream_use. It
 * lives until swale__stream_close, after which no callback comes; its memory is freed at the end of the turn
 * (or later, when the kernel is done with it).
 */
#ifndef SWALE_IO_STREAM_H
#define SWALE_IO_STREAM_H

#include <swale/base.h>
#include <swale/loop.h>
#include <swale/tls.h>

#include <sys/uio.h>

/* The most parts of one gather write. */
enum { SWALE__IOV_MAX = 64 };

struct swale__stream;

struct swale__stream_user {
    /* Bytes came. They may be changed in place and are valid during the call only. */
    void (*on_data)(void *context, char *data, size_t size);
    /* `size` bytes of a write that was in flight have left (a write is over when all of its bytes are counted
     * off, in one call or in several), or (with 0) a stream that was full has room again. Write what is left. */
    void (*on_written)(void *context, size_t size);
    /* The peer ended its direction; ours still works. Comes once, behind the last data. */
    void (*on_end)(void *context);
    /* The stream is dead: -errno, SWALE_ERR_TLS, _TLS_UNTRUSTED, _TLS_PIN or _TLS_TRUNCATED. Comes at most once,
     * last; the user must still close the stream. */
    void (*on_fail)(void *context, int error);
};

struct swale__stream_ops {
    void (*resume)(struct swale__stream *stream);
    void (*pause)(struct swale__stream *stream);
    ptrdiff_t (*write)(struct swale__stream *stream, const struct iovec *parts, int count);
    void (*shutdown)(struct swale__stream *stream);
    void (*close)(struct swale__stream *stream, bool abort);
    void (*describe)(struct swale__stream *stream, struct swale_peer *peer, char *text);
    bool (*address)(const struct swale__stream *stream, unsigned char ip[16]); /* NULL: it has none */
    char *(*place)(struct swale__stream *stream, size_t size);                 /* NULL: it has none */
    bool prompt; /* no write of it ever stays in flight */
};

/* The common head of every stream; implementations embed it first. */
struct swale__stream {
    const struct swale__stream_ops *ops;
    const struct swale__stream_user *user;
    void *context; /* of the user */
    struct swale_loop *loop;
};

/* Sets who receives the callbacks. Reading is paused until swale__stream_resume. May be called again, also
 * from a callback of the former user (an HTTP session that becomes a connection). */
static inline void swale__stream_use(struct swale__stream *stream, const struct swale__stream_user *user,
                                     void *context)
{
    stream->user = user;
    stream->context = context;
}

/* Reading on and off. Pausing takes effect at once, except for a run of data that is being handed out. */
static inline void swale__stream_resume(struct swale__stream *stream)
{
    stream->ops->resume(stream);
}

static inline void swale__stream_pause(struct swale__stream *stream)
{
    stream->ops->pause(stream);
}

/* Writes up to all of `parts`, of which there are at most SWALE__IOV_MAX. Returns
 *     n >= 0            n bytes have left, or will at the end of the turn, and their memory is free again; if that is
 *                       less than everything, on_written(0) follows when it is time to go on
 *     SWALE__IN_FLIGHT  all of `parts` must stay untouched until on_written has counted them off
 *     negative          the stream is dead (as with on_fail); on_fail does not follow
 * A single part of what on_data is just handing out may leave from where it lies: that must not be changed any more.
 * Never calls back from within. At most one write may be in flight, and none may be begun while the stream is known
 * to be full. */
enum { SWALE__IN_FLIGHT = -3001 };
static inline ptrdiff_t swale__stream_write(struct swale__stream *stream, const struct iovec *parts, int count)
{
    return stream->ops->write(stream, parts, count);
}

/* Never SWALE__IN_FLIGHT: what has not left when a write returns will not be looked at again, so that memory may be
 * written from which is only lent. */
static inline bool swale__stream_is_prompt(const struct swale__stream *stream)
{
    return stream->ops->prompt;
}

/* Where `size` bytes that are written next, as a single part, may be put together so that the write need not copy
 * them. NULL when there is no such place. */
static inline char *swale__stream_place(struct swale__stream *stream, size_t size)
{
    return stream->ops->place ? stream->ops->place(stream, size) : NULL;
}

/* Ends our direction behind what was written (FIN, or TLS close_notify and FIN). */
static inline void swale__stream_shutdown(struct swale__stream *stream)
{
    stream->ops->shutdown(stream);
}

/* No callback comes any more, not even for a write in flight: its memory is the caller's again, and what had not
 * left is dropped. `abort` resets (RST) instead of ending in order. Also right for a stream that has failed.
 *
 * Closing while bytes of the peer are still unread makes TCP send a reset, which may destroy our last bytes
 * before the peer has read them (RFC 9112 section 9.6). Whoever sends last words to a peer that may still be
 * talking therefore shuts down, goes on reading and discarding until on_end or a deadline, and then closes. */
static inline void swale__stream_close(struct swale__stream *stream, bool abort)
{
    stream->ops->close(stream, abort);
}

/* Who is at the other end. The spans last as long as the stream, which costs memory for it. */
static inline void swale__stream_describe(struct swale__stream *stream, struct swale_peer *peer)
{
    stream->ops->describe(stream, peer, NULL);
}

/* The same for a moment: the address lasts no longer than `text`, where it may be put. */
enum { SWALE__PEER_TEXT = 46 };
static inline void swale__stream_glance(struct swale__stream *stream, struct swale_peer *peer,
                                        char text[SWALE__PEER_TEXT])
{
    stream->ops->describe(stream, peer, text);
}

/* Its IP address alone (IPv4 as mapped into IPv6, RFC 4291 section 2.5.5.2), without the cost of text; false where
 * there is none. */
static inline bool swale__stream_address(const struct swale__stream *stream, unsigned char ip[16])
{
    return stream->ops->address && stream->ops->address(stream, ip);
}

/* Is it TLS that failed, for a reason which is in the description's tls_error? */
static inline bool swale__is_tls_failure(int error)
{
    return error == SWALE_ERR_TLS || error == SWALE_ERR_TLS_UNTRUSTED || error == SWALE_ERR_TLS_PIN;
}

/* ---- Where streams come from ------------------------------------------------------------------------ */

/* A listening socket. `on_stream` gets each accepted stream, whose user must be set before it returns.
 * `on_error` hears about failing accepts (-EMFILE ...); after one for want of descriptors or memory, accepting pauses
 * for 100 ms instead of spinning. */
struct swale__listener;
struct swale__listener_options {
    const char *address;   /* "HOST:PORT", "[::1]:PORT", ":PORT", "unix:PATH" */
    int backlog;           /* 0 means 4096, which the kernel cuts to net.core.somaxconn */
    bool share;            /* SO_REUSEPORT: other loops listen on the same address */
    struct swale_tls *tls; /* NULL for none; a reference is kept */
    /* An accepted descriptor may be given away (to the least busy loop) before a stream is made of it: return
     * true when it was. NULL keeps all. */
    bool (*give_away)(void *context, int fd);
    void (*on_stream)(void *context, struct swale__stream *stream);
    void (*on_error)(void *context, int error);
    void *context;
};

/* -errno (-EADDRINUSE ...), SWALE_ERR_ADDRESS. A stale unix socket file, with nobody listening on it, is
 * replaced; it is removed when the listener is closed. */
int swale__listen(struct swale__listener **listener, struct swale_loop *loop,
                  const struct swale__listener_options *options);

/* Could it be listened on by somebody who shares it with nobody? 0, or the error of swale__listen. */
int swale__listen_probe(const char *text);

/* A second listener on the same socket, for another loop (unix sockets, which have no SO_REUSEPORT). */
int swale__listen_copy(struct swale__listener **listener, struct swale_loop *loop,
                       const struct swale__listener *original, const struct swale__listener_options *options);

/* The address that it listens on, with the port that the kernel chose for port 0: "127.0.0.1:40213". Lasts
 * as long as the listener. */
const char *swale__listener_address(const struct swale__listener *listener);

/* Stops accepting at once; memory goes at the end of the turn. */
void swale__listener_close(struct swale__listener *listener);

/* Makes a stream of a connected descriptor, which it owns from then on (also on failure, when it is
 * closed). With `tls` it is a TLS stream. `server_name` (clients only) is sent as SNI and checked. */
struct swale__open_options {
    int fd;
    struct swale_tls *tls;
    enum swale__side { SWALE__ACCEPTED, SWALE__DIALLED } side;
    const char *server_name;
};
int swale__stream_open(struct swale__stream **out, struct swale_loop *loop,
                       const struct swale__open_options *options);

/* Begins to connect to a numeric address ("127.0.0.1:80", "[::1]:80", "unix:PATH"); the result arrives as
 * on_written(0) when connected, or on_fail. */
int swale__dial(struct swale__stream **out, struct swale_loop *loop, const char *address, struct swale_tls *tls,
                const char *server_name);

/* Two streams joined in memory on one loop, for tests and simulation. What one end writes, the other is handed
 * in the next turn, one run of data per turn. `options` may be NULL. */
struct swale__pair_options {
    size_t capacity; /* bytes under way in each direction (short writes beyond it); 0 means 64 KiB */
    size_t chunk;    /* the most that one on_data hands out; 0 means all that is there */
    bool in_flight;  /* writes return SWALE__IN_FLIGHT and complete in turns to come, as with io_uring */
};
int swale__pair(struct swale__stream *ends[2], struct swale_loop *loop, const struct swale__pair_options *options);

/* TLS on top of any stream (the one that swale__stream_open uses for sockets), TLS included, but not of TLS within
 * TLS. Takes the lower stream over, also on failure. */
int swale__tls_wrap(struct swale__stream **stream, struct swale__stream *lower, struct swale_tls *context,
                    enum swale__side side, const char *server_name);

#endif
