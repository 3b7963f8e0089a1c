/* serve_options.h - the command line of `swale serve`. */
#ifndef SWALE_APP_SERVE_OPTIONS_H
#define SWALE_APP_SERVE_OPTIONS_H

#include "app/options.h"
#include "app/serve/log.h"

#include <swale/server.h>

struct serve_options {
    struct swale_server_options server; /* limits, origins; its pointers are this struct's */
    struct option_list listen, certificates, keys, origins;
    const char *client_ca;
    bool client_optional;
    const char *root;
    uint32_t backlog;
    enum log_format log;
    bool compress_threshold_given;
    bool gone_given;
    bool demo, metrics;
    bool help, version; /* then the rest is not checked */
};

/* Reads the arguments behind "serve". 0, or -1 with one line about what is wrong in `fault` (OPTIONS_FAULT_MAX
 * bytes). */
int serve_options_parse(struct serve_options *options, int count, char **arguments, char *fault);

/* Frees the lists. Also right after a failed parse. */
void serve_options_done(struct serve_options *options);

/* Its table; what --help prints. */
extern const struct option_table serve_command_line;
void serve_options_help(FILE *out);

#endif
