#include "client/retry.h"

/* ---- Whether ---------------------------------------------------------------------------------------- */

/* RFC 6455 section 7.4.1: what would be the same the next time, or was meant. */
static bool code_final(const struct swale_reconnect *policy, int code)
{
    static const uint16_t final[] = { 1000, 1002, 1003, 1007, 1008, 1009, 1010 };
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++)
        if (code == final[i])
            return true;
    for (size_t i = 0; i < policy->final_code_count; i++)
        if (code == policy->final_codes[i])
            return true;
    return false;
}

/* RFC 9110 section 15: 408 and 429 say "later", as does 425 (RFC 8470); every other 3xx and 4xx is meant. */
static bool status_final(int status)
{
    if (status == 408 || status == 425 || status == 429)
        return false;
    return (status >= 300 && status < 500) || status == 501 || status == 505;
}

/* The codes above -2000 ask the caller to mend a call. */
static bool reason_final(int reason)
{
    switch (reason) {
    case SWALE_ERR_ANSWER_FIELDS:
    case SWALE_ERR_ANSWER_ACCEPT:
    case SWALE_ERR_ANSWER_EXTENSIONS:
    case SWALE_ERR_ANSWER_SUBPROTOCOL:
    case SWALE_ERR_ANSWER_BODY:
    case SWALE_ERR_ANSWER_INTERIM:
    case SWALE_ERR_REDIRECT:
    case SWALE_ERR_PROXY_LOGIN:
        return true;
    default:
        return reason <= -1001 && reason > -2000;
    }
}

/* A connection that the application closed on the connection itself (swale_conn_close) was not meant for good, though
 * the peer echoes its code. */
static bool final(const struct swale_reconnect *policy, const struct swale_client_retry *retry)
{
    if (retry->phase != SWALE_PHASE_OPEN)
        return status_final(retry->status) || reason_final(retry->reason);
    if (retry->reason == SWALE_ERR_LOCAL_CLOSED)
        return false;
    return code_final(policy, retry->code) || code_final(policy, swale_error_close_code(retry->reason));
}

/* ---- When ------------------------------------------------------------------------------------------- */

uint32_t swale__retry_cap(const struct swale_reconnect *policy, uint32_t failures)
{
    uint64_t cap = policy->first_ms;
    for (uint32_t i = 1; i < failures && cap < policy->max_ms; i++)
        cap *= 2;
    return cap < policy->max_ms ? (uint32_t)cap : policy->max_ms;
}

/* Evenly between 0 and the cap, both included: of 2^64 values at most 2^32 stand for one millisecond more.
 *
 * The part that the server asked for is the same for all whom it told, so that the random part stands behind it, and
 * is as wide: a crowd that was sent away for ten seconds after its first failure would come back within one
 * otherwise. */
static uint64_t jitter(const struct swale_reconnect *policy, uint32_t failures, uint64_t asked, uint64_t random)
{
    uint64_t cap = swale__retry_cap(policy, failures);
    uint64_t width = asked < policy->max_ms ? asked : policy->max_ms;
    return random % ((cap > width ? cap : width) + 1);
}

/* The last try is made when the gap has become as long as it may. */
int64_t swale__retry_delay(const struct swale_reconnect *policy, const struct swale_client_retry *retry,
                           uint64_t gap_ms, uint64_t random)
{
    uint64_t left = policy->max_gap_ms == SWALE_OFF ? UINT64_MAX : policy->max_gap_ms;
    uint64_t asked = retry->retry_after_ms > 0 ? (uint64_t)retry->retry_after_ms : 0;
    if (policy->off || final(policy, retry) || retry->failures >= policy->max_failures || gap_ms >= left)
        return SWALE_CLIENT_STOP;
    left -= gap_ms;
    if (asked > policy->max_retry_after_ms)
        asked = policy->max_retry_after_ms;
    if (asked > left)
        return SWALE_CLIENT_STOP;
    uint64_t delay = asked + jitter(policy, retry->failures, asked, random);
    return (int64_t)(delay < left ? delay : left);
}
