/* tunnel_steps.h - the two handshakes of tunnel.c, as steps without I/O.
 *
 *     begin -> out -> [sent] -> in -> advance -> out -> ... -> SWALE__TUNNEL_OPEN or an error
 *
 * tunnel.c moves the bytes: it sends out[0..out_size), and calls advance whenever bytes have come, but not before all
 * of `out` has left; so a step may fill it anew, from its beginning.
 */
#ifndef SWALE_CLIENT_TUNNEL_STEPS_H
#define SWALE_CLIENT_TUNNEL_STEPS_H

#include "client/tunnel.h"
#include "io/turn.h"

enum { SWALE__TUNNEL_MORE = 0, SWALE__TUNNEL_OPEN = 1 };

struct swale__tunnel_steps {
    /* The most that it ever writes to `out` at once. */
    size_t (*out_room)(const struct swale__tunnel_options *options);
    /* The most bytes of the proxy's that it ever needs together. */
    size_t (*in_limit)(const struct swale__tunnel_options *options);
    /* Writes the first message. 0, or the error that ends it. */
    int (*begin)(struct swale__tunnel *tunnel);
    /* Judges in[0..in_size): SWALE__TUNNEL_MORE when more has to come, whether or not it has written something;
     * SWALE__TUNNEL_OPEN; or the error that ends it, with `text` and `response` filled in. */
    int (*advance)(struct swale__tunnel *tunnel);
};
extern const struct swale__tunnel_steps swale__tunnel_connect, swale__tunnel_socks;

enum { SWALE__TUNNEL_TEXT_MAX = 256 };

struct swale__tunnel {
    struct swale__tunnel_options options;
    const struct swale__tunnel_steps *steps;
    size_t block_size;
    struct swale__work begin;

    char *out;
    size_t out_size, out_sent, out_room;
    size_t in_flight; /* of what is behind out_sent */
    bool full;        /* on_written(0) will come */

    char *in; /* NULL until something comes */
    size_t in_size, in_room;

    /* Of CONNECT. */
    struct swale_head_parser parser;
    struct swale_field *fields;
    struct swale_response response;
    bool answered; /* `response` is one that refuses */
    unsigned interims;

    /* Of SOCKS. */
    unsigned step;

    bool login; /* the proxy's URL has a user and a password */
    char text[SWALE__TUNNEL_TEXT_MAX];
};

/* Notes the text for people and returns the error. Formats as printf. */
__attribute__((format(printf, 3, 4))) int swale__tunnel_fault(struct swale__tunnel *tunnel, int error,
                                                              const char *format, ...);

/* Forgets the first bytes of `in`, which have been dealt with. */
void swale__tunnel_take(struct swale__tunnel *tunnel, size_t size);

/* Tells whoever watches. */
void swale__tunnel_trace(struct swale__tunnel *tunnel, enum swale_trace_kind kind, struct swale_span text);

#endif
