/* The names of states, phases and fates, for logs and people. */
#include <swale/client.h>

#define COUNT(names) (sizeof(names) / sizeof(names)[0])

static const char *name_at(const char *const *names, size_t count, unsigned index)
{
    return index < count ? names[index] : "unknown";
}

const char *swale_client_state_name(enum swale_client_state state)
{
    static const char *const names[] = { "connecting", "open", "closing", "waiting", "ended" };
    return name_at(names, COUNT(names), (unsigned)state);
}

const char *swale_client_phase_name(enum swale_client_phase phase)
{
    static const char *const names[] = { "resolve", "connect", "proxy", "tls", "handshake", "open" };
    return name_at(names, COUNT(names), (unsigned)phase);
}

const char *swale_fate_name(enum swale_fate fate)
{
    static const char *const names[] = { "queued", "written", "unknown", "refused", "forgotten" };
    return name_at(names, COUNT(names), (unsigned)fate);
}
