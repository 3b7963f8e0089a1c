/* body.c - the body of an HTTP message, out of its framing (RFC 9112 sections 6 and 7).
 *
 *     SIZE -> [EXTENSION] -> SIZE_LF -> RUN -> RUN_CR -> RUN_LF -> SIZE ...
 *                               |
 *                            last chunk -> TRAILERS <-> TRAILER, TRAILER_LF -> END_LF -> DONE
 *
 * One function per state; each takes at least one byte or fails.
 */
#include "proto/body.h"

#include "proto/token.h"

enum state {
    SIZE,      /* hexadecimal digits */
    EXTENSION, /* behind them, up to the end of the line */
    SIZE_LF,
    RUN, /* `left` bytes of payload */
    RUN_CR,
    RUN_LF,
    TRAILERS, /* at the beginning of a line */
    TRAILER,  /* inside one */
    TRAILER_LF,
    END_LF,
    ALL, /* payload up to the end of the connection */
    DONE
};

enum { DIGITS_MAX = 16 };

void swale__body_init(struct swale__body *body, struct swale_body_framing framing, bool until_end)
{
    *body = (struct swale__body){ .framing = framing, .state = DONE };
    if (framing.chunked) {
        body->state = SIZE;
    } else if (framing.has_length) {
        body->left = framing.length;
        body->state = framing.length > 0 ? RUN : DONE;
    } else if (until_end) {
        body->state = ALL;
    }
}

static int go(struct swale__body *body, enum state state)
{
    body->state = (uint8_t)state;
    return 0;
}

static int expect(struct swale__body *body, char c, char wanted, enum state next)
{
    return c == wanted ? go(body, next) : SWALE_ERR_ANSWER_BODY;
}

/* A size needs a digit; white space before an extension is borne (RFC 9112 section 7.1.1). */
static int read_size(struct swale__body *body, char c)
{
    int digit = swale__hex(c);
    if (digit >= 0) {
        if (body->digits == DIGITS_MAX)
            return SWALE_ERR_ANSWER_BODY;
        body->digits++;
        body->left = body->left * 16 + (unsigned)digit;
        return 0;
    }
    if (body->digits == 0)
        return SWALE_ERR_ANSWER_BODY;
    body->digits = 0;
    if (c == ';' || c == ' ' || c == '\t')
        return go(body, EXTENSION);
    return expect(body, c, '\r', SIZE_LF);
}

/* What stands in an extension or a trailer is nobody's business here, but there is an end to it. */
static int read_extra(struct swale__body *body, char c, enum state next)
{
    if (c == '\r')
        return go(body, next);
    if (!swale__is(c, SWALE__VALUE) || body->extra == SWALE__BODY_EXTRA_MAX)
        return SWALE_ERR_ANSWER_BODY;
    body->extra++;
    return 0;
}

static int begin_trailer(struct swale__body *body, char c)
{
    if (c == '\r')
        return go(body, END_LF);
    body->state = TRAILER;
    return swale__is(c, SWALE__TOKEN) ? read_extra(body, c, TRAILER_LF) : SWALE_ERR_ANSWER_BODY;
}

/* One byte of the framing. */
static int read_framing(struct swale__body *body, char c)
{
    switch ((enum state)body->state) {
    case SIZE:
        return read_size(body, c);
    case EXTENSION:
        return read_extra(body, c, SIZE_LF);
    case SIZE_LF:
        return expect(body, c, '\n', body->left > 0 ? RUN : TRAILERS);
    case RUN_CR:
        return expect(body, c, '\r', RUN_LF);
    case RUN_LF:
        return expect(body, c, '\n', SIZE);
    case TRAILERS:
        return begin_trailer(body, c);
    case TRAILER:
        return read_extra(body, c, TRAILER_LF);
    case TRAILER_LF:
        return expect(body, c, '\n', TRAILERS);
    case END_LF:
        return expect(body, c, '\n', DONE);
    case RUN:
    case ALL:
    case DONE:
        break; /* no framing there */
    }
    return SWALE_ERR_ANSWER_BODY;
}

static struct swale_span read_run(struct swale__body *body, struct swale_span rest)
{
    if (body->state == ALL)
        return rest;
    if (rest.size > body->left)
        rest.size = (size_t)body->left;
    body->left -= rest.size;
    if (body->left == 0)
        body->state = body->framing.chunked ? RUN_CR : DONE;
    return rest;
}

int swale__body_read(struct swale__body *body, struct swale_span data, size_t *used, struct swale_span *payload)
{
    size_t at = 0;
    int error = 0;
    bool run = false;
    *payload = swale_span(data.data, 0);
    while (!error && !run && at < data.size && body->state != DONE) {
        run = body->state == RUN || body->state == ALL;
        if (run) {
            *payload = read_run(body, swale__slice(data, at, data.size));
            at += payload->size;
        } else {
            error = read_framing(body, data.data[at++]);
        }
    }
    *used = at;
    return error ? error : body->state == DONE;
}
