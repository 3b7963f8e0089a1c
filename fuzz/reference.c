#include "reference.h"

/* ---- UTF-8 ----------------------------------------------------------------------------------------------- */

size_t reference_character(const uint8_t *text, size_t size, uint32_t *point)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if ((text[0] >= 0x80 && text[0] < 0xc0) || text[0] >= 0xf8 || size < length)
        return 0;
    uint32_t value = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3f);
    }
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < smallest[length] || value > 0x10ffff || surrogate)
        return 0;
    if (point)
        *point = value;
    return length;
}

/* How many bytes of whole characters it begins with. */
static size_t whole_characters(const uint8_t *text, size_t size)
{
    size_t at = 0, taken = 1;
    for (; at < size && taken > 0; at += taken)
        taken = reference_character(text + at, size - at, NULL);
    return at;
}

bool reference_text(const uint8_t *text, size_t size)
{
    return whole_characters(text, size) == size;
}

/* Tries. */
bool reference_text_begins(const uint8_t *text, size_t size)
{
    static const char *const tails[] = { "\x80", "\xbf", "\x80\x80", "\xbf\x80", "\x80\x80\x80", "\xbf\x80\x80" };
    uint8_t character[8];
    size_t at = whole_characters(text, size), left = size - at;
    if (left == 0)
        return true;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0] && left < 4; i++) {
        memcpy(character, text + at, left);
        memcpy(character + left, tails[i], strlen(tails[i]));
        if (reference_text(character, left + strlen(tails[i])))
            return true;
    }
    return false;
}

/* ---- One frame (RFC 6455 section 5.2) -------------------------------------------------------------------- */

void reference_frame(struct reference_frame *frame, const uint8_t *bytes, size_t size)
{
    *frame = (struct reference_frame){ 0 };
    if (size < 1)
        return;
    frame->final = bytes[0] >= 128;
    frame->reserved = bytes[0] / 16 % 8;
    frame->opcode = bytes[0] % 16;
    if (size < 2)
        return;
    frame->masked = bytes[1] >= 128;
    frame->length = bytes[1] % 128;
    size_t more = frame->length == 126 ? 2 : frame->length == 127 ? 8 : 0;
    if (size < 2 + more)
        return;
    if (more > 0)
        frame->length = 0;
    for (size_t i = 0; i < more; i++)
        frame->length = frame->length * 256 + bytes[2 + i];
    frame->length_end = 2 + more;
    if (size < 2 + more + (frame->masked ? 4 : 0))
        return;
    if (frame->masked)
        memcpy(frame->key, bytes + 2 + more, 4);
    frame->header = 2 + more + (frame->masked ? 4 : 0);
}

/* ---- The rules ------------------------------------------------------------------------------------------- */

/* The message under way. */
struct message {
    bool under_way, told;
    unsigned opcode;
    bool compressed;
    uint32_t frames;
    uint64_t announced;
    uint8_t character[4]; /* of text: the bytes of one that is not whole yet */
    size_t pending;
};

static unsigned first_byte_faults(const struct reference *reference, const struct message *message,
                                  const struct reference_frame *frame)
{
    unsigned faults = 0;
    bool control = frame->opcode >= 8;
    bool starts = frame->opcode == 1 || frame->opcode == 2;
    if (frame->reserved != 0 && !(frame->reserved == 4 && reference->deflate && starts))
        faults |= REFERENCE_RESERVED;
    if ((frame->opcode >= 3 && frame->opcode <= 7) || frame->opcode >= 11)
        faults |= REFERENCE_OPCODE;
    if (control && !frame->final)
        faults |= REFERENCE_CONTROL;
    if (starts && message->under_way)
        faults |= REFERENCE_SEQUENCE;
    if (frame->opcode == 0 && !message->under_way)
        faults |= REFERENCE_SEQUENCE;
    if (!control && message->frames >= reference->max_fragments)
        faults |= REFERENCE_COUNT;
    return faults;
}

static unsigned second_byte_faults(const struct reference *reference, const struct reference_frame *frame,
                                   uint8_t byte)
{
    unsigned faults = 0;
    if (frame->masked != reference->server)
        faults |= REFERENCE_MASK;
    if (frame->opcode >= 8 && byte % 128 > 125)
        faults |= REFERENCE_CONTROL;
    return faults;
}

static unsigned length_faults(const struct reference *reference, const struct message *message,
                              const struct reference_frame *frame)
{
    if (frame->length >> 63 || (frame->length_end == 4 && frame->length < 126) ||
        (frame->length_end == 10 && frame->length < 65536))
        return REFERENCE_LENGTH;
    if (frame->opcode < 8 && frame->length > reference->max_message - message->announced)
        return REFERENCE_SIZE;
    return 0;
}

/* ---- What it makes of them ------------------------------------------------------------------------------- */

static void put(struct reference *reference, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    if (size > reference->log_room - reference->log_size) {
        reference->log_room = 2 * (reference->log_size + size);
        reference->log = realloc(reference->log, reference->log_room);
        require(reference->log != NULL);
    }
    memcpy(reference->log + reference->log_size, bytes, size);
    reference->log_size += size;
}

static void tell_message(struct reference *reference, struct message *message)
{
    const uint8_t begin[] = { 'm', (uint8_t)message->opcode, message->compressed };
    if (!message->told)
        put(reference, begin, sizeof begin);
    message->told = true;
}

/* Whether the text can go on with this byte, and end with it if it must. */
static bool text_takes(struct message *message, uint8_t byte, bool ends)
{
    message->character[message->pending++] = byte;
    if (!reference_text_begins(message->character, message->pending))
        return false;
    if (reference_text(message->character, message->pending))
        message->pending = 0;
    return !ends || message->pending == 0;
}

static void data_payload(struct reference *reference, struct message *message, const struct reference_frame *frame,
                         const uint8_t *payload, size_t size)
{
    bool text = message->opcode == 1 && !message->compressed;
    if (frame->length == 0 && frame->final && text && message->pending > 0) {
        reference->faults = REFERENCE_UTF8;
        return;
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = payload[i] ^ frame->key[i % 4];
        bool ends = frame->final && i + 1 == frame->length;
        if (text && !text_takes(message, byte, ends)) {
            reference->faults = REFERENCE_UTF8;
            return;
        }
        tell_message(reference, message);
        put(reference, &byte, 1);
    }
    if (size < frame->length || !frame->final)
        return;
    tell_message(reference, message);
    put(reference, "e", 1);
    *message = (struct message){ 0 };
}

/* RFC 6455 sections 7.4.1, 7.4.2, and what IANA has registered since. */
static bool may_be_sent(unsigned code)
{
    switch (code) {
    case 1000:
    case 1001:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
    case 1010:
    case 1011:
    case 1012:
    case 1013:
    case 1014:
        return true;
    default:
        return code >= 3000 && code < 5000;
    }
}

static unsigned close_faults(const uint8_t *payload, size_t size)
{
    if (size == 0)
        return 0;
    if (size == 1)
        return REFERENCE_CLOSE_PAYLOAD;
    unsigned faults = may_be_sent(payload[0] * 256u + payload[1]) ? 0 : REFERENCE_CLOSE_CODE;
    return faults | (reference_text(payload + 2, size - 2) ? 0 : REFERENCE_UTF8);
}

static void put_frame(struct reference *reference, unsigned opcode, const uint8_t *payload, size_t size)
{
    uint8_t mask = reference->server ? 0 : reference->mask;
    const uint8_t head[] = {
        (uint8_t)(128 + opcode), (uint8_t)(size + (reference->server ? 0 : 128)), mask, mask, mask, mask
    };
    put(reference, head, reference->server ? 2 : 6);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = payload[i] ^ mask;
        put(reference, &byte, 1);
    }
}

static void control_frame(struct reference *reference, const struct reference_frame *frame, const uint8_t *masked)
{
    enum { CLOSE = 8, PING = 9, PONG = 10 };
    uint8_t payload[125];
    size_t size = (size_t)frame->length, prefix = 0;
    for (size_t i = 0; i < size; i++)
        payload[i] = masked[i] ^ frame->key[i % 4];
    unsigned code = 0;
    if (frame->opcode == CLOSE) {
        reference->faults = close_faults(payload, size);
        if (reference->faults)
            return;
        reference->closed = true;
        prefix = size > 0 ? 2 : 0;
        code = size > 0 ? payload[0] * 256u + payload[1] : 1005;
    }
    const uint8_t begin[] = { 'c', (uint8_t)frame->opcode, (uint8_t)(code / 256), (uint8_t)code };
    put(reference, begin, sizeof begin);
    put(reference, payload + prefix, size - prefix);
    if (reference->close_sent || frame->opcode == PONG)
        return;
    if (frame->opcode == PING)
        put_frame(reference, PONG, payload, size);
    else
        put_frame(reference, CLOSE, payload, prefix);
}

/* ---- The whole ------------------------------------------------------------------------------------------- */

static unsigned header_faults(const struct reference *reference, const struct message *message,
                              const struct reference_frame *frame, const uint8_t *bytes, size_t size)
{
    unsigned faults = first_byte_faults(reference, message, frame);
    if (!faults && size >= 2)
        faults = second_byte_faults(reference, frame, bytes[1]);
    if (!faults && frame->length_end > 0)
        faults = length_faults(reference, message, frame);
    return faults;
}

static void join_message(struct message *message, const struct reference_frame *frame)
{
    if (!message->under_way) {
        message->under_way = true;
        message->opcode = frame->opcode;
        message->compressed = frame->reserved == 4;
    }
    message->frames++;
    message->announced += frame->length;
}

void reference_read(struct reference *reference, const uint8_t *bytes, size_t size)
{
    struct message message = { 0 };
    while (size > 0 && !reference->closed && !reference->faults) {
        struct reference_frame frame;
        reference_frame(&frame, bytes, size);
        reference->faults = header_faults(reference, &message, &frame, bytes, size);
        if (reference->faults || frame.header == 0)
            return;
        bytes += frame.header;
        size -= frame.header;
        size_t there = frame.length < size ? (size_t)frame.length : size;
        if (frame.opcode < 8) {
            join_message(&message, &frame);
            data_payload(reference, &message, &frame, bytes, there);
        } else if (there == frame.length) {
            control_frame(reference, &frame, bytes);
        } else {
            return;
        }
        bytes += there;
        size -= there;
    }
}
