/* blocking.c - a client on a loop and a thread of its own, and two queues between that thread and its callers.
 *
 *     callers                    | mutex |                  the loop's thread
 *     swale_blocking_send    --> |  out  | --bell--> leaving --> swale_client_send
 *     swale_blocking_receive <-- |  in   | <---------------- on_message
 *
 * Whoever puts a message into an empty `out` rings; the loop takes all of it at once, so that many sends cost one
 * wake. A bell and not a posted task, because ringing cannot fail: no wake-up is ever lost for want of memory.
 *
 * Each queue is full from high_water on. `in`: the connection is paused then, and resumed below half. `out`: callers
 * wait; what the loop has taken counts until the connection has taken it. A message counts with its struct, or a
 * flood of empty ones would be free of charge; and one of any size is taken while the queue is not full.
 *
 * Nobody waits for ever: on_end wakes all who wait, and comes for every way in which a connection can end.
 */
#include "client/blocking.h"

#include "base/memory.h"
#include "client/parcel.h"
#include "io/turn.h"
#include "proto/close.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

struct swale_blocking {
    /* Constant while both threads run. */
    const struct swale_allocator *allocator;
    struct swale_limits limits;
    struct swale_loop *loop;
    struct swale_client *client; /* for the loop's thread */
    pthread_t thread;

    /* The loop's thread's own. */
    struct swale__bell bell;
    struct swale_timer deadline;   /* for what is queued to leave, once it is closing */
    struct swale__parcels leaving; /* taken out of `out` */
    uint64_t last;                 /* number of the newest message that the client has taken; 0 for none */
    bool full;                     /* the connection's own queue: on_drain is due */
    bool held;                     /* it is paused */
    bool close_begun;

    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t news;   /* `in` has got something, or a flag below was set */
    pthread_cond_t room;   /* `out` is no longer full, or nothing can be sent any more */
    struct swale__parcels in, out;
    size_t unsent; /* size of `out` and `leaving` */
    bool paused;   /* the loop has paused the connection and nobody has asked for more */
    bool opened;
    bool closing; /* swale_blocking_close was called */
    bool ended;
    int close_argument; /* of swale_blocking_close */
    const char *close_text;
    int reason; /* why it ended */
    int code;
    bool clean; /* both close frames passed, and behind everything that was queued */
    char *subprotocol;
    size_t subprotocol_size;
    char fault[SWALE_CLIENT_MESSAGE_MAX]; /* why it never opened */
};

/* ---- On the loop's thread: sending ------------------------------------------------------------------ */

/* What was taken from a caller is not dropped without a word: the connection ends of it. Where it is ending already,
 * on_close tells that not everything has left. */
static void refused(struct swale_blocking *socket, int error)
{
    struct swale_conn *conn = swale_client_conn(socket->client);
    if (conn && error != SWALE_ERR_QUEUE_FULL && error != SWALE_ERR_CLOSED)
        swale_conn_fail(conn, error == -ENOMEM ? SWALE_ERR_NO_MEMORY : error);
}

/* Hands the client what it takes. */
static void send_leaving(struct swale_blocking *socket)
{
    while (socket->leaving.first && !socket->full) {
        const struct swale_blocking_message *message = &socket->leaving.first->message;
        uint64_t number;
        int result = swale_client_send(socket->client, message->kind, message->data, message->size, &number);
        socket->full = result == SWALE_FULL || result == SWALE_ERR_QUEUE_FULL;
        if (result < 0) {
            refused(socket, result);
            return;
        }
        socket->last = number;
        swale__parcel_free(swale__parcels_take(&socket->leaving));
    }
}

/* (When swale_client_close refuses, the connection is ending by itself.) */
static void obey_close(struct swale_blocking *socket)
{
    uint32_t wait_ms = socket->limits.close_wait_ms;
    if (socket->close_begun)
        return;
    if (!socket->leaving.first) {
        socket->close_begun = true;
        swale_client_close(socket->client, socket->close_argument, socket->close_text);
    } else if (!swale_timer_running(&socket->deadline) && wait_ms != SWALE_OFF) {
        swale_timer_start(socket->loop, &socket->deadline, swale_loop_now(socket->loop) + wait_ms);
    }
}

/* What is queued did not leave in time. */
static void on_deadline(struct swale_timer *timer)
{
    struct swale_blocking *socket = timer->context;
    struct swale_conn *conn = swale_client_conn(socket->client);
    if (conn && !socket->close_begun)
        swale_conn_fail(conn, SWALE_ERR_CLOSE_TIMEOUT);
}

/* Everything that callers may want of the loop. */
static void attend(struct swale_blocking *socket)
{
    pthread_mutex_lock(&socket->mutex);
    swale__parcels_move(&socket->leaving, &socket->out);
    bool closing = socket->closing, resume = socket->held && (!socket->paused || closing);
    bool live = socket->opened && !socket->ended;
    pthread_mutex_unlock(&socket->mutex);
    if (!live)
        return;

    size_t before = socket->leaving.size;
    send_leaving(socket);
    if (socket->leaving.size < before) {
        pthread_mutex_lock(&socket->mutex);
        socket->unsent -= before - socket->leaving.size;
        pthread_mutex_unlock(&socket->mutex);
        pthread_cond_broadcast(&socket->room);
    }
    if (resume && swale_client_conn(socket->client)) {
        socket->held = false;
        swale_conn_resume(swale_client_conn(socket->client));
    }
    if (closing)
        obey_close(socket);
}

static void on_bell(struct swale__bell *bell)
{
    attend(SWALE__LIST_OWNER(bell, struct swale_blocking, bell));
}

/* ---- On the loop's thread: the client's callbacks --------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct swale_blocking *socket = swale_client_user(client);
    struct swale_conn *conn = swale_client_conn(client);
    struct swale_span name = swale_conn_subprotocol(conn);
    (void)opening;
    char *copy = swale__alloc_zeroed(socket->allocator, name.size + 1);
    if (!copy) {
        swale_conn_fail(conn, SWALE_ERR_NO_MEMORY);
        return;
    }
    if (name.size > 0)
        memcpy(copy, name.data, name.size);
    pthread_mutex_lock(&socket->mutex);
    socket->subprotocol = copy;
    socket->subprotocol_size = name.size + 1;
    socket->opened = true;
    pthread_mutex_unlock(&socket->mutex);
    pthread_cond_broadcast(&socket->news);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct swale_blocking *socket = swale_client_user(client);
    struct swale_conn *conn = swale_client_conn(client);
    struct swale__parcel *parcel =
        swale__parcel_new(socket->allocator, message->kind, message->data.data, message->data.size);
    if (!parcel) {
        swale_conn_fail(conn, SWALE_ERR_NO_MEMORY);
        return;
    }
    pthread_mutex_lock(&socket->mutex);
    bool wanted = !socket->closing;
    if (wanted)
        swale__parcels_put(&socket->in, parcel);
    socket->paused = wanted && socket->in.size >= socket->limits.high_water;
    bool hold = socket->paused;
    pthread_mutex_unlock(&socket->mutex);
    pthread_cond_signal(&socket->news);
    if (!wanted)
        swale__parcel_free(parcel);
    if (hold && !socket->held) {
        socket->held = true;
        swale_conn_pause(conn);
    }
}

static void on_drain(struct swale_client *client)
{
    struct swale_blocking *socket = swale_client_user(client);
    socket->full = false;
    attend(socket);
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct swale_blocking *socket = swale_client_user(client);
    enum swale_fate fate = socket->last != 0 ? swale_client_fate(client, socket->last) : SWALE_FATE_WRITTEN;
    pthread_mutex_lock(&socket->mutex);
    socket->code = closing->close.code;
    socket->clean = closing->close.clean && socket->unsent == 0 && fate != SWALE_FATE_REFUSED;
    pthread_mutex_unlock(&socket->mutex);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct swale_blocking *socket = swale_client_user(client);
    pthread_mutex_lock(&socket->mutex);
    snprintf(socket->fault, sizeof socket->fault, "%s", failure->text);
    pthread_mutex_unlock(&socket->mutex);
}

static void end(struct swale_blocking *socket, int reason)
{
    pthread_mutex_lock(&socket->mutex);
    socket->ended = true;
    socket->reason = reason;
    if (socket->code == 0)
        socket->code = 1006; /* RFC 6455 section 7.1.5 */
    pthread_mutex_unlock(&socket->mutex);
    pthread_cond_broadcast(&socket->news);
    pthread_cond_broadcast(&socket->room);
}

static void on_end(struct swale_client *client, int reason)
{
    end(swale_client_user(client), reason);
}

static const struct swale_client_handler handler = {
    .on_open = on_open,
    .on_message = on_message,
    .on_drain = on_drain,
    .on_close = on_close,
    .on_fail = on_fail,
    .on_end = on_end,
};

/* ---- The thread ------------------------------------------------------------------------------------- */

static void *run(void *argument)
{
    struct swale_blocking *socket = argument;
    int error = swale_loop_run(socket->loop);
    if (error < 0)
        end(socket, error); /* the kernel's wait failed: nothing will come any more */
    return NULL;
}

/* Signals are the program's: none may land on this thread. Those that a fault of its own raises stay as they are,
 * since a blocked one kills without being reported. */
static int start(struct swale_blocking *socket)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
    sigset_t set, before;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&set, faults[i]);
    pthread_sigmask(SIG_SETMASK, &set, &before);
    int error = pthread_create(&socket->thread, NULL, run, socket);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static void stop(struct swale_blocking *socket)
{
    swale_loop_stop(socket->loop);
    pthread_join(socket->thread, NULL);
}

/* ---- Making and freeing: the loop has no thread ----------------------------------------------------- */

/* (None of these pthread calls can fail on Linux for attributes as plain as these.) */
static void init_waiting(struct swale_blocking *socket)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&socket->mutex, NULL);
    pthread_cond_init(&socket->news, &attributes);
    pthread_cond_init(&socket->room, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void destroy(struct swale_blocking *socket)
{
    swale_timer_stop(socket->loop, &socket->deadline);
    swale__loop_remove_bell(socket->loop, &socket->bell);
    swale_client_free(socket->client);
    swale_loop_free(socket->loop);
    swale__parcels_clear(&socket->in);
    swale__parcels_clear(&socket->out);
    swale__parcels_clear(&socket->leaving);
    pthread_cond_destroy(&socket->room);
    pthread_cond_destroy(&socket->news);
    pthread_mutex_destroy(&socket->mutex);
    if (socket->subprotocol)
        swale__free(socket->allocator, socket->subprotocol, socket->subprotocol_size);
    swale__free(socket->allocator, socket, sizeof *socket);
}

static int make_client(struct swale_blocking *socket, const char *url, const struct swale_client_options *options,
                       char *message)
{
    struct swale_client_options used = { 0 };
    if (options)
        used = *options;
    used.url = url;
    used.handler = &handler;
    used.user = socket;
    used.reconnect = (struct swale_reconnect){ .off = true };
    used.max_pending = 0;
    socket->limits = swale_limits_resolve(used.limits);
    return swale_client_new(&socket->client, socket->loop, &used, message);
}

static int create(struct swale_blocking **out, const struct swale_allocator *allocator)
{
    struct swale_blocking *socket = swale__alloc_zeroed(allocator, sizeof *socket);
    if (!socket)
        return -ENOMEM;
    int error = swale_loop_new(&socket->loop, &(struct swale_loop_options){ .allocator = allocator });
    if (error) {
        swale__free(allocator, socket, sizeof *socket);
        return error;
    }
    socket->allocator = allocator;
    socket->bell.run = on_bell;
    socket->deadline.fire = on_deadline;
    socket->deadline.context = socket;
    swale__parcels_init(&socket->in);
    swale__parcels_init(&socket->out);
    swale__parcels_init(&socket->leaving);
    init_waiting(socket);
    swale__loop_add_bell(socket->loop, &socket->bell);
    *out = socket;
    return 0;
}

/* ---- Waiting ---------------------------------------------------------------------------------------- */

struct patience {
    bool endless;
    struct timespec until;
};

static struct patience patience(int timeout_ms)
{
    struct patience patience = { .endless = timeout_ms < 0 };
    if (timeout_ms <= 0) /* 0: the epoch of the clock is long past */
        return patience;
    clock_gettime(CLOCK_MONOTONIC, &patience.until);
    patience.until.tv_sec += timeout_ms / 1000;
    patience.until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (patience.until.tv_nsec >= 1000000000) {
        patience.until.tv_sec++;
        patience.until.tv_nsec -= 1000000000;
    }
    return patience;
}

/* False when the time is over. The mutex is held. What was waited for may have come all the same: look first. */
static bool await(struct swale_blocking *socket, pthread_cond_t *condition, const struct patience *patience)
{
    if (patience->endless)
        return pthread_cond_wait(condition, &socket->mutex) == 0;
    return pthread_cond_timedwait(condition, &socket->mutex, &patience->until) == 0;
}

/* ---- The calls -------------------------------------------------------------------------------------- */

/* 0 once it has been open, or why it never was. */
static int await_open(struct swale_blocking *socket, char *message)
{
    static const struct patience endless = { .endless = true };
    pthread_mutex_lock(&socket->mutex);
    while (!socket->opened && !socket->ended)
        await(socket, &socket->news, &endless);
    int error = socket->opened ? 0 : socket->reason;
    if (error && message)
        snprintf(message, SWALE_CLIENT_MESSAGE_MAX, "%s", socket->fault[0] ? socket->fault : swale_strerror(error));
    pthread_mutex_unlock(&socket->mutex);
    return error;
}

static int connect_socket(struct swale_blocking *socket, const char *url, const struct swale_client_options *options,
                          char *message)
{
    int error = make_client(socket, url, options, message);
    if (error)
        return error;
    error = start(socket);
    if (error)
        return error;
    error = await_open(socket, message);
    if (error)
        stop(socket);
    return error;
}

int swale__blocking_connect(struct swale_blocking **socket, const struct swale_allocator *allocator, const char *url,
                            const struct swale_client_options *options, char *message)
{
    struct swale_blocking *made;
    if (message)
        message[0] = '\0';
    int error = create(&made, allocator);
    if (!error) {
        error = connect_socket(made, url, options, message);
        if (error)
            destroy(made);
    }
    if (error && message && !message[0])
        snprintf(message, SWALE_CLIENT_MESSAGE_MAX, "%s", swale_strerror(error));
    if (!error)
        *socket = made;
    return error;
}

int swale_blocking_connect(struct swale_blocking **socket, const char *url,
                           const struct swale_client_options *options, char *message)
{
    return swale__blocking_connect(socket, NULL, url, options, message);
}

int swale_blocking_send(struct swale_blocking *socket, enum swale_kind kind, const void *data, size_t size,
                        int timeout_ms)
{
    if ((kind != SWALE_TEXT && kind != SWALE_BINARY) || (!data && size > 0))
        return SWALE_ERR_INVALID;
    struct swale__parcel *parcel = swale__parcel_new(socket->allocator, kind, data, size);
    if (!parcel)
        return -ENOMEM;
    struct patience limit = patience(timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&socket->mutex);
    while (!socket->ended && socket->unsent >= socket->limits.high_water && in_time)
        in_time = await(socket, &socket->room, &limit);
    int error = 0;
    if (socket->ended)
        error = SWALE_ERR_CLOSED;
    else if (socket->unsent >= socket->limits.high_water)
        error = SWALE_ERR_TIMEOUT;
    bool ring = !error && !socket->out.first;
    if (!error) {
        socket->unsent += swale__parcel_size(parcel);
        swale__parcels_put(&socket->out, parcel);
    }
    pthread_mutex_unlock(&socket->mutex);
    if (ring)
        swale__loop_ring(socket->loop, &socket->bell);
    if (error)
        swale__parcel_free(parcel);
    return error;
}

int swale_blocking_receive(struct swale_blocking *socket, struct swale_blocking_message **message, int timeout_ms)
{
    struct patience limit = patience(timeout_ms);
    bool in_time = true, ring = false;
    pthread_mutex_lock(&socket->mutex);
    while (!socket->in.first && !socket->ended && in_time)
        in_time = await(socket, &socket->news, &limit);
    struct swale__parcel *parcel = socket->in.first ? swale__parcels_take(&socket->in) : NULL;
    int error = parcel ? 0 : socket->ended ? socket->reason : SWALE_ERR_TIMEOUT;
    if (socket->paused && socket->in.size <= socket->limits.high_water / 2) {
        socket->paused = false;
        ring = true;
    }
    pthread_mutex_unlock(&socket->mutex);
    if (ring)
        swale__loop_ring(socket->loop, &socket->bell);
    if (parcel)
        *message = &parcel->message;
    return error;
}

int swale_blocking_close_code(struct swale_blocking *socket)
{
    pthread_mutex_lock(&socket->mutex);
    int code = socket->ended ? socket->code : 0;
    pthread_mutex_unlock(&socket->mutex);
    return code;
}

const char *swale_blocking_subprotocol(struct swale_blocking *socket)
{
    return socket->subprotocol; /* which has not changed since it opened */
}

/* Why it ended; 0 when it did so in order. */
static int await_end(struct swale_blocking *socket)
{
    static const struct patience endless = { .endless = true };
    pthread_mutex_lock(&socket->mutex);
    while (!socket->ended)
        await(socket, &socket->news, &endless);
    int error = socket->clean ? 0 : socket->reason;
    pthread_mutex_unlock(&socket->mutex);
    return error;
}

int swale_blocking_close(struct swale_blocking *socket, int code, const char *text)
{
    char frame[2 + SWALE_REASON_MAX];
    if (!socket)
        return 0;
    if (swale__close_write(code, swale_text(text), frame) < 0)
        return SWALE_ERR_INVALID;
    pthread_mutex_lock(&socket->mutex);
    socket->closing = true;
    socket->close_argument = code;
    socket->close_text = text;
    swale__parcels_clear(&socket->in);
    pthread_mutex_unlock(&socket->mutex);
    swale__loop_ring(socket->loop, &socket->bell);
    int error = await_end(socket);
    stop(socket);
    destroy(socket);
    return error;
}
