/* connect.c - wires options, TLS, loop, signals, terminal and session together. */
#include "app/connect/connect.h"

#include "app/connect/check.h"
#include "app/connect/history.h"
#include "app/connect/prompt.h"
#include "app/connect/session.h"
#include "app/connect/status.h"
#include "app/connect/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define fail(status, ...) fault_print(status, "swale connect", __VA_ARGS__)

struct connect {
    struct connect_options options;
    struct swale_loop *loop;
    struct swale_tls *tls;
    struct swale_watch signals;
    struct session session;
    char history[HISTORY_PATH_MAX];
};

/* ---- TLS -------------------------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A proxy is shown no certificate, and has no pins: only whom to trust is said for it, too. */
static int open_proxy_tls(struct connect *connect, const struct swale_tls_options *server)
{
    struct swale_tls_options tls = { .ca_file = server->ca_file, .ca_directory = server->ca_directory };
    char message[SWALE_TLS_MESSAGE_MAX];
    int error = connect->options.ca ? swale_tls_client(&connect->options.proxy_tls, &tls, message) : 0;
    return error < 0 ? fail(CONNECT_TLS, "%s", message) : CONNECT_OK;
}

static int open_tls(struct connect *connect)
{
    const struct connect_options *options = &connect->options;
    if (!connect_options_have_tls(options))
        return CONNECT_OK;
    bool directory = options->ca && is_directory(options->ca);
    struct swale_tls_certificate certificate = { options->certificate,
                                                 options->key ? options->key : options->certificate };
    struct swale_tls_options tls = {
        .certificates = &certificate,
        .certificate_count = options->certificate ? 1 : 0,
        .ca_file = directory ? NULL : options->ca,
        .ca_directory = directory ? options->ca : NULL,
        .insecure_skip_verification = options->insecure,
        .pins = options->pins.items,
        .pin_count = options->pins.count,
    };
    char message[SWALE_TLS_MESSAGE_MAX];
    int error = swale_tls_client(&connect->tls, &tls, message);
    if (error == SWALE_ERR_INVALID)
        return fail(CONNECT_USAGE, "%s", message);
    if (error < 0)
        return fail(CONNECT_TLS, "%s", message);
    if (options->insecure)
        fail(0, "WARNING: --insecure: nobody verifies who the server is; whoever is on the way can read and change "
                "everything");
    return open_proxy_tls(connect, &tls);
}

/* ---- Signals ---------------------------------------------------------------------------------------- */

/* The first one closes, the second one drops. */
static void stop(struct session *session, int number)
{
    enum { BY_SIGNAL = 128 }; /* as shells count */
    session_end(session, BY_SIGNAL + number, "ended by %s", number == SIGINT ? "Ctrl-C" : "a signal");
}

static void handle_signal(struct session *session, int number)
{
    struct terminal *terminal = session->terminal;
    if (number == SIGWINCH && terminal)
        terminal_resize(terminal);
    else if (number == SIGTSTP && terminal)
        terminal_suspend(terminal);
    else if (number == SIGINT && terminal && session->opened && !session->closing)
        terminal_interrupt(terminal);
    else if (number == SIGINT || number == SIGTERM || number == SIGHUP)
        stop(session, number);
}

static void on_signal(struct swale_watch *watch, unsigned events)
{
    struct connect *connect = watch->context;
    struct signalfd_siginfo about;
    (void)events;
    while (read(watch->fd, &about, sizeof about) == (ssize_t)sizeof about)
        handle_signal(&connect->session, (int)about.ssi_signo);
}

/* They arrive as events of the loop, so that nothing runs inside a handler. */
static int open_signals(struct connect *connect)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (connect->session.terminal) {
        sigaddset(&set, SIGWINCH);
        sigaddset(&set, SIGTSTP);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    connect->signals = (struct swale_watch){ .ready = on_signal, .context = connect };
    connect->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    int error =
        connect->signals.fd < 0 ? -errno : swale_watch_start(connect->loop, &connect->signals, SWALE_READABLE);
    return error < 0 ? fail(CONNECT_FAILED, "%s", fault_text(error)) : CONNECT_OK;
}

static void close_signals(struct connect *connect)
{
    swale_watch_stop(connect->loop, &connect->signals);
    close(connect->signals.fd);
}

/* ---- The session ------------------------------------------------------------------------------------ */

/* A prompt is for messages that are lines. */
static int open_terminal(struct connect *connect)
{
    const struct connect_options *options = &connect->options;
    if (!terminal_possible() || options->framing != FRAMING_LINES)
        return CONNECT_OK;
    bool history = !options->no_history && history_path(connect->history, sizeof connect->history);
    struct terminal_options terminal = {
        .loop = connect->loop,
        .history = history ? connect->history : NULL,
        .colours = !options->no_color && colours_wanted(STDOUT_FILENO),
    };
    connect->session.terminal = terminal_open(&terminal);
    return connect->session.terminal ? CONNECT_OK : fail(CONNECT_FAILED, "the terminal cannot be used");
}

static int open_session(struct connect *connect)
{
    const struct connect_options *options = &connect->options;
    struct session *session = &connect->session;
    bool eyes = isatty(STDOUT_FILENO);
    if (eyes && options->framing == FRAMING_LENGTH && !options->raw)
        return fail(CONNECT_USAGE, "--length-prefixed writes what a terminal cannot show: redirect standard output, "
                                   "or add --raw");
    int lines_go_to = session->terminal ? STDOUT_FILENO : STDERR_FILENO;
    session->options = options;
    session->loop = connect->loop;
    session->tls = connect->tls;
    session->say = (struct say){
        .terminal = session->terminal,
        .quiet = options->quiet,
        .colours = !options->no_color && colours_wanted(lines_go_to),
    };
    session->show = (struct show){
        .framing = options->framing,
        .terminal = eyes,
        .prompt = session->terminal != NULL,
        .raw = options->raw,
        .json = options->json,
        .colours = session->say.colours,
    };
    return session_begin(session);
}

static void converse(struct session *session)
{
    const char *line;
    while (!session->opened && !session->ended)
        session_step(session);
    if (!session->ended && !session->closing)
        say_note(&session->say, "(Ctrl-D ends%s)", session->options->slash ? ", /help helps" : "");
    while (!session->ended && (line = terminal_read(session->terminal)))
        prompt_line(session, line);
    session_close(session, 1000, NULL);
}

static int run(struct connect *connect)
{
    struct session *session = &connect->session;
    if (session->terminal)
        converse(session);
    while (!session_done(session))
        session_step(session);
    return session->status;
}

/* ---- All of it -------------------------------------------------------------------------------------- */

static int open_loop(struct connect *connect)
{
    int error = swale_loop_new(&connect->loop, NULL);
    if (error == SWALE_ERR_INVALID)
        return fail(CONNECT_USAGE, "the environment's SWALE_BACKEND names no backend");
    return error < 0 ? fail(CONNECT_FAILED, "%s", fault_text(error)) : CONNECT_OK;
}

static int set_up(struct connect *connect)
{
    static int (*const steps[])(struct connect * connect) = { open_tls, open_loop, open_terminal, open_signals,
                                                              open_session };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int status = steps[i](connect);
        if (status != CONNECT_OK)
            return status;
    }
    return CONNECT_OK;
}

static int check(struct connect *connect)
{
    int status = open_tls(connect);
    if (status == CONNECT_OK)
        status = open_loop(connect);
    return status == CONNECT_OK ? check_run(&connect->options, connect->loop, connect->tls) : status;
}

/* The fault comes last, when the terminal is as it was and everything else has been written. */
static void tear_down(struct connect *connect)
{
    char *fault = connect->session.fault;
    connect->session.fault = NULL;
    terminal_close(connect->session.terminal);
    if (connect->session.loop)
        session_free(&connect->session);
    if (connect->signals.fd > 0)
        close_signals(connect);
    swale_loop_free(connect->loop);
    swale_tls_unref(connect->tls);
    swale_tls_unref(connect->options.proxy_tls);
    if (fault)
        fail(0, "%s", fault);
    free(fault);
}

static int connect_with(struct connect *connect)
{
    if (connect->options.help) {
        options_help(&connect_command_line, stdout);
        status_help(stdout);
        return CONNECT_OK;
    }
    if (connect->options.version) {
        printf("swale %s\n", swale_version());
        return CONNECT_OK;
    }
    int status = connect->options.check ? check(connect) : set_up(connect);
    if (status == CONNECT_OK && !connect->options.check)
        status = run(connect);
    tear_down(connect);
    return status;
}

int connect_run(int count, char **arguments)
{
    static struct connect connect; /* large, and there is one */
    char fault[OPTIONS_FAULT_MAX];
    int status = connect_options_parse(&connect.options, count, arguments, fault) < 0
                     ? fail(CONNECT_USAGE, "%s", fault)
                     : connect_with(&connect);
    connect_options_done(&connect.options);
    return status;
}
