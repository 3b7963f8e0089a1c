/* SOCKS 5 (RFC 1928), with no authentication or with user and password (RFC 1929).
 *
 *     we      05 n methods            01 ulen user plen password        05 01 00 type address port
 *     proxy   05 method               01 status                         05 reply 00 type address port
 *                                     (with method 02 only)
 *
 * Names are given to the proxy as they are. */
#include "client/tunnel_steps.h"

#include "io/address.h"

enum {
    VERSION = 5,
    LOGIN_VERSION = 1,
    METHOD_NONE = 0,
    METHOD_PASSWORD = 2,
    METHOD_UNACCEPTABLE = 0xff,
    COMMAND_CONNECT = 1,
    TYPE_IPV4 = 1,
    TYPE_NAME = 3,
    TYPE_IPV6 = 4,
    NAME_MAX_SIZE = 255,
    OUT_MAX = 1 + 1 + 255 + 1 + 255,   /* the login is the longest that we say */
    IN_MAX = 4 + 1 + NAME_MAX_SIZE + 2 /* and the reply of the proxy */
};

enum step { AWAIT_METHOD, AWAIT_STATUS, AWAIT_REPLY };

static size_t out_room(const struct swale__tunnel_options *options)
{
    (void)options;
    return OUT_MAX;
}

static size_t in_limit(const struct swale__tunnel_options *options)
{
    (void)options;
    return IN_MAX;
}

/* ---- What we say ------------------------------------------------------------------------------------ */

static void put(struct swale__tunnel *tunnel, const void *data, size_t size)
{
    memcpy(tunnel->out + tunnel->out_size, data, size);
    tunnel->out_size += size;
}

static void put_byte(struct swale__tunnel *tunnel, size_t byte)
{
    tunnel->out[tunnel->out_size++] = (char)(unsigned char)byte;
}

static void begin_message(struct swale__tunnel *tunnel, enum step answer)
{
    tunnel->out_size = 0;
    tunnel->out_sent = 0;
    tunnel->step = answer;
}

static int begin(struct swale__tunnel *tunnel)
{
    if (tunnel->options.host.size > NAME_MAX_SIZE)
        return swale__tunnel_fault(tunnel, SWALE_ERR_RESOLVE, "the host name is too long for a SOCKS proxy");
    begin_message(tunnel, AWAIT_METHOD);
    put_byte(tunnel, VERSION);
    put_byte(tunnel, tunnel->login ? 2 : 1);
    put_byte(tunnel, METHOD_NONE);
    if (tunnel->login)
        put_byte(tunnel, METHOD_PASSWORD);
    return 0;
}

static int send_login(struct swale__tunnel *tunnel)
{
    char decoded[SWALE__PROXY_USERINFO_MAX];
    struct swale_span user, password;
    if (!swale__proxy_login(tunnel->options.proxy, decoded, &user, &password))
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_URL, "%s", swale_strerror(SWALE_ERR_PROXY_URL));
    begin_message(tunnel, AWAIT_STATUS);
    put_byte(tunnel, LOGIN_VERSION);
    put_byte(tunnel, user.size);
    put(tunnel, user.data, user.size);
    put_byte(tunnel, password.size);
    put(tunnel, password.data, password.size);
    return SWALE__TUNNEL_MORE;
}

static void put_host(struct swale__tunnel *tunnel)
{
    struct swale_span host = tunnel->options.host;
    struct in6_addr ip;
    if (!swale__address_parse_ip(host, &ip)) {
        put_byte(tunnel, TYPE_NAME);
        put_byte(tunnel, host.size);
        put(tunnel, host.data, host.size);
    } else if (tunnel->options.ipv6) {
        put_byte(tunnel, TYPE_IPV6);
        put(tunnel, &ip, 16);
    } else {
        put_byte(tunnel, TYPE_IPV4);
        put(tunnel, &ip.s6_addr[12], 4);
    }
}

static int send_request(struct swale__tunnel *tunnel)
{
    const struct swale__tunnel_options *options = &tunnel->options;
    begin_message(tunnel, AWAIT_REPLY);
    put_byte(tunnel, VERSION);
    put_byte(tunnel, COMMAND_CONNECT);
    put_byte(tunnel, 0);
    put_host(tunnel);
    put_byte(tunnel, options->port >> 8);
    put_byte(tunnel, options->port & 0xff);
    swale__tunnel_trace(tunnel, SWALE_TRACE_NOTE, swale_text("asking the SOCKS proxy for the server"));
    return SWALE__TUNNEL_MORE;
}

/* ---- What the proxy says ---------------------------------------------------------------------------- */

static unsigned byte_at(const struct swale__tunnel *tunnel, size_t position)
{
    return (unsigned char)tunnel->in[position];
}

static int malformed(struct swale__tunnel *tunnel, const char *what, unsigned byte)
{
    return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the SOCKS proxy's answer: %s %u", what, byte);
}

/* The message of `size` bytes is whole. Whatever came behind it came before it was asked for. */
static bool take_whole(struct swale__tunnel *tunnel, size_t size)
{
    if (tunnel->in_size > size)
        return false;
    swale__tunnel_take(tunnel, size);
    return true;
}

static int say_too_much(struct swale__tunnel *tunnel)
{
    return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY, "the SOCKS proxy says more than its answer");
}

static int read_method(struct swale__tunnel *tunnel)
{
    if (byte_at(tunnel, 0) != VERSION)
        return malformed(tunnel, "not SOCKS 5, but version", byte_at(tunnel, 0));
    if (tunnel->in_size < 2)
        return SWALE__TUNNEL_MORE;
    unsigned method = byte_at(tunnel, 1);
    if (method == METHOD_UNACCEPTABLE)
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_LOGIN, "the SOCKS proxy %s",
                                   tunnel->login ? "takes no user and password" : "asks for credentials");
    if (method != METHOD_NONE && !(method == METHOD_PASSWORD && tunnel->login))
        return malformed(tunnel, "a way to log in that was not offered,", method);
    if (!take_whole(tunnel, 2))
        return say_too_much(tunnel);
    return method == METHOD_PASSWORD ? send_login(tunnel) : send_request(tunnel);
}

static int read_status(struct swale__tunnel *tunnel)
{
    if (byte_at(tunnel, 0) != LOGIN_VERSION)
        return malformed(tunnel, "to the login, version", byte_at(tunnel, 0));
    if (tunnel->in_size < 2)
        return SWALE__TUNNEL_MORE;
    if (byte_at(tunnel, 1) != 0)
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_LOGIN, "the SOCKS proxy does not take these credentials");
    return take_whole(tunnel, 2) ? send_request(tunnel) : say_too_much(tunnel);
}

static int refuse(struct swale__tunnel *tunnel, unsigned reply)
{
    /* RFC 1928 section 6. */
    static const char *const texts[] = {
        [1] = "general failure",           [2] = "not allowed by its rules",   [3] = "network unreachable",
        [4] = "host unreachable",          [5] = "connection refused",         [6] = "time to live expired",
        [7] = "cannot connect to servers", [8] = "address type not supported",
    };
    if (reply < sizeof texts / sizeof texts[0])
        return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: %s", texts[reply]);
    return swale__tunnel_fault(tunnel, SWALE_ERR_PROXY_REFUSED, "the SOCKS proxy says: reply %u", reply);
}

/* How long the reply is, by the type of its address; 0 while that is not known, -1 for a type that is none. */
static int reply_size(const struct swale__tunnel *tunnel)
{
    if (tunnel->in_size < 4)
        return 0;
    switch (byte_at(tunnel, 3)) {
    case TYPE_IPV4:
        return 4 + 4 + 2;
    case TYPE_IPV6:
        return 4 + 16 + 2;
    case TYPE_NAME:
        return tunnel->in_size < 5 ? 0 : 4 + 1 + (int)byte_at(tunnel, 4) + 2;
    default:
        return -1;
    }
}

static int read_reply(struct swale__tunnel *tunnel)
{
    if (byte_at(tunnel, 0) != VERSION)
        return malformed(tunnel, "to the request, version", byte_at(tunnel, 0));
    if (tunnel->in_size < 2)
        return SWALE__TUNNEL_MORE;
    /* A proxy that refuses may hang up behind these two bytes. */
    if (byte_at(tunnel, 1) != 0)
        return refuse(tunnel, byte_at(tunnel, 1));
    if (tunnel->in_size >= 3 && byte_at(tunnel, 2) != 0)
        return malformed(tunnel, "the reserved byte is", byte_at(tunnel, 2));
    int size = reply_size(tunnel);
    if (size < 0)
        return malformed(tunnel, "an address of type", byte_at(tunnel, 3));
    if (size == 0 || tunnel->in_size < (size_t)size)
        return SWALE__TUNNEL_MORE;
    /* We speak first to the server, so it cannot have said anything yet. */
    return take_whole(tunnel, (size_t)size) ? SWALE__TUNNEL_OPEN : say_too_much(tunnel);
}

static int advance(struct swale__tunnel *tunnel)
{
    switch ((enum step)tunnel->step) {
    case AWAIT_METHOD:
        return read_method(tunnel);
    case AWAIT_STATUS:
        return read_status(tunnel);
    default:
        return read_reply(tunnel);
    }
}

const struct swale__tunnel_steps swale__tunnel_socks = { out_room, in_limit, begin, advance };
