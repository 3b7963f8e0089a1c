#include "service.h"

#include <stdio.h>

/* Is it one of ours? Behind the numbers there may be blanks. */
static bool parse(struct swale_span text, unsigned *member, unsigned *number, unsigned *copy)
{
    char line[64] = "";
    memcpy(line, text.data, text.size < sizeof line ? text.size : sizeof line - 1);
    return sscanf(line, "%u %u %u", member, number, copy) == 3 && *member < MEMBERS && *number < NUMBERS &&
           *copy < COPIES;
}

static void on_message(struct swale_conn *conn, const struct swale_message *message)
{
    struct board *board = swale_conn_user(conn);
    unsigned member, number, copy;
    char answer[16];
    if (!parse(message->data, &member, &number, &copy)) {
        board->odd++;
        return;
    }
    board->members[member].seen[copy]++;
    if (board->members[member].counted[number] == 0)
        board->members[member].counted[number]++;
    snprintf(answer, sizeof answer, "%u", number);
    swale_conn_send_text(conn, answer);
    if (board->hanging_up)
        swale_conn_close(conn, 1012, "restarting");
}

static enum swale_verdict on_upgrade(struct swale_exchange *exchange)
{
    struct board *board = swale_exchange_route_user(exchange);
    char seconds[16];
    if (!board->unavailable)
        return SWALE_ACCEPT;
    snprintf(seconds, sizeof seconds, "%u", board->retry_after_s);
    swale_exchange_add_field(exchange, "Retry-After", seconds);
    swale_exchange_reply(exchange, 503, NULL, swale_text("not now"));
    board->refused++;
    return SWALE_REFUSE;
}

void service_attach(struct swale_server *server, struct board *board)
{
    static const struct swale_handler handler = { .on_message = on_message };
    struct swale_route route = { .handler = &handler, .on_upgrade = on_upgrade, .user = board };
    if (swale_server_route(server, "/", &route) != 0)
        board->odd++;
}
