#include "app/connect/prompt.h"

#include "app/fault.h"
#include "app/units.h"

#include <stdio.h>
#include <string.h>

static void send_line(struct session *session, const char *line)
{
    int error = session_send(session, swale_text(line));
    if (error < 0)
        say_fault(&session->say, "not sent: %s", fault_text(error));
    else if (!swale_client_conn(session->client))
        say_note(&session->say, "(waits for the connection)");
}

/* ---- Commands --------------------------------------------------------------------------------------- */

static void ping(struct session *session, const char *payload)
{
    struct swale_conn *conn = swale_client_conn(session->client);
    int error = conn ? swale_conn_ping(conn, swale_text(payload)) : SWALE_ERR_NOT_CONNECTED;
    if (error < 0)
        say_fault(&session->say, "no ping: %s", fault_text(error));
    else
        session->ping_ms = swale_loop_now(session->loop);
}

static void close_with(struct session *session, const char *arguments)
{
    char number[8];
    uint64_t code = 1000;
    size_t size = strcspn(arguments, " ");
    const char *text = arguments[size] ? arguments + size + 1 : NULL;
    snprintf(number, sizeof number, "%.*s", (int)size, arguments);
    if (size > 0 && (!units_count(number, &code) || code > UINT16_MAX))
        code = 0;
    int error = code ? session_close(session, (int)code, text) : SWALE_ERR_INVALID;
    if (error < 0)
        say_fault(&session->say, "not closed: %s", fault_text(error));
}

static void help(struct session *session, const char *arguments)
{
    (void)arguments;
    say_line(&session->say, COLOUR_DIM,
             swale_text("/ping [TEXT]            ask for a pong\n"
                        "/close [CODE [TEXT]]    close, with 1000 or this code\n"
                        "//TEXT                  send /TEXT"));
}

static void run_command(struct session *session, const char *line)
{
    static const struct {
        const char *name;
        void (*run)(struct session *session, const char *arguments);
    } commands[] = { { "ping", ping }, { "close", close_with }, { "help", help } };
    size_t size = strcspn(line, " ");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strncmp(commands[i].name, line, size) != 0 || commands[i].name[size])
            continue;
        commands[i].run(session, line + size + strspn(line + size, " "));
        return;
    }
    say_fault(&session->say, "no such command, and not sent; //... sends what begins with a slash, /help helps");
}

void prompt_line(struct session *session, const char *line)
{
    if (!*line)
        return;
    if (!session->options->slash || line[0] != '/')
        send_line(session, line);
    else if (line[1] == '/')
        send_line(session, line + 1);
    else
        run_command(session, line + 1);
}
