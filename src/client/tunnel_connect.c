/* CONNECT (RFC 9110 section 9.3.6): a request for a connection to the server, and an answer whose head is all that is
 * read of it. */
#include "client/tunnel_steps.h"

#include "proto/writer.h"

#include <openssl/evp.h>

enum {
    INTERIMS_MAX = 8, /* 1xx answers before the one that counts */
    AUTHORITY_EXTRA = sizeof "[]:65535",
    REQUEST_EXTRA = 128, /* the request but for the authority, which is in it twice, and the credentials */
    JOINED_MAX = SWALE__PROXY_USERINFO_MAX + 1,
    BASIC_MAX = 4 * ((JOINED_MAX + 2) / 3) + 1 /* EVP_EncodeBlock terminates */
};

static size_t out_room(const struct swale__tunnel_options *options)
{
    return 2 * (options->host.size + AUTHORITY_EXTRA) + REQUEST_EXTRA + BASIC_MAX;
}

static size_t in_limit(const struct swale__tunnel_options *options)
{
    return options->max_head;
}

static void put_authority(struct swale__writer *writer, const struct swale__tunnel_options *options)
{
    swale__put_text(writer, options->ipv6 ? "[" : "");
    swale__put(writer, options->host);
    swale__put_text(writer, options->ipv6 ? "]:" : ":");
    swale__put_number(writer, options->port);
}

/* Proxy-Authorization: Basic (RFC 7617 section 2). False when the credentials cannot be had, which
 * swale__proxy_parse has ruled out. */
static bool put_login(struct swale__writer *writer, const struct swale__proxy *proxy)
{
    char decoded[SWALE__PROXY_USERINFO_MAX], joined[JOINED_MAX], basic[BASIC_MAX];
    struct swale_span user, password;
    if (!swale__proxy_login(proxy, decoded, &user, &password))
        return false;
    struct swale__writer pair = { .out = joined, .capacity = sizeof joined };
    swale__put(&pair, user);
    swale__put_text(&pair, ":");
    swale__put(&pair, password);
    int size = EVP_EncodeBlock((unsigned char *)basic, (const unsigned char *)joined, (int)pair.size);
    swale__put_text(writer, "Proxy-Authorization: Basic ");
    swale__put(writer, swale_span(basic, (size_t)size));
    swale__put_text(writer, "\r\n");
    return true;
}

static int begin(struct swale__tunnel *tunnel)
{
    struct swale__writer writer = { .out = tunnel->out, .capacity = tunnel->out_room };
    swale__put_text(&writer, "CONNECT ");
    put_authority(&writer, &tunnel->options);
    swale__put_text(&writer, " HTTP/1.1\r\nHost: ");
    put_authority(&writer, &tunnel->options);
    swale__put_text(&writer, "\r\n");
    if (tunnel->login && !put_login(&writer, tunnel->options.proxy))
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_URL, "%s", swale_strerror(SWALE_ERR_PROXY_URL));
    swale__put_text(&writer, "\r\n");
    ptrdiff_t size = swale__writer_end(&writer);
    if (size < 0)
        return swale__tunnel_fault(tunnel, (int)size, "%s", swale_strerror((int)size));
    tunnel->out_size = (size_t)size;
    swale__tunnel_trace(tunnel, SWALE_TRACE_REQUEST, swale_span(tunnel->out, tunnel->out_size));
    return 0;
}

static int refuse(struct swale__tunnel *tunnel)
{
    int status = tunnel->response.status;
    tunnel->answered = true;
    /* 401 would be a server's word, and no server has been reached yet: tinyproxy answers so to wrong credentials. */
    if (status != 407 && status != 401)
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_REFUSED, "the proxy answers %d %s", status,
                                   swale_status_text(status));
    return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_LOGIN, "the proxy answers %d: it %s", status,
                               tunnel->login ? "does not take these credentials" : "asks for credentials");
}

/* What a whole head means. */
static int judge(struct swale__tunnel *tunnel, size_t size)
{
    int status = tunnel->response.status;
    swale__tunnel_trace(tunnel, SWALE_TRACE_RESPONSE, swale_span(tunnel->in, size));
    if (status == 101) /* nobody asked for another protocol (RFC 9110 section 7.8) */
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the proxy answers 101 to CONNECT");
    if (status < 200) {
        swale__tunnel_take(tunnel, size);
        tunnel->parser = (struct swale_head_parser){ 0 };
        if (++tunnel->interims > INTERIMS_MAX)
            return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "more interim answers of the proxy than allowed");
        return SWALE__TUNNEL_MORE;
    }
    if (status >= 300)
        return refuse(tunnel);
    /* Behind a 2xx head the tunnel begins, whatever Content-Length and Transfer-Encoding say (RFC 9110 section
     * 9.3.6). We speak first in it, so these bytes cannot be the server's: they would be read as if they were. */
    if (tunnel->in_size > size)
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the proxy says more than its answer");
    return SWALE__TUNNEL_OPEN;
}

static int advance(struct swale__tunnel *tunnel)
{
    const struct swale_head_room room = { .fields = tunnel->fields,
                                          .max_fields = tunnel->options.max_fields,
                                          .max_size = tunnel->options.max_head };
    int result = SWALE__TUNNEL_MORE;
    while (result == SWALE__TUNNEL_MORE && tunnel->in_size > 0) {
        ptrdiff_t size = swale_response_parse(&tunnel->parser, &room, tunnel->in, tunnel->in_size, &tunnel->response);
        if (size < 0)
            return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the proxy's answer: %s", swale_strerror((int)size));
        if (size == 0)
            return SWALE__TUNNEL_MORE;
        result = judge(tunnel, (size_t)size);
    }
    return result;
}

const struct swale__tunnel_steps swale__tunnel_connect = { out_room, in_limit, begin, advance };
