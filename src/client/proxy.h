/* proxy.h - which proxy to go through: its URL, and what the environment says. Pure, but for getenv. */
#ifndef SWALE_CLIENT_PROXY_H
#define SWALE_CLIENT_PROXY_H

#include <swale/proto.h>

enum swale__proxy_kind { SWALE__PROXY_NONE, SWALE__PROXY_HTTP, SWALE__PROXY_HTTPS, SWALE__PROXY_SOCKS5 };

/* Spans point into the text that was parsed. */
struct swale__proxy {
    enum swale__proxy_kind kind;
    struct swale_span host;     /* without brackets */
    uint16_t port;              /* 80 and 443 for HTTP and HTTPS, 1080 for SOCKS unless it says otherwise */
    struct swale_span userinfo; /* still percent-encoded; empty for none */
};

/* "http://", "https://", "socks5://" and "socks5h://" URLs; "host:port" counts as http, as curl has it. "" is
 * SWALE__PROXY_NONE. SWALE_ERR_PROXY_URL for everything else, a path (but "/") and a query included, and for userinfo
 * that the proxy could not be told: see swale__proxy_login. */
int swale__proxy_parse(struct swale__proxy *proxy, struct swale_span text);

/* The user and the password, percent-decoded into `out`. False without userinfo, or when it is too long, badly
 * encoded, or not what the proxy's kind of login can carry: Basic has no colon in the user and no control bytes (RFC
 * 7617 section 2), SOCKS has 1 to 255 bytes in each (RFC 1929 section 2). */
enum { SWALE__PROXY_USERINFO_MAX = 2048 }; /* there are tokens that serve as passwords */
bool swale__proxy_login(const struct swale__proxy *proxy, char out[SWALE__PROXY_USERINFO_MAX],
                        struct swale_span *user, struct swale_span *password);

/* What the environment asks for this URL: the text of a variable (which is to be copied before the environment
 * changes), "" for none. An empty variable counts as unset; nothing is heeded in a program that runs with another's
 * rights (secure_getenv). */
const char *swale__proxy_environment(const struct swale_url *url);

/* Does this list of no_proxy name the host? Elements are separated by commas or blanks: "*"; "example.com" and
 * ".example.com" (or "*.example.com") for the name and all below it, with ":port" for that port only; addresses, and
 * blocks of them ("10.0.0.0/8", "[2001:db8::]/32"). Compared without case, and without a final dot. */
bool swale__proxy_bypassed(const char *list, struct swale_span host, uint16_t port);

#endif
