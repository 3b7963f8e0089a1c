/* main.c - the program `swale`: a folder for each subcommand. */
#include "app/commands.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <swale/base.h>

/* A standard descriptor that was closed must not become a socket of ours, which would then get what is printed.
 * Reading and writing here fails. */
static void occupy_standard_descriptors(void)
{
    static const int flags[] = { O_WRONLY, O_RDONLY, O_RDONLY };
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", flags[fd]); /* the lowest that is free: this one */
}

static void print_help(FILE *out)
{
    fputs("usage: swale COMMAND [OPTION...]\n\n", out);
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\n`swale COMMAND --help` shows the options of a command; `swale --version` the version.\n", out);
}

static int unknown(const char *name)
{
    fprintf(stderr, "swale: no such command: %s; see swale --help\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    occupy_standard_descriptors();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0) {
        printf("swale %s\n", swale_version());
        return 0;
    }
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    if (*name)
        return unknown(name);
    print_help(stderr);
    return 2;
}
