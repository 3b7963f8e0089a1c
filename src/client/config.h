/* config.h - a client's options, checked and copied: what all of its tries go by.
 *
 * One block of memory, immutable once made.
 */
#ifndef SWALE_CLIENT_CONFIG_H
#define SWALE_CLIENT_CONFIG_H

#include "client/proxy.h"
#include "io/address.h"

#include <swale/client.h>

struct swale__client_config {
    const struct swale_allocator *allocator;
    struct swale_client_options options; /* with every default in its place; strings and arrays in this block */
    struct swale_limits limits;          /* resolved */
    struct swale_url url;                /* spans into options.url */
    struct swale__address local;         /* size 0 for none */
    struct swale_span connect_host;      /* connect_to, taken apart; empty for none */
    uint16_t connect_port;
    struct swale__proxy proxy; /* SWALE__PROXY_NONE: go directly */
    size_t block_size;
};

/* Errors and `message` as swale_client_new. The contexts get a reference each; url and proxy need no loop. */
int swale__client_config_new(struct swale__client_config **config, const struct swale_allocator *allocator,
                             const struct swale_client_options *options, char *message);
void swale__client_config_free(struct swale__client_config *config);

#endif
