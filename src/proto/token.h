/* token.h - the character classes of RFC 9110, RFC 9112 and RFC 3986, as one table. */
#ifndef SWALE_PROTO_TOKEN_H
#define SWALE_PROTO_TOKEN_H

#include <swale/base.h>

enum {
    SWALE__TOKEN = 1,   /* tchar (RFC 9110 section 5.6.2) */
    SWALE__VALUE = 2,   /* may stand in a field value or reason phrase: VCHAR, obs-text, space, tab (5.5) */
    SWALE__TARGET = 4,  /* may stand in a request target: VCHAR except '#', which would begin a fragment */
    SWALE__REGNAME = 8, /* unreserved or sub-delims: a host name, '%' apart (RFC 3986 section 3.2.2) */
    SWALE__HEX = 16,
    SWALE__DIGIT = 32
};

extern const unsigned char swale__classes[256];

static inline bool swale__is(char c, unsigned char class)
{
    return (swale__classes[(unsigned char)c] & class) != 0;
}

/* How many bytes at the front of text[0..size) are of the class. */
size_t swale__run(const char *text, size_t size, unsigned char class);

/* Not empty, and every byte of the class. */
bool swale__all(struct swale_span text, unsigned char class);

/* Without spaces and tabs on either side (OWS, RFC 9110 section 5.6.3). */
struct swale_span swale__trim(struct swale_span text);

static inline char swale__lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* -1 for what is no hexadecimal digit. */
static inline int swale__hex(char c)
{
    if (!swale__is(c, SWALE__HEX))
        return -1;
    return c <= '9' ? c - '0' : swale__lower(c) - 'a' + 10;
}

static inline struct swale_span swale__slice(struct swale_span text, size_t begin, size_t end)
{
    /* An empty span may have no data, and nothing may be added to a null pointer. */
    return swale_span(begin > 0 ? text.data + begin : text.data, end - begin);
}

#endif
