/* swale/blocking.h - a client connection without callbacks, for scripts, tests and threads that may wait.
 *
 *     struct swale_blocking *socket;
 *     if (swale_blocking_connect(&socket, "wss://example.com/", NULL, NULL) == 0) {
 *         swale_blocking_send(socket, SWALE_TEXT, "hello", 5, -1);
 *         struct swale_blocking_message *message;
 *         if (swale_blocking_receive(socket, &message, 1000) == 0) {
 *             fwrite(message->data, 1, message->size, stdout);
 *             swale_blocking_message_free(message);
 *         }
 *         swale_blocking_close(socket, 1000, NULL);
 *     }
 *
 * Each socket has a thread and a loop of its own, so that pings are answered while nobody waits. The program's signal
 * handlers never run on that thread. Every function but close may be called by any number of threads at a time. It
 * does not reconnect.
 */
#ifndef SWALE_BLOCKING_H
#define SWALE_BLOCKING_H

#include <swale/base.h>
#include <swale/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swale_blocking;

/* A message, owned by whoever received it. The bytes are followed by a NUL that does not count. */
struct swale_blocking_message {
    enum swale_kind kind;
    size_t size;
    const char *data;
};

/* Connects, and returns when the connection is open or has failed; the deadline is limits.handshake_ms. `options` may
 * be NULL; its url, handler, user, reconnect and max_pending are not used. Errors as those of swale_client_new and of
 * struct swale_client_failure; -EAGAIN when no thread can be had. `message` (SWALE_CLIENT_MESSAGE_MAX bytes, may be
 * NULL) receives what went wrong, in one line. */
SWALE_API int swale_blocking_connect(struct swale_blocking **socket, const char *url,
                                     const struct swale_client_options *options, char *message);

/* Queues a copy of a message, and waits up to timeout_ms (-1: as long as it takes; 0: not at all) while there is no
 * room for it, which is limits.high_water ahead of what the connection itself queues; a message of any size is taken
 * when there is some. 0; SWALE_ERR_TIMEOUT, and nothing was queued; SWALE_ERR_CLOSED once the connection has ended;
 * SWALE_ERR_INVALID for a kind that there is not; -ENOMEM. Messages of one thread leave in the order of its calls.
 *
 * A peer that waits for its answers to be read may stop reading: who sends much should receive meanwhile, on another
 * thread or between sends with a timeout. */
SWALE_API int swale_blocking_send(struct swale_blocking *socket, enum swale_kind kind, const void *data, size_t size,
                                  int timeout_ms);

/* Waits up to timeout_ms (as above) for the next message. 0; SWALE_ERR_TIMEOUT; and when the connection has ended and
 * all its messages have been received, why it ended (SWALE_ERR_PEER_CLOSED ...). Messages that nobody receives are
 * held up to limits.high_water; beyond it the peer is made to wait. Each message goes to one of the threads that
 * wait. */
SWALE_API int swale_blocking_receive(struct swale_blocking *socket, struct swale_blocking_message **message,
                                     int timeout_ms);

/* May be called after the socket's end, too. NULL is allowed. */
SWALE_API void swale_blocking_message_free(struct swale_blocking_message *message);

/* How the connection ended: 1000 and the like, 1006 without a close frame; 0 while it has not. */
SWALE_API int swale_blocking_close_code(struct swale_blocking *socket);

/* The subprotocol that was chosen, "" for none. It lasts as long as the socket. */
SWALE_API const char *swale_blocking_subprotocol(struct swale_blocking *socket);

/* Sends what is queued, closes with this code and text (as swale_conn_close; 0 and NULL for none), and frees the
 * socket, whose other calls must all have returned. Messages that nobody has received are dropped. What is queued may
 * take limits.close_wait_ms to leave, and the peer as long again to answer.
 *
 * 0 when the connection was closed cleanly, now or before, and everything that was sent had left; otherwise why it
 * ended (SWALE_ERR_LOCAL_CLOSED: the peer went without an answer). SWALE_ERR_INVALID for a code or text that may not
 * be sent, and then nothing has changed: the socket is still there. NULL is allowed. */
SWALE_API int swale_blocking_close(struct swale_blocking *socket, int code, const char *text);

#ifdef __cplusplus
}
#endif

#endif
