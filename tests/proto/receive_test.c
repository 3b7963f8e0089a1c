/* What the peer may send and what it may not, as scripts and logs (see wire.h). Every script runs whole, byte by byte
 * and cut in two at every place, against a guard page, and in both roles unless it is about one. */
#include "wire.h"

enum { BOTH, TO_SERVER, TO_CLIENT };

struct vector {
    const char *wire;
    const char *log;
    int role;
};

#define ANY(wire, log)                                                                                               \
    {                                                                                                                \
        wire, log, BOTH                                                                                              \
    }
#define SERVER(wire, log)                                                                                            \
    {                                                                                                                \
        wire, log, TO_SERVER                                                                                         \
    }
#define CLIENT(wire, log)                                                                                            \
    {                                                                                                                \
        wire, log, TO_CLIENT                                                                                         \
    }

struct setting {
    bool deflate;
    bool closing; /* a close frame was sent before */
    uint64_t max_message;
    uint32_t max_fragments;
};

static void check_in_role(const struct vector *vector, const struct setting *setting, enum swale_role role)
{
    static struct wire wire;
    static struct wire_log log;
    struct swale_engine_config config = wire_config(role);
    config.max_message = setting->max_message;
    config.max_fragments = setting->max_fragments;
    struct swale_engine engine;
    swale_engine_init(&engine, &config, 0);
    swale_engine_open(&engine, setting->deflate, 0);
    char frame[SWALE_CONTROL_MAX];
    if (setting->closing)
        assert_true(swale_engine_close(&engine, 1000, swale_text(""), 0, frame) > 0);

    wire.size = 0;
    wire_script(&wire, vector->wire, role);
    log_of(&engine, &wire, NULL, 0, &log);
    assert_string_equal(log.text, vector->log);
    check_splits(&engine, &wire, vector->log);
}

static void check(const struct vector *vectors, size_t count, struct setting setting)
{
    for (size_t i = 0; i < count; i++) {
        if (vectors[i].role != TO_CLIENT)
            check_in_role(&vectors[i], &setting, SWALE_SERVER);
        if (vectors[i].role != TO_SERVER)
            check_in_role(&vectors[i], &setting, SWALE_CLIENT);
    }
}

static struct setting usual(void)
{
    return (struct setting){ .max_message = 1 << 20, .max_fragments = 100 };
}

#define CHECK(vectors, setting) check(vectors, COUNT_OF(vectors), setting)

/* ---- Messages --------------------------------------------------------------------------------------- */

/* RFC 6455 section 5.7 */
static void examples_of_the_rfc(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        CLIENT("=810548656c6c6f", "text<Hello>"),
        SERVER("=818537fa213d7f9f4d5158", "text<Hello>"),
        CLIENT("=010348656c =80026c6f", "text<Hello>"),
        CLIENT("=890548656c6c6f", "(ping Hello -> pong Hello)"),
        SERVER("=8a8537fa213d7f9f4d5158", "(pong Hello)"),
        CLIENT("=827e0100 =#256", "binary<x#256>"),
        CLIENT("=827f0000000000010000 =#65536", "binary<x#65536>"),
    };
    CHECK(vectors, usual());
}

/* RFC 6455 section 5.2: every length and both of its neighbours */
static void lengths(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("82:", "binary<>"),
        ANY("81:", "text<>"),
        ANY("82:'a'", "binary<a>"),
        ANY("82:#125", "binary<x#125>"),
        ANY("82:#126", "binary<x#126>"),
        ANY("82:#127", "binary<x#127>"),
        ANY("82:#65535", "binary<x#65535>"),
        ANY("82:#65536", "binary<x#65536>"),
        ANY("82:#65537", "binary<x#65537>"),
        ANY("81:'a' 81:'b' 82:'c' 81: 81:'d'", "text<a>text<b>binary<c>text<>text<d>"),
        SERVER("=818500000000 ='Hello'", "text<Hello>"), /* a key of zeros */
    };
    CHECK(vectors, usual());
}

static void lengths_that_are_wrong(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        /* RFC 6455 section 5.2: the shortest form only */
        CLIENT("=827e0005", "(fail frame-length -> close 1002)"),
        CLIENT("=827e007d", "(fail frame-length -> close 1002)"),
        SERVER("=82fe0000", "(fail frame-length -> close 1002)"),
        CLIENT("=827f0000000000000005", "(fail frame-length -> close 1002)"),
        SERVER("=82ff000000000000ffff", "(fail frame-length -> close 1002)"),
        /* 63 bits */
        ANY("82>8000000000000000", "(fail frame-length -> close 1002)"),
        ANY("82>ffffffffffffffff", "(fail frame-length -> close 1002)"),
        /* too much, known from the announcement */
        ANY("82>7fffffffffffffff", "(fail message-size -> close 1009)"),
        ANY("82>1000000000000", "(fail message-size -> close 1009)"),
        ANY("82>10000000000", "(fail message-size -> close 1009)"),
        /* 2^32 + 5 is not 5 */
        ANY("82>100000005 ='Hello'", "(fail message-size -> close 1009)"),
    };
    CHECK(vectors, usual());
}

/* RFC 6455 section 5.4 */
static void fragments(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("01:'Hel' 80:'lo'", "text<Hello>"),
        ANY("02:'a' 00:'b' 00:'c' 80:'d' 81:'e'", "binary<abcd>text<e>"),
        /* Empty ones, anywhere. */
        ANY("01: 80:", "text<>"),
        ANY("01: 00: 00: 80:'a'", "text<a>"),
        ANY("01: 00:'a' 00: 80:", "text<a>"),
        ANY("01:'a' 80:", "text<a>"),
        ANY("02: 00: 80: 81:'b'", "binary<>text<b>"),
        /* Control frames between them. */
        ANY("01:'Hel' 89:'p' 80:'lo'", "text<Hel(ping p -> pong p)lo>"),
        ANY("01: 89: 00: 8a:'q' 80:", "(ping -> pong)(pong q)text<>"),
        ANY("01:'a' 89:'1' 89:'2' 00:'b' 8a: 80:'c'", "text<a(ping 1 -> pong 1)(ping 2 -> pong 2)b(pong)c>"),
        ANY("02:'a' 88:03e8", "binary<a(close 1000 -> close 1000)"),
        /* Out of sequence. */
        ANY("80:'a'", "(fail frame-sequence -> close 1002)"),
        ANY("00:'a'", "(fail frame-sequence -> close 1002)"),
        ANY("81:'a' 80:'b'", "text<a>(fail frame-sequence -> close 1002)"),
        ANY("01:'a' 80:'b' 00:'c'", "text<ab>(fail frame-sequence -> close 1002)"),
        ANY("01:'a' 81:'b'", "text<a(fail frame-sequence -> close 1002)"),
        ANY("01:'a' 02:'b'", "text<a(fail frame-sequence -> close 1002)"),
        ANY("01: 01:", "(fail frame-sequence -> close 1002)"),
    };
    CHECK(vectors, usual());
}

static void size_limit(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("82:#10", "binary<x#10>"),
        ANY("82:#10 82:#10", "binary<x#10>binary<x#10>"),
        ANY("82:#11", "(fail message-size -> close 1009)"),
        ANY("02:#8 80:'ab'", "binary<x#8ab>"),
        ANY("02:#8 80:'abc'", "binary<x#8(fail message-size -> close 1009)"),
        ANY("02:#10 00: 80:", "binary<x#10>"),
        ANY("02:'a' 80>7fffffffffffffff", "binary<a(fail message-size -> close 1009)"),
        ANY("02:#10 89:'not counted' 80:", "binary<x#10(ping not counted -> pong not counted)>"),
    };
    struct setting setting = usual();
    setting.max_message = 10;
    CHECK(vectors, setting);
}

static void nothing_but_empty_messages_is_allowed(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("82: 81:", "binary<>text<>"),
        ANY("82:'a'", "(fail message-size -> close 1009)"),
    };
    struct setting setting = usual();
    setting.max_message = 0;
    CHECK(vectors, setting);
}

static void largest_size_limit_does_not_wrap(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        CLIENT("02:'a' 00>7fffffffffffffff ='bcd'", "binary<abcd"),
    };
    struct setting setting = usual();
    setting.max_message = UINT64_MAX;
    CHECK(vectors, setting);
}

static void fragment_limit(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("01:'a' 00:'b' 80:'c' 82:'d'", "text<abc>binary<d>"),
        ANY("01:'a' 00:'b' 00:'c' 80:'d'", "text<abc(fail fragment-count -> close 1008)"),
        ANY("01: 00: 00: 00:", "(fail fragment-count -> close 1008)"),
        ANY("01: 89: 00: 89: 80:", "(ping -> pong)(ping -> pong)text<>"),
    };
    struct setting setting = usual();
    setting.max_fragments = 3;
    CHECK(vectors, setting);
}

static void without_fragments_there_is_no_message(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("89: 82:'a'", "(ping -> pong)(fail fragment-count -> close 1008)"),
    };
    struct setting setting = usual();
    setting.max_fragments = 0;
    CHECK(vectors, setting);
}

/* ---- The header ------------------------------------------------------------------------------------- */

static void masking_rule(void **state)
{
    (void)state;
    /* RFC 6455 section 5.1 */
    static const struct vector vectors[] = {
        SERVER("=8105 ='Hello'", "(fail frame-mask -> close 1002)"),
        SERVER("=8200", "(fail frame-mask -> close 1002)"),
        SERVER("=8900", "(fail frame-mask -> close 1002)"),
        SERVER("=8a00", "(fail frame-mask -> close 1002)"),
        SERVER("=880203e8", "(fail frame-mask -> close 1002)"),
        CLIENT("=818537fa213d7f9f4d5158", "(fail frame-mask -> close 1002)"),
        CLIENT("=898000000000", "(fail frame-mask -> close 1002)"),
        CLIENT("=888000000000", "(fail frame-mask -> close 1002)"),
    };
    CHECK(vectors, usual());
}

/* The error that the first two bytes of a frame make, straight from the RFC's sentences; NULL for none. */
static const char *fault_of(unsigned byte0, unsigned byte1, bool inside, bool deflate, enum swale_role role)
{
    unsigned opcode = byte0 & 15, length = byte1 & 127;
    bool fin = byte0 >= 128, rsv1 = byte0 & 64, rsv23 = byte0 & 48, masked = byte1 >= 128;
    bool starts = opcode == 1 || opcode == 2, control = opcode >= 8;
    if (rsv23 || (rsv1 && !(deflate && starts)))
        return "frame-reserved";
    if ((opcode >= 3 && opcode <= 7) || opcode >= 11)
        return "frame-opcode";
    if (control && !fin)
        return "frame-control";
    if ((starts && inside) || (opcode == 0 && !inside))
        return "frame-sequence";
    if (masked != (role == SWALE_SERVER))
        return "frame-mask";
    return control && length > 125 ? "frame-control" : NULL;
}

static void check_pair(unsigned pair, bool inside, bool deflate, enum swale_role role)
{
    struct swale_engine_config config = wire_config(role);
    struct swale_engine engine;
    struct swale_event event;
    char start_server[] = { 0x01, (char)0x80, 0, 0, 0, 0 }, start_client[] = { 0x01, 0x00 };
    swale_engine_init(&engine, &config, 0);
    swale_engine_open(&engine, deflate, 0);
    if (inside && role == SWALE_SERVER)
        assert_int_equal(swale_engine_receive(&engine, start_server, 6, 0, &event), 6);
    else if (inside)
        assert_int_equal(swale_engine_receive(&engine, start_client, 2, 0, &event), 2);

    char bytes[2] = { (char)(pair >> 8), (char)pair };
    const char *fault = fault_of(pair >> 8, pair & 255, inside, deflate, role);
    size_t used = swale_engine_receive(&engine, bytes, 2, 0, &event);
    if (fault) {
        assert_int_equal(event.type, SWALE_EVENT_FAIL);
        assert_string_equal(swale_error_name(event.error), fault);
        assert_int_equal(event.close_code, 1002);
        assert_int_equal(used, 2);
    } else {
        /* An empty frame to a client is whole; nothing else is. */
        bool whole = role == SWALE_CLIENT && (pair & 0x7f) == 0;
        assert_int_equal(event.type == SWALE_EVENT_FAIL, false);
        assert_true(whole || event.type == SWALE_EVENT_NONE);
    }
}

static void every_first_two_bytes(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++)
        for (int mode = 0; mode < 8; mode++)
            check_pair(pair, mode & 1, mode & 2, mode & 4 ? SWALE_SERVER : SWALE_CLIENT);
}

/* A fault in byte 0 is told before byte 1 is there. */
static void faults_are_told_at_once(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("=83", "(fail frame-opcode -> close 1002)"),
        ANY("=8b", "(fail frame-opcode -> close 1002)"),
        ANY("=91", "(fail frame-reserved -> close 1002)"),
        ANY("=c1", "(fail frame-reserved -> close 1002)"),
        ANY("=09", "(fail frame-control -> close 1002)"),
        ANY("=80", "(fail frame-sequence -> close 1002)"),
        SERVER("=8101", "(fail frame-mask -> close 1002)"),
        SERVER("=89fe", "(fail frame-control -> close 1002)"),
        CLIENT("=887f", "(fail frame-control -> close 1002)"),
        SERVER("=82ff0000000000ffffff", "(fail message-size -> close 1009)"), /* before the key */
    };
    CHECK(vectors, usual());
}

static void incomplete_is_no_event(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("", ""),
        ANY("=81", ""),
        SERVER("=82fe01", ""),
        SERVER("=82850102", ""),
        ANY("82>5", ""),
        CLIENT("82>5 ='abc'", "binary<abc"),
        ANY("89>5 ='abc'", ""),
        ANY("88>2 =03", ""),
        ANY("01:", ""),
        ANY("01:'a' 80>7d", "text<a"),
    };
    CHECK(vectors, usual());
}

static void nothing_counts_behind_an_end(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("83: 81:'a' 89:", "(fail frame-opcode -> close 1002)"),
        ANY("81:'a' 83: 88:03e8 =ffffffff", "text<a>(fail frame-opcode -> close 1002)"),
        ANY("88:03e8 81:'a' 89:'b' 88:03e9 =ffff", "(close 1000 -> close 1000)"),
    };
    CHECK(vectors, usual());
}

/* ---- Text ------------------------------------------------------------------------------------------- */

/* RFC 6455 section 8.1. What stands before the breaking byte is delivered, whatever the cut. */
static void text_is_utf8(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("81:cebae1bdb9cf83cebcceb5", "text<\\xce\\xba\\xe1\\xbd\\xb9\\xcf\\x83\\xce\\xbc\\xce\\xb5>"),
        ANY("81:f48fbfbf", "text<\\xf4\\x8f\\xbf\\xbf>"),
        ANY("81:00", "text<\\x00>"),
        ANY("81:ff", "(fail utf8 -> close 1007)"),
        ANY("81:c0af", "(fail utf8 -> close 1007)"),
        ANY("81:'a'80'b'", "text<a(fail utf8 -> close 1007)"),
        ANY("81:e080af", "text<\\xe0(fail utf8 -> close 1007)"),
        ANY("81:eda080", "text<\\xed(fail utf8 -> close 1007)"),
        ANY("81:f4908080", "text<\\xf4(fail utf8 -> close 1007)"),
        ANY("81:f888808080", "(fail utf8 -> close 1007)"),
        ANY("81:'a'ce", "text<a(fail utf8 -> close 1007)"),
        ANY("81:'a'f09f98", "text<a\\xf0\\x9f(fail utf8 -> close 1007)"),
        ANY("81:ce", "(fail utf8 -> close 1007)"),
        ANY("81:'Hello'ff'World' 81:'next'", "text<Hello(fail utf8 -> close 1007)"),
        ANY("81:#100'a'ff#100", "text<x#100a(fail utf8 -> close 1007)"),
        ANY("82:ffc080", "binary<\\xff\\xc0\\x80>"),
    };
    CHECK(vectors, usual());
}

static void characters_over_fragments(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("01:f0 80:9f9880", "text<\\xf0\\x9f\\x98\\x80>"),
        ANY("01:f09f 80:9880", "text<\\xf0\\x9f\\x98\\x80>"),
        ANY("01:f09f98 80:80", "text<\\xf0\\x9f\\x98\\x80>"),
        ANY("01:f0 00:9f 89:'p' 00: 00:98 80:80", "text<\\xf0\\x9f(ping p -> pong p)\\x98\\x80>"),
        ANY("01:ce 80:ce", "text<\\xce(fail utf8 -> close 1007)"),
        ANY("01:'a'ce 80:", "text<a\\xce(fail utf8 -> close 1007)"),
        ANY("01:ce 80:'ba'", "text<\\xce(fail utf8 -> close 1007)"),
        ANY("01:f490 00:'never'", "text<\\xf4(fail utf8 -> close 1007)"), /* without waiting for the end */
        ANY("01:'a'ff", "text<a(fail utf8 -> close 1007)"),
        ANY("02:ce 80:ce 81:'ok'", "binary<\\xce\\xce>text<ok>"),
        ANY("81:'a' 01:ce 80:ba 81:'b'", "text<a>text<\\xce\\xba>text<b>"),
    };
    CHECK(vectors, usual());
}

/* A byte of a payload that is not there yet cannot matter. */
static void bad_text_is_told_before_the_frame_ends(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        CLIENT("81>64 ='ab'ff", "text<ab(fail utf8 -> close 1007)"),
        CLIENT("81>64 ='ab'ce", "text<ab\\xce"),
    };
    CHECK(vectors, usual());
}

/* It is checked in runs of 8 KiB. */
static void long_text(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("81:#8191e282ac#9000", "text<x#8191\\xe2\\x82\\xacx#9000>"),
        ANY("81:#8190e282ac#8191c3a9", "text<x#8190\\xe2\\x82\\xacx#8191\\xc3\\xa9>"),
        ANY("81:#8191ff#9000", "text<x#8191(fail utf8 -> close 1007)"),
        ANY("81:#8192ff#9000", "text<x#8192(fail utf8 -> close 1007)"),
        ANY("81:#8191e2'a'#9000", "text<x#8191\\xe2(fail utf8 -> close 1007)"),
        ANY("81:#8190e282'a'#9000", "text<x#8190\\xe2\\x82(fail utf8 -> close 1007)"),
        ANY("81:#16383e282", "text<x#16383\\xe2(fail utf8 -> close 1007)"),
        ANY("01:#16384e2 80:82ac#8192", "text<x#16384\\xe2\\x82\\xacx#8192>"),
    };
    CHECK(vectors, usual());
}

/* ---- Compression: RFC 7692 section 6 ------------------------------------------------------------------- */

static void compressed_messages(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("c1:f248cdc9c90700", "text*<\\xf2H\\xcd\\xc9\\xc9\\x07\\x00>"),
        ANY("41:f248cd 80:c9c90700", "text*<\\xf2H\\xcd\\xc9\\xc9\\x07\\x00>"),
        ANY("c2:00 81:'plain' c1:ff", "binary*<\\x00>text<plain>text*<\\xff>"), /* text is checked after inflation */
        ANY("41:'a' 89:'p' 80:'b'", "text*<a(ping p -> pong p)b>"),
        ANY("41:'a' 00: 80:", "text*<a>"),
        ANY("41: 80:", "text*<>"),
        ANY("c1:'a' 81:ff", "text*<a>(fail utf8 -> close 1007)"),
        /* RSV1 anywhere but on a first frame. */
        ANY("41:'a' c0:'b'", "text*<a(fail frame-reserved -> close 1002)"),
        ANY("01:'a' c0:'b'", "text<a(fail frame-reserved -> close 1002)"),
        ANY("c9:", "(fail frame-reserved -> close 1002)"),
        ANY("c8:", "(fail frame-reserved -> close 1002)"),
        ANY("e1:'a'", "(fail frame-reserved -> close 1002)"),
        ANY("d1:'a'", "(fail frame-reserved -> close 1002)"),
    };
    struct setting setting = usual();
    setting.deflate = true;
    CHECK(vectors, setting);
}

static void not_negotiated(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("c1:'a'", "(fail frame-reserved -> close 1002)"),
        ANY("42:'a'", "(fail frame-reserved -> close 1002)"),
    };
    CHECK(vectors, usual());
}

/* ---- Control frames: RFC 6455 section 5.5 ----------------------------------------------------------- */

static void pings_and_pongs(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("89:", "(ping -> pong)"),
        ANY("89:#125", "(ping x#125 -> pong x#125)"),
        ANY("89:00ff", "(ping \\x00\\xff -> pong \\x00\\xff)"), /* any bytes: no text */
        ANY("8a: 8a:'unasked'", "(pong)(pong unasked)"),
        ANY("89:#126", "(fail frame-control -> close 1002)"),
        ANY("8a:#126", "(fail frame-control -> close 1002)"),
        ANY("89:#65536", "(fail frame-control -> close 1002)"),
        ANY("09:", "(fail frame-control -> close 1002)"),
        ANY("0a:'a'", "(fail frame-control -> close 1002)"),
        ANY("08:03e8", "(fail frame-control -> close 1002)"),
    };
    CHECK(vectors, usual());
}

static void close_frames(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("88:", "(close 1005 -> close)"),
        ANY("88:03e8", "(close 1000 -> close 1000)"),
        ANY("88:03e8'bye'", "(close 1000 bye -> close 1000)"),
        ANY("88:0fa0ceba", "(close 4000 \\xce\\xba -> close 4000)"),
        ANY("88:03e9#123", "(close 1001 x#123 -> close 1001)"),
        ANY("88:03e9#124", "(fail frame-control -> close 1002)"),
        ANY("88:03", "(fail close-payload -> close 1002)"),
        ANY("88:03e7", "(fail close-code -> close 1002)"),
        ANY("88:03ed", "(fail close-code -> close 1002)"),
        ANY("88:ffff", "(fail close-code -> close 1002)"),
        ANY("88:03e8ff", "(fail utf8 -> close 1007)"),
        ANY("88:03e8ce", "(fail utf8 -> close 1007)"),
        ANY("88:03edff", "(fail close-code -> close 1002)"),
        ANY("88:03e8 88:03e8", "(close 1000 -> close 1000)"),
    };
    CHECK(vectors, usual());
}

/* After our close frame nothing is answered: no pong, no second close (RFC 6455 sections 5.5.1, 5.5.2). */
static void while_closing(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        ANY("88:03e8", "(close 1000)"),
        ANY("88:", "(close 1005)"),
        ANY("81:'late' 89:'p' 8a: 88:03e9'bye' 81:'x'", "text<late>(ping p)(pong)(close 1001 bye)"),
        ANY("01:'a' 80:'b'", "text<ab>"),
        ANY("83:", "(fail frame-opcode)"),
        ANY("81:ff", "(fail utf8)"),
        ANY("88:03", "(fail close-payload)"),
    };
    struct setting setting = usual();
    setting.closing = true;
    CHECK(vectors, setting);
}

/* ---- Many frames, at random ------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    return *random >> 8;
}

static void add_random_frame(struct wire *wire, uint32_t *random, enum swale_role role)
{
    static const unsigned char heads[] = { 0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0xc1, 0x41, 0x00, 0x80 };
    static const char payload[] = "Hello \xce\xba\xe2\x82\xac\xf0\x9f\x98\x80 and some more text, so that SIMD runs "
                                  "too: \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.";
    uint32_t r = next_random(random);
    unsigned char head = r % 61 == 0 ? (unsigned char)(r >> 8) : heads[r % COUNT_OF(heads)];
    if (r % 127 == 0)
        head = 0x88;
    size_t size = next_random(random) % sizeof payload;
    wire_frame(wire, head, payload, size, role);
}

static void random_streams(void **state)
{
    (void)state;
    static struct wire wire;
    static struct wire_log whole, cut;
    uint32_t random = 7;
    for (int round = 0; round < 1500; round++) {
        enum swale_role role = round % 2 ? SWALE_CLIENT : SWALE_SERVER;
        struct swale_engine_config config = wire_config(role);
        struct swale_engine engine;
        swale_engine_init(&engine, &config, 0);
        swale_engine_open(&engine, round % 3 == 0, 0);
        wire.size = 0;
        for (uint32_t frames = 1 + next_random(&random) % 12; frames > 0; frames--)
            add_random_frame(&wire, &random, role);
        log_of(&engine, &wire, NULL, 0, &whole);
        size_t cuts[3] = { 0, next_random(&random) % wire.size, 0 };
        cuts[0] = next_random(&random) % (cuts[1] + 1);
        cuts[2] = cuts[1] + next_random(&random) % (wire.size - cuts[1]);
        log_of(&engine, &wire, cuts, 3, &cut);
        assert_string_equal(cut.text, whole.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(lengths),
        cmocka_unit_test(lengths_that_are_wrong),
        cmocka_unit_test(fragments),
        cmocka_unit_test(size_limit),
        cmocka_unit_test(nothing_but_empty_messages_is_allowed),
        cmocka_unit_test(largest_size_limit_does_not_wrap),
        cmocka_unit_test(fragment_limit),
        cmocka_unit_test(without_fragments_there_is_no_message),
        cmocka_unit_test(masking_rule),
        cmocka_unit_test(every_first_two_bytes),
        cmocka_unit_test(faults_are_told_at_once),
        cmocka_unit_test(incomplete_is_no_event),
        cmocka_unit_test(nothing_counts_behind_an_end),
        cmocka_unit_test(text_is_utf8),
        cmocka_unit_test(characters_over_fragments),
        cmocka_unit_test(bad_text_is_told_before_the_frame_ends),
        cmocka_unit_test(long_text),
        cmocka_unit_test(compressed_messages),
        cmocka_unit_test(not_negotiated),
        cmocka_unit_test(pings_and_pongs),
        cmocka_unit_test(close_frames),
        cmocka_unit_test(while_closing),
        cmocka_unit_test(random_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
