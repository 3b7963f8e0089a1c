/* options.h - command lines: one table of a subcommand's says what each option is called, what it takes, where that
 * goes, and what --help shows.
 *
 *     static const struct option table[] = {
 *         { .help = "Where" },                               a line without a name heads a group
 *         { "listen", "ADDRESS", "HOST:PORT, unix:PATH; repeatable", option_list, "empty", .offset = AT(listen) },
 *         { "demo", NULL, "pages, /echo and so on", option_flag, .offset = AT(demo) },
 *     };
 *
 * "--name value", "--name=value" and, with a letter, "-N value" and "-Nvalue" are understood; "-h" is "--help".
 * What an argument is called tells shells what to offer: FILE, DIR, or the words that it may be, "text|json|off".
 * Values are not copied: they point into the command line.
 */
#ifndef SWALE_APP_OPTIONS_H
#define SWALE_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct option {
    const char *name;
    const char *argument; /* as shown; NULL: a flag; in brackets: optional, and then only behind '=' */
    const char *help;
    /* Puts the value (NULL when there is none) where it belongs. NULL, or what is wrong with it: `expects`, usually.
     */
    const char *(*parse)(const struct option *option, const char *value, void *options);
    const char *expects;
    size_t offset;   /* of what it sets, in the options that are parsed into */
    uint64_t max;    /* of a number; 0: what its type can hold */
    bool may_be_off; /* "off" and "unlimited" are values too */
    char letter;     /* the short form; 0: there is none */
};

/* Values of an option, or an argument, that may be repeated. */
struct option_list {
    const char **items;
    size_t count;
};
void option_list_done(struct option_list *list);

/* A subcommand's command line. */
struct option_table {
    const char *command;   /* "swale serve" */
    const char *operand;   /* what stands beside the options, as shown: "URL"; NULL: nothing does */
    size_t operand_offset; /* of a const char *, NULL until there is one */
    const struct option *rows;
    size_t count;
};

/* Reads the arguments behind the subcommand's name into `options`, which were zeroed. 0, or -1 with one line about
 * what is wrong in `fault`. An operand that is missing is the caller's to find. */
enum { OPTIONS_FAULT_MAX = 512 };
int options_parse(const struct option_table *table, void *options, int count, char **arguments, char *fault);

/* What --help prints. */
void options_help(const struct option_table *table, FILE *out);

/* Where the option's value goes. */
void *option_place(const struct option *option, void *options);

/* ---- What options take ------------------------------------------------------------------------------ */

/* A number from 1 to `max`, since 0 means the default in the library; off is SWALE_OFF or SWALE_UNLIMITED. */
const char *option_count_32(const struct option *option, const char *value, void *options);
const char *option_count_64(const struct option *option, const char *value, void *options);
const char *option_size_32(const struct option *option, const char *value, void *options);
const char *option_size_64(const struct option *option, const char *value, void *options);
const char *option_duration(const struct option *option, const char *value, void *options); /* uint32_t, ms */
#define A_COUNT    "not a number from 1"
#define A_SIZE     "not a size such as 4096, 64k or 1m"
#define A_DURATION "not a duration such as 500ms, 10s or 2m"

/* bool; const char *, not empty; struct option_list of texts that are not empty. */
const char *option_flag(const struct option *option, const char *value, void *options);
const char *option_text(const struct option *option, const char *value, void *options);
const char *option_list(const struct option *option, const char *value, void *options);

/* "[=KIND]" of --deflate, for a struct swale_deflate_policy: windows that are shared, which is the default, or
 * context. */
const char *option_deflate(const struct option *option, const char *value, void *options);

#endif
