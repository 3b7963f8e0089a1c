#include "app/connect/status.h"

#include <errno.h>

_Static_assert(CONNECT_OK == (int)STATUS_OK && CONNECT_FAILED == (int)STATUS_FAILED &&
                   CONNECT_USAGE == (int)STATUS_USAGE,
               "the first three are common to all subcommands");

static bool within(int reason, int first, int last)
{
    return reason <= first && reason >= last;
}

static bool is_tls(int reason)
{
    return reason == SWALE_ERR_TLS || reason == SWALE_ERR_TLS_TRUNCATED || reason == SWALE_ERR_TLS_UNTRUSTED ||
           reason == SWALE_ERR_TLS_PIN;
}

/* Whoever's handshake it was that failed, the phase tells with whom. */
static int status_of_phase(enum swale_client_phase phase)
{
    switch (phase) {
    case SWALE_PHASE_RESOLVE:
        return CONNECT_RESOLVE;
    case SWALE_PHASE_CONNECT:
        return CONNECT_CONNECT;
    case SWALE_PHASE_PROXY:
        return CONNECT_PROXY;
    case SWALE_PHASE_TLS:
        return CONNECT_TLS;
    case SWALE_PHASE_HANDSHAKE:
    case SWALE_PHASE_OPEN:
        break;
    }
    return CONNECT_ANSWER;
}

int status_of_failure(const struct swale_client_failure *failure)
{
    switch (failure->reason) {
    case SWALE_ERR_HANDSHAKE_TIMEOUT:
    case SWALE_ERR_TIMEOUT:
        return CONNECT_TIMEOUT;
    case SWALE_ERR_ANSWER_STATUS:
    case SWALE_ERR_REDIRECT:
        return CONNECT_REFUSED;
    case SWALE_ERR_NO_MEMORY:
    case SWALE_ERR_INTERNAL:
    case SWALE_ERR_LOCAL_CLOSED:
    case -ENOMEM:
        return CONNECT_FAILED;
    default:
        break;
    }
    if (is_tls(failure->reason) && failure->phase != SWALE_PHASE_PROXY)
        return CONNECT_TLS;
    return status_of_phase(failure->phase);
}

/* A close of our own counts as clean when the server answered it, with whatever of the codes that say "normal". */
static int status_of_code(const struct swale_close *close)
{
    bool local = close->reason == SWALE_ERR_LOCAL_CLOSED;
    bool normal = close->code == 1000 || close->code == 1001 || (local && close->code == 1005);
    return normal && close->clean ? CONNECT_OK : close->clean || !local ? CONNECT_CLOSED : CONNECT_DROPPED;
}

int status_of_close(const struct swale_close *close)
{
    if (close->reason == SWALE_ERR_PEER_CLOSED || close->reason == SWALE_ERR_LOCAL_CLOSED)
        return status_of_code(close);
    if (close->reason == SWALE_ERR_NO_MEMORY || close->reason == SWALE_ERR_INTERNAL || close->reason == -ENOMEM)
        return CONNECT_FAILED;
    bool broken = within(close->reason, SWALE_ERR_FRAME_MASK, SWALE_ERR_DEFLATE_DATA);
    bool limit = within(close->reason, SWALE_ERR_MESSAGE_SIZE, SWALE_ERR_MESSAGE_RATE);
    return broken || limit ? CONNECT_PROTOCOL : CONNECT_DROPPED;
}

void status_help(FILE *out)
{
#define ROW(number, name, text) { number, text },
    static const struct {
        int number;
        const char *text;
    } table[] = { CONNECT_STATUSES(ROW) };
#undef ROW
    fputs("Exit status\n", out);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        fprintf(out, "  %2d  %s\n", table[i].number, table[i].text);
}
