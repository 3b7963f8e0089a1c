/* framing.c - messages out of standard input, and into standard output.
 *
 * Input: one byte that chooses the framing, one that says how to cut, then the bytes. Taken whole, one by one and in
 * pieces they must give the same messages; which are those that a plain search for terminators, or a sum of lengths,
 * gives; and what is put must be taken again. */
#include "app/connect/framing.h"

#include "fuzz.h"

struct taken {
    struct buffer messages; /* each behind its size */
    int last;
};

static void note(struct taken *taken, struct swale_span message)
{
    buffer_put(&taken->messages, swale_span((const char *)&message.size, sizeof message.size));
    buffer_put(&taken->messages, message);
}

static struct taken take_in_steps(enum framing framing, const char *data, size_t size, size_t step)
{
    struct taken taken = { 0 };
    size_t begin = 0, scanned = 0;
    struct swale_span message;
    for (size_t end = 0; end <= size;) {
        char *block = fuzz_copy(data + begin, end - begin);
        size_t used = framing_take(framing, swale_span(block, end - begin), &scanned, &message);
        require(used <= end - begin);
        if (used > 0)
            note(&taken, message);
        free(block);
        begin += used;
        if (used == 0 && end == size)
            break;
        if (used == 0)
            end = size - end < step ? size : end + step;
    }
    char *block = fuzz_copy(data + begin, size - begin);
    taken.last = framing_last(framing, swale_span(block, size - begin), &message);
    if (taken.last > 0)
        note(&taken, message);
    free(block);
    return taken;
}

static struct taken model(enum framing framing, const char *data, size_t size)
{
    struct taken taken = { 0 };
    size_t begin = 0;
    if (framing == FRAMING_LENGTH) {
        while (size - begin >= 4) {
            const unsigned char *at = (const unsigned char *)data + begin;
            uint64_t length = ((at[0] * 256ull + at[1]) * 256 + at[2]) * 256 + at[3];
            if (length > size - begin - 4)
                break;
            note(&taken, swale_span(data + begin + 4, (size_t)length));
            begin += 4 + (size_t)length;
        }
        taken.last = begin < size ? -1 : 0;
        return taken;
    }
    for (size_t i = 0; i < size; i++) {
        if (data[i] != (framing == FRAMING_LINES ? '\n' : '\0'))
            continue;
        note(&taken, swale_span(data + begin, i - begin));
        begin = i + 1;
    }
    taken.last = begin < size;
    if (begin < size)
        note(&taken, swale_span(data + begin, size - begin));
    return taken;
}

static void require_same(struct taken *a, struct taken b)
{
    require(a->last == b.last && swale_span_equal(buffer_span(&a->messages), buffer_span(&b.messages)));
    buffer_done(&b.messages);
}

/* The messages that were taken, put again. */
static void require_round_trip(enum framing framing, struct taken *taken)
{
    struct buffer out = { 0 };
    for (size_t at = 0; at < taken->messages.size;) {
        size_t size;
        memcpy(&size, taken->messages.data + at, sizeof size);
        require(framing_put(framing, swale_span(taken->messages.data + at + sizeof size, size), &out));
        at += sizeof size + size;
    }
    taken->last = 0;
    require_same(taken, take_in_steps(framing, out.data ? out.data : "", out.size, out.size + 1));
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum framing framing = (enum framing)(data[0] % 3);
    const char *bytes = (const char *)data + 2;
    struct taken whole = take_in_steps(framing, bytes, size - 2, size);
    require_same(&whole, take_in_steps(framing, bytes, size - 2, 1));
    require_same(&whole, take_in_steps(framing, bytes, size - 2, 1u + data[1]));
    require_same(&whole, model(framing, bytes, size - 2));
    require_round_trip(framing, &whole);
    buffer_done(&whole.messages);
    return 0;
}
