/* head.c - the scanner of HTTP/1.1 heads (RFC 9112 sections 2 to 5), one function for each part.
 *
 *     [CRLF] GET SP /chat SP HTTP/1.1 CRLF   Host : OWS example.com OWS CRLF   ...   CRLF
 *       |     |       |         |      |       |     |       |            |          |
 *     BLANK METHOD  TARGET   VERSION  LINE    NAME  OWS    VALUE       FIELD_LF   END_LF
 *
 *            HTTP/1.1 SP 101 SP Switching Protocols CRLF
 *               |         |            |
 *            VERSION   STATUS        REASON
 *
 * Each part judges bytes from `scanned` on, and leaves `scanned` behind the last good one: at a fault it stays on
 * the byte at fault, so that a further call says the same. The outcome depends on the bytes alone, never on
 * how they were cut.
 *
 * While a head is incomplete its bytes may move, so the spans in room->fields hold offsets from the beginning
 * of the head in place of pointers; they are turned into pointers when the last byte has come. */
#include "proto/head.h"

#include "proto/token.h"

#include <assert.h>

/* The longest method that is looked at. What has no space in so many bytes is not HTTP: an SSH banner, base64
 * or a stream of letters fails here, long before the limit on the head. The longest registered method,
 * UPDATEREDIRECTREF, has 17 letters. */
enum { METHOD_MAX = 32 };

enum part {
    BLANK, /* the beginning; zero, because a parser begins zeroed */
    BLANK_LF,
    METHOD,
    TARGET,
    VERSION,
    LINE_CR,
    LINE_LF,
    STATUS_SPACE,
    STATUS,
    STATUS_END,
    REASON,
    FIELD,
    NAME,
    OWS,
    VALUE,
    FIELD_LF,
    END_LF,
    DONE
};

struct scan {
    struct swale_head_parser *at;
    const struct swale_head_room *room;
    const char *data;
    uint32_t end; /* of the bytes that may be looked at */
    enum swale__head_kind kind;
};

static char peek(const struct scan *scan)
{
    return scan->data[scan->at->scanned];
}

/* Moves past bytes of the class. True when the bytes ran out. */
static bool skip(struct scan *scan, unsigned char class)
{
    struct swale_head_parser *at = scan->at;
    at->scanned += (uint32_t)swale__run(scan->data + at->scanned, scan->end - at->scanned, class);
    return at->scanned == scan->end;
}

static uint32_t length(const struct scan *scan)
{
    return scan->at->scanned - scan->at->mark;
}

/* The byte under judgement ends a part: go past it into the next. */
static int enter(struct scan *scan, enum part next)
{
    scan->at->scanned++;
    scan->at->mark = scan->at->scanned;
    scan->at->state = next;
    return 0;
}

static int expect(struct scan *scan, char wanted, enum part next)
{
    return peek(scan) == wanted ? enter(scan, next) : SWALE_ERR_HTTP_SYNTAX;
}

static struct swale_span offset_span(uint32_t offset, uint32_t size)
{
    /* Not a pointer yet: see the top of this file. NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return swale_span((const char *)(uintptr_t)offset, size);
}

/* ---- The start line ---- */

static int judge_blank(struct scan *scan)
{
    /* "a server that is expecting to receive and parse a request-line SHOULD ignore at least one empty line":
     * exactly one, so that a peer cannot feed us line ends for ever (RFC 9112 section 2.2). */
    if (scan->kind == SWALE__REQUEST && peek(scan) == '\r')
        return enter(scan, BLANK_LF);
    scan->at->state = scan->kind == SWALE__REQUEST ? METHOD : VERSION;
    return 0;
}

static int judge_blank_lf(struct scan *scan)
{
    int error = expect(scan, '\n', METHOD);
    scan->at->first = scan->at->scanned;
    return error;
}

static int judge_method(struct scan *scan)
{
    bool more = skip(scan, SWALE__TOKEN);
    if (length(scan) > METHOD_MAX)
        return SWALE_ERR_HTTP_SYNTAX;
    if (more)
        return 0;
    if (peek(scan) != ' ' || length(scan) == 0)
        return SWALE_ERR_HTTP_SYNTAX;
    /* A tunnel is nothing that Swale makes, whatever the target says (RFC 9110 section 9.3.6). */
    if (swale_span_equal(swale_span(scan->data + scan->at->mark, length(scan)), swale_text("CONNECT")))
        return SWALE_ERR_HTTP_METHOD;
    scan->at->split = scan->at->scanned;
    return enter(scan, TARGET);
}

/* Does the target begin as a path or as an absolute URL of our schemes (RFC 9112 section 3.2)? One that is not
 * `whole` may also go no further yet than such a beginning. "//" begins a path, strictly, but is read as a host
 * by whoever resolves it as a reference (RFC 3986 section 4.2), so it is refused. */
static bool begins_well(struct swale_span target, bool whole)
{
    static const char *const beginnings[] = { "/", "http://", "https://", "ws://", "wss://" };
    if (target.size > 1 && target.data[0] == '/')
        return target.data[1] != '/';
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        const char *wanted = beginnings[i];
        size_t matched = 0;
        while (matched < target.size && wanted[matched] && swale__lower(target.data[matched]) == wanted[matched])
            matched++;
        if (!wanted[matched] || (matched == target.size && !whole))
            return true;
    }
    return false;
}

static int judge_target(struct scan *scan)
{
    bool more = skip(scan, SWALE__TARGET);
    bool ended = !more && peek(scan) == ' ';
    if (!begins_well(swale_span(scan->data + scan->at->mark, length(scan)), ended))
        return SWALE_ERR_HTTP_TARGET;
    if (more)
        return 0;
    if (ended)
        return enter(scan, VERSION);
    /* A fragment or a byte above ASCII; anything else is a control byte. */
    return swale__is(peek(scan), SWALE__VALUE) ? SWALE_ERR_HTTP_TARGET : SWALE_ERR_HTTP_SYNTAX;
}

/* "HTTP/1.1". What looks like a version but is another gets the answer for it (RFC 9110 section 15.6.6); an
 * answer may be in HTTP/1.0, see swale_response_parse. */
static int judge_version(struct scan *scan)
{
    static const char shape[] = "HTTP/0.0";
    uint32_t place = length(scan);
    char c = peek(scan);
    if (shape[place] == '0' ? !swale__is(c, SWALE__DIGIT) : c != shape[place])
        return SWALE_ERR_HTTP_SYNTAX;
    if (place < 7) {
        scan->at->scanned++;
        return 0;
    }
    bool good = c == '1' || (c == '0' && scan->kind == SWALE__RESPONSE);
    if (scan->data[scan->at->mark + 5] != '1' || !good)
        return SWALE_ERR_HTTP_VERSION;
    return enter(scan, scan->kind == SWALE__REQUEST ? LINE_CR : STATUS_SPACE);
}

static int judge_line_cr(struct scan *scan)
{
    scan->at->line_end = scan->at->scanned;
    return expect(scan, '\r', LINE_LF);
}

static int judge_line_lf(struct scan *scan)
{
    return expect(scan, '\n', FIELD);
}

static int judge_status_space(struct scan *scan)
{
    return expect(scan, ' ', STATUS);
}

static int judge_status(struct scan *scan)
{
    char least = length(scan) == 0 ? '1' : '0';
    if (peek(scan) < least || peek(scan) > '9')
        return SWALE_ERR_HTTP_SYNTAX;
    if (length(scan) == 2) {
        scan->at->split = scan->at->scanned + 1;
        return enter(scan, STATUS_END);
    }
    scan->at->scanned++;
    return 0;
}

/* The space before an empty reason phrase may be missing (Tomcat sends it, others do not). */
static int judge_status_end(struct scan *scan)
{
    if (peek(scan) == ' ')
        return enter(scan, REASON);
    return judge_line_cr(scan);
}

static int judge_reason(struct scan *scan)
{
    return skip(scan, SWALE__VALUE) ? 0 : judge_line_cr(scan);
}

/* ---- The fields ---- */

static int judge_field(struct scan *scan)
{
    if (peek(scan) == '\r')
        return enter(scan, END_LF);
    /* A line that begins with white space continues the one before: obs-fold, refused (RFC 9112 section 5.2). */
    if (!swale__is(peek(scan), SWALE__TOKEN))
        return SWALE_ERR_HTTP_SYNTAX;
    if (scan->at->count == scan->room->max_fields)
        return SWALE_ERR_HTTP_FIELD_COUNT;
    scan->at->state = NAME;
    return 0;
}

/* No white space before the colon: RFC 9112 section 5.1 has it refused. */
static int judge_name(struct scan *scan)
{
    if (skip(scan, SWALE__TOKEN))
        return 0;
    scan->room->fields[scan->at->count].name = offset_span(scan->at->mark, length(scan));
    return expect(scan, ':', OWS);
}

static int judge_ows(struct scan *scan)
{
    char c = peek(scan);
    if (c == ' ' || c == '\t') {
        scan->at->scanned++;
        return 0;
    }
    scan->at->mark = scan->at->scanned;
    scan->at->state = VALUE;
    return 0;
}

static int judge_value(struct scan *scan)
{
    if (skip(scan, SWALE__VALUE))
        return 0;
    struct swale_head_parser *at = scan->at;
    uint32_t size = (uint32_t)swale__trim(swale_span(scan->data + at->mark, length(scan))).size;
    scan->room->fields[at->count].value = offset_span(at->mark, size);
    int error = expect(scan, '\r', FIELD_LF);
    at->count += error ? 0 : 1;
    return error;
}

static int judge_field_lf(struct scan *scan)
{
    return expect(scan, '\n', FIELD);
}

static int judge_end_lf(struct scan *scan)
{
    return expect(scan, '\n', DONE);
}

/* ---- The whole ---- */

static int (*const judges[DONE])(struct scan *scan) = {
    [BLANK] = judge_blank,     [BLANK_LF] = judge_blank_lf,
    [METHOD] = judge_method,   [TARGET] = judge_target,
    [VERSION] = judge_version, [LINE_CR] = judge_line_cr,
    [LINE_LF] = judge_line_lf, [STATUS_SPACE] = judge_status_space,
    [STATUS] = judge_status,   [STATUS_END] = judge_status_end,
    [REASON] = judge_reason,   [FIELD] = judge_field,
    [NAME] = judge_name,       [OWS] = judge_ows,
    [VALUE] = judge_value,     [FIELD_LF] = judge_field_lf,
    [END_LF] = judge_end_lf,
};

static void relocate(struct swale_span *span, const char *data)
{
    span->data = data + (uintptr_t)span->data;
}

ptrdiff_t swale__head_scan(struct swale_head_parser *parser, const struct swale_head_room *room,
                           enum swale__head_kind kind, const char *data, size_t size)
{
    assert(parser->state != DONE); /* zero it before each head */
    struct scan scan = { .at = parser, .room = room, .data = data, .kind = kind };
    scan.end = size < room->max_size ? (uint32_t)size : room->max_size;
    while (parser->state != DONE && parser->scanned < scan.end) {
        int error = judges[parser->state](&scan);
        if (error)
            return error;
    }
    if (parser->state != DONE)
        return parser->scanned < room->max_size ? 0 : SWALE_ERR_HTTP_HEAD_SIZE;
    for (uint32_t i = 0; i < parser->count; i++) {
        relocate(&room->fields[i].name, data);
        relocate(&room->fields[i].value, data);
    }
    return parser->scanned;
}

/* ---- The body's framing ---- */

static int parse_length(struct swale_span text, uint64_t *length)
{
    uint64_t value = 0;
    if (!swale__all(text, SWALE__DIGIT))
        return SWALE_ERR_HTTP_FRAMING;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return SWALE_ERR_HTTP_FRAMING;
        value = value * 10 + digit;
    }
    *length = value;
    return 0;
}

/* RFC 9112 section 6.3 lets a recipient make sense of some repeated or conflicting fields; what two parties may
 * read differently is how requests are smuggled, so everything but one plain field is refused (section 11.2). */
int swale__body_framing(const struct swale_field *fields, uint32_t count, struct swale_body_framing *body)
{
    struct swale_span coding;
    struct swale_span length;
    int codings = swale__field_single(fields, count, "transfer-encoding", &coding);
    int lengths = swale__field_single(fields, count, "content-length", &length);
    *body = (struct swale_body_framing){ .chunked = codings > 0, .has_length = lengths > 0 };
    if (codings < 0 || lengths < 0 || (codings > 0 && lengths > 0))
        return SWALE_ERR_HTTP_FRAMING;
    if (codings > 0 && !swale_name_equal(coding, "chunked"))
        return SWALE_ERR_HTTP_TRANSFER_CODING;
    return lengths > 0 ? parse_length(length, &body->length) : 0;
}
