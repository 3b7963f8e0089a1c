/* frame.c - what an engine sends, read by reference.c.
 *
 * Input: one byte of options, then a script of frames to be sent: messages in fragments, pings, a close. What is
 * refused, and what must then be on the wire, a model here says; the reference reads from the wire what was asked
 * for. Apart from that the script is read as headers of any length, and as the payload of a close frame. */
#include "proto/frame.h"
#include "proto/close.h"
#include "reference.h"

enum { ROOM = 1 << 15, MASK = 0xa5 };

struct world {
    struct fuzz_input input;
    struct swale_engine engine;
    bool client, deflate, closed;
    unsigned sending; /* kind of the message under way; 0: none is */
    bool compressed, told;
    char wire[ROOM], expected[ROOM];
    size_t wire_size, expected_size;
};

static void masks(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, MASK, size);
}

static void put_wire(struct world *world, const char *data, size_t size)
{
    require(size <= ROOM - world->wire_size);
    memcpy(world->wire + world->wire_size, data, size);
    world->wire_size += size;
}

static void expect(struct world *world, const void *data, size_t size)
{
    require(size <= ROOM - world->expected_size);
    if (size > 0)
        memcpy(world->expected + world->expected_size, data, size);
    world->expected_size += size;
}

/* ---- Data ------------------------------------------------------------------------------------------------- */

/* Small, or about where the header changes its form; write_header tries the large ones. */
static size_t take_size(struct world *world)
{
    unsigned byte = fuzz_byte(&world->input);
    return byte < 200 ? byte % 16 : byte - 100;
}

static int expected_send_error(const struct world *world, unsigned kind, bool compressed)
{
    if (kind != 1 && kind != 2)
        return SWALE_ERR_INVALID;
    if ((world->sending && world->sending != kind) || (compressed && !world->deflate))
        return SWALE_ERR_STATE;
    return world->closed ? SWALE_ERR_CLOSED : 0;
}

static void put_payload(struct world *world, size_t size, const unsigned char mask[4])
{
    char payload[256];
    memset(payload, 'a', size);
    expect(world, payload, size);
    if (world->client)
        swale_mask(payload, size, mask, 0);
    put_wire(world, payload, size);
}

/* The first frame says whether the message is compressed; a reader learns of it with the first payload, or the end.
 */
static void begin_or_go_on(struct world *world, unsigned kind, bool compressed, bool telling)
{
    if (!world->sending) {
        world->compressed = compressed;
        world->told = false;
    }
    const char begin[] = { 'm', (char)kind, world->compressed };
    if (telling && !world->told)
        expect(world, begin, sizeof begin);
    world->told |= telling;
}

static void send_frame(struct world *world, unsigned how)
{
    char header[SWALE_HEADER_MAX];
    unsigned char mask[4];
    unsigned kind = how / 8 % 4;
    bool compressed = how & 32, last = how & 64;
    size_t size = take_size(world);
    if (size > ROOM - 64 - world->wire_size || size > ROOM - 64 - world->expected_size)
        return;
    int error = expected_send_error(world, kind, compressed);
    int length = swale_engine_send(&world->engine, (enum swale_kind)kind, compressed, last, size, 0, header, mask);
    require(error ? length == error : length >= 2 && length <= SWALE_HEADER_MAX);
    if (error)
        return;
    put_wire(world, header, (size_t)length);
    begin_or_go_on(world, kind, compressed, size > 0 || last);
    put_payload(world, size, mask);
    if (last)
        expect(world, "e", 1);
    world->sending = last ? 0 : kind;
}

/* ---- Control frames ---------------------------------------------------------------------------------------- */

static void expect_control(struct world *world, unsigned opcode, unsigned code, struct swale_span payload)
{
    const char begin[] = { 'c', (char)opcode, (char)(code >> 8), (char)code };
    expect(world, begin, sizeof begin);
    expect(world, payload.data, payload.size);
}

static bool room_for_control(const struct world *world)
{
    return ROOM - world->wire_size > 256 && ROOM - world->expected_size > 256;
}

static void ping(struct world *world)
{
    char frame[SWALE_CONTROL_MAX];
    struct swale_span payload = fuzz_span(&world->input, fuzz_byte(&world->input) % 128);
    int length = swale_engine_ping(&world->engine, payload, frame);
    int error = world->closed ? SWALE_ERR_CLOSED : payload.size > 125 ? SWALE_ERR_INVALID : 0;
    require(error ? length == error : length > 0);
    if (error)
        return;
    expect_control(world, SWALE__PING, 0, payload);
    put_wire(world, frame, (size_t)length);
}

/* What RFC 6455 section 7.4 says, in one piece. */
static bool may_be_sent(int code)
{
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

static bool may_be_closed_with(int code, struct swale_span reason)
{
    if (code == 0)
        return reason.size == 0;
    return may_be_sent(code) && reason.size <= 123 && reference_text((const uint8_t *)reason.data, reason.size);
}

static void close_it(struct world *world)
{
    char frame[SWALE_CONTROL_MAX];
    int code = (int)(fuzz_byte(&world->input) * 256 + fuzz_byte(&world->input));
    struct swale_span reason = fuzz_span(&world->input, fuzz_byte(&world->input) % 128);
    int length = swale_engine_close(&world->engine, code, reason, 0, frame);
    int error = world->closed ? SWALE_ERR_CLOSED : may_be_closed_with(code, reason) ? 0 : SWALE_ERR_INVALID;
    require(error ? length == error : length > 0);
    if (error)
        return;
    world->closed = true;
    expect_control(world, SWALE__CLOSE, code ? (unsigned)code : 1005, reason);
    put_wire(world, frame, (size_t)length);
}

/* ---- The whole ---------------------------------------------------------------------------------------------- */

static void require_wire(struct world *world)
{
    struct reference reader = { .server = world->client,
                                .deflate = world->deflate,
                                .close_sent = true,
                                .max_message = UINT64_MAX,
                                .max_fragments = UINT32_MAX };
    reference_read(&reader, (const uint8_t *)world->wire, world->wire_size);
    require(reader.faults == 0 && reader.closed == world->closed);
    struct swale_span read = swale_span((const char *)reader.log, reader.log_size);
    struct swale_span expected = swale_span(world->expected, world->expected_size);
    require(swale_span_equal(read, expected));
    free(reader.log);
}

static void send_script(const uint8_t *data, size_t size)
{
    static struct world world;
    const struct swale_engine_config config = { .role = data[0] & 1 ? SWALE_CLIENT : SWALE_SERVER, .random = masks };
    memset(&world, 0, offsetof(struct world, wire));
    world.wire_size = world.expected_size = 0;
    world.input = (struct fuzz_input){ data + 1, data + size };
    world.client = data[0] & 1;
    world.deflate = data[0] & 2;
    swale_engine_init(&world.engine, &config, 0);
    swale_engine_open(&world.engine, world.deflate, 0);
    while (world.input.at < world.input.end && room_for_control(&world)) {
        unsigned how = fuzz_byte(&world.input);
        if (how % 8 == 0)
            ping(&world);
        else if (how % 8 == 1)
            close_it(&world);
        else
            send_frame(&world, how);
    }
    require_wire(&world);
}

/* Any bytes as a header: what frame.c reads is what the reference reads. */
static void read_header(const uint8_t *data, size_t size)
{
    struct reference_frame frame;
    uint64_t length;
    reference_frame(&frame, data, size);
    if (size < 2)
        return;
    char *block = fuzz_copy(data, size);
    int told = swale__frame_length(block, size, &length);
    free(block);
    if (frame.length_end == 0) {
        require(told == 0);
        return;
    }
    size_t shortest = frame.length < 126 ? 2 : frame.length < 65536 ? 4 : 10;
    bool good = frame.length_end == shortest && frame.length <= INT64_MAX;
    require(good ? told == (int)frame.length_end && length == frame.length : told == SWALE_ERR_FRAME_LENGTH);
}

/* And any length as one to be written, by whom it may be. */
static void write_header(const uint8_t *data, size_t size)
{
    const struct swale_engine_config config = { .role = SWALE_CLIENT, .random = masks };
    uint64_t length = 0;
    char header[SWALE_HEADER_MAX], masked[SWALE_HEADER_MAX];
    unsigned char mask[4];
    struct reference_frame frame;
    struct swale_engine engine;
    memcpy(&length, data, size < sizeof length ? size : sizeof length);
    length >>= size % 64;
    swale_engine_init(&engine, &config, 0);
    swale_engine_open(&engine, true, 0);
    int made = swale_frame_header(SWALE_BINARY, size % 2, length, header);
    int sent = swale_engine_send(&engine, SWALE_BINARY, size % 2, true, length, 0, masked, mask);
    if (length > INT64_MAX) {
        require(made == SWALE_ERR_INVALID && sent == SWALE_ERR_INVALID);
        return;
    }
    reference_frame(&frame, (const uint8_t *)header, (size_t)made);
    require(frame.header == (size_t)made && frame.length == length && frame.opcode == 2 && frame.final);
    require(frame.reserved == (size % 2 ? 4 : 0) && !frame.masked);
    require(made == (length < 126 ? 2 : length < 65536 ? 4 : 10));
    reference_frame(&frame, (const uint8_t *)masked, (size_t)sent);
    require(sent == made + 4 && frame.header == (size_t)sent && frame.masked && frame.length == length);
    require(memcmp(frame.key, mask, 4) == 0 && masked[0] == header[0]);
}

static void read_close(const uint8_t *data, size_t size)
{
    char payload[2 + SWALE_REASON_MAX];
    int code;
    struct swale_span reason;
    if (size > 125)
        size = 125;
    char *block = fuzz_copy(data, size);
    int error = swale__close_read(swale_span(block, size), &code, &reason);
    if (size == 0)
        require(error == 0 && code == 1005 && reason.size == 0);
    else if (size == 1)
        require(error == SWALE_ERR_CLOSE_PAYLOAD);
    else if (!may_be_sent(data[0] * 256 + data[1]))
        require(error == SWALE_ERR_CLOSE_CODE);
    else
        require(error == (reference_text(data + 2, size - 2) ? 0 : SWALE_ERR_UTF8));
    if (error == 0 && size > 0) {
        require(swale__close_write(code, reason, payload) == (int)size);
        require(memcmp(payload, data, size) == 0);
    }
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    send_script(data, size);
    read_header(data, size);
    write_header(data, size);
    read_close(data, size);
    return 0;
}
