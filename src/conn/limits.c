/* Limits with their defaults. */
#include <swale/conn.h>

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static uint32_t or_default32(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

struct swale_limits swale_limits_resolve(const struct swale_limits *limits)
{
    static const struct swale_limits none;
    if (!limits)
        limits = &none;
    return (struct swale_limits){
        .max_message = or_default(limits->max_message, 1 << 20),
        .high_water = or_default(limits->high_water, 64 << 10),
        .max_queue = or_default(limits->max_queue, 1 << 20),
        .max_fragments = or_default32(limits->max_fragments, 4096),
        .max_inflate_ratio = or_default32(limits->max_inflate_ratio, 1000),
        .max_message_rate = or_default32(limits->max_message_rate, SWALE_OFF),
        .handshake_ms = or_default32(limits->handshake_ms, 10000),
        .ping_after_ms = or_default32(limits->ping_after_ms, 25000),
        .gone_after_ms = or_default32(limits->gone_after_ms, 10000),
        .idle_ms = or_default32(limits->idle_ms, SWALE_OFF),
        .close_wait_ms = or_default32(limits->close_wait_ms, 5000),
        .compress_threshold = or_default32(limits->compress_threshold, 1024),
    };
}
