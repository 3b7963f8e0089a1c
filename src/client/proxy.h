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
 * SWALE__PROXY_NONE. SWALE_ERR_PROXY_URL for everything else, a path and a query included. */
int swale__proxy_parse(struct swale__proxy *proxy, struct swale_span text);

/* What the environment asks for this URL: the text of a variable (which is to be copied before the environment
 * changes), "" for none. */
const char *swale__proxy_environment(const struct swale_url *url);

/* Does this list of no_proxy name the host? Elements are separated by commas or blanks: "*"; "example.com" and
 * ".example.com" for the name and all below it, with ":port" for that port only; addresses, and blocks of them
 * ("10.0.0.0/8", "[2001:db8::]/32"). Compared without case, and without a final dot. */
bool swale__proxy_bypassed(const char *list, struct swale_span host, uint16_t port);

#endif
