/* session.h - one run of `swale connect`: a client, what is sent to it, what comes from it, and how it ends.
 *
 *     standard input --> input --> client --> output --> standard output        piped
 *         lines typed <--> terminal <--> client                                 at a prompt
 *
 * Backpressure goes both ways: input stands still while the client is full or not connected, and the connection is
 * paused while standard output takes nothing.
 *
 * The session ends once, with an exit status and, unless that is 0, one line that says why.
 */
#ifndef SWALE_APP_CONNECT_SESSION_H
#define SWALE_APP_CONNECT_SESSION_H

#include "app/connect/connect_options.h"
#include "app/connect/input.h"
#include "app/connect/output.h"
#include "app/connect/say.h"
#include "app/connect/show.h"

struct session {
    const struct connect_options *options;
    struct swale_loop *loop;
    struct swale_tls *tls;
    struct terminal *terminal; /* NULL when piped */
    struct say say;
    struct show show;

    /* Private. */
    struct swale_client_handler handler;
    struct swale_client *client;
    struct input input;
    struct output output;
    struct swale_timer timeout, stay;
    uint64_t began_ms, ping_ms, received;
    int status;
    char *fault; /* why the status is not 0 */
    bool opened, decided, closing, ended;
    bool input_over;
    bool hurried; /* by --timeout: what standard output does not take is not waited for */
};

/* Makes the client, whose first try begins with the next turn of the loop. 0, or the exit status after a fault. */
int session_begin(struct session *session);

/* Turns the loop once. */
void session_step(struct session *session);

/* Closes: how that goes decides how the session ends. Errors as swale_client_close. */
int session_close(struct session *session, int code, const char *text);

/* Decides how it ends, if no failure did before: with this status and this line about what went wrong. Then closes,
 * and drops what is left when that takes long. */
void session_end(struct session *session, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Drops what is left, at once. */
void session_quit(struct session *session);

/* Sends a text message, or a binary one with --binary. 0, SWALE_FULL or an error, of which nothing was said. */
int session_send(struct session *session, struct swale_span message);

/* Everything that came has been written. */
bool session_done(const struct session *session);

/* Frees what it made. */
void session_free(struct session *session);

#endif
