/* connect_options.h - the command line of `swale connect`. */
#ifndef SWALE_APP_CONNECT_CONNECT_OPTIONS_H
#define SWALE_APP_CONNECT_CONNECT_OPTIONS_H

#include "app/connect/framing.h"
#include "app/options.h"

#include <swale/client.h>

struct connect_options {
    const char *url;

    /* The request. */
    struct option_list headers, subprotocols;
    const char *origin, *user;
    struct swale_deflate_policy deflate;
    uint32_t max_redirects;

    /* The way. */
    struct swale_tls *proxy_tls; /* of `ca`, for an https proxy; whoever has opened it puts it here */
    const char *ca, *certificate, *key, *proxy, *connect_to, *dns_servers;
    struct option_list pins;
    bool insecure;
    uint32_t connect_ms;

    /* The messages. */
    enum framing framing;
    bool null, length_prefixed, binary, json, raw;
    struct option_list on_connect;
    uint64_t max_message, max_messages;

    /* How long. */
    bool wait, reconnect, exit_on_close;
    uint32_t wait_ms, timeout_ms, ping_ms; /* 0: not given */

    /* What is shown. */
    bool check, verbose, quiet, show_control, slash, no_color, no_history;
    bool help, version; /* then the rest is not checked */

    /* Made of the above. */
    char *made_url;
    struct swale_field *fields;
};

/* Reads the arguments behind "connect". 0, or -1 with one line about what is wrong in `fault` (OPTIONS_FAULT_MAX
 * bytes). */
int connect_options_parse(struct connect_options *options, int count, char **arguments, char *fault);

/* Frees what belongs to the options. Also right after a failed parse. */
void connect_options_done(struct connect_options *options);

/* Its table. */
extern const struct option_table connect_command_line;

/* They concern TLS, so that the default will not do. */
bool connect_options_have_tls(const struct connect_options *options);

/* What a client is made with; the handler, user and TLS are left to the caller. `limits` goes with it. */
void connect_options_client(const struct connect_options *options, struct swale_client_options *client,
                            struct swale_limits *limits);

#endif
