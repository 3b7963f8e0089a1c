/* origin.c - the same-host rule (RFC 6454 section 4, RFC 6455 section 10.2). */
#include "proto/authority.h"
#include "proto/token.h"

#include <swale/proto.h>

/* Takes the scheme off an http or https origin and gives its default port; 0 for every other origin, "null" and
 * the schemes of browser extensions among them. */
static uint16_t take_scheme(struct swale_span *origin)
{
    static const struct {
        const char *prefix;
        uint16_t port;
    } schemes[] = { { "http://", 80 }, { "https://", 443 } };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i].prefix);
        if (origin->size < size || !swale_name_equal(swale__slice(*origin, 0, size), schemes[i].prefix))
            continue;
        *origin = swale__slice(*origin, size, origin->size);
        return schemes[i].port;
    }
    return 0;
}

bool swale_origin_same_host(struct swale_span origin, struct swale_span host)
{
    struct swale__authority a;
    struct swale__authority b;
    size_t at;
    uint16_t port = take_scheme(&origin);
    if (port == 0 || !swale__authority_parse(origin, &a, &at) || !swale__authority_parse(host, &b, &at))
        return false;
    /* A port that is left out is the default of the scheme that the browser saw. */
    bool same_port = (a.has_port ? a.port : port) == (b.has_port ? b.port : port);
    return same_port && a.ipv6 == b.ipv6 && swale__host_equal(a.host, b.host);
}
