/* Streams made of a descriptor or of an address, with TLS on top where it is wanted. */
#include "io/socket.h"

static int add_tls(struct swale__stream **stream, struct swale_tls *tls, enum swale__side side,
                   const char *server_name)
{
    return tls ? swale__tls_wrap(stream, *stream, tls, side, server_name) : 0;
}

int swale__stream_open(struct swale__stream **out, struct swale_loop *loop, const struct swale__open_options *options)
{
    struct swale__stream *stream;
    int error = swale__socket_open(&stream, loop, options->fd);
    if (!error)
        error = add_tls(&stream, options->tls, options->side, options->server_name);
    if (!error)
        *out = stream;
    return error;
}

int swale__dial(struct swale__stream **out, struct swale_loop *loop, const char *address, struct swale_tls *tls,
                const char *server_name)
{
    struct swale__address parsed;
    struct swale__stream *stream;
    int error = swale__address_parse(&parsed, address, false);
    if (!error)
        error = swale__socket_connect(&stream, loop, &parsed, NULL);
    if (!error)
        error = add_tls(&stream, tls, SWALE__DIALLED, server_name);
    if (!error)
        *out = stream;
    return error;
}
