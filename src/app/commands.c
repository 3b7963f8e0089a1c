#include "app/commands.h"

#include "app/bench/bench.h"
#include "app/bench/bench_options.h"
#include "app/completion/completion.h"
#include "app/connect/connect.h"
#include "app/connect/connect_options.h"
#include "app/serve/serve.h"
#include "app/serve/serve_options.h"

const struct command commands[] = {
    { "serve", serve_run, "run a WebSocket server", &serve_command_line },
    { "connect", connect_run, "talk to a WebSocket server, by hand or in a script", &connect_command_line },
    { "bench", bench_run, "load a WebSocket server, and measure it", &bench_command_line },
    { "completion", completion_run, "print the completion script of a shell: bash or zsh", &completion_command_line },
};

const size_t command_count = sizeof commands / sizeof commands[0];
