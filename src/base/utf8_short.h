/* utf8_short.h - checking texts of less than a block, where that is 16 bytes: behind utf8_blocks.h.
 *
 *     join(front, back)    a vector of two words, in the order of memory (little-endian)
 *
 * It gets check_short(data, size), for 4 to 15 bytes that begin at a boundary. */

/* 16 bytes of each: from here on minus n, n of the first. */
static const unsigned char first_bytes[32] = { [0 ... 15] = 0xff };

static inline uint64_t short_word(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

/* 4 to 7 bytes, with zeros behind them. */
static inline uint64_t short_half(const char *data, size_t size)
{
    uint32_t front, back;
    memcpy(&front, data, sizeof front);
    memcpy(&back, data + size - sizeof back, sizeof back);
    return front | (uint64_t)back << (8 * (size - sizeof back));
}

TARGET static inline bool check_short(const char *data, size_t size)
{
    bool half = size < 8;
    uint64_t front = half ? short_half(data, size) : short_word(data);
    uint64_t back = half || size == 8 ? 0 : short_word(data + size - 8) >> (8 * (BLOCK - size));
    if (((front | back) & 0x8080808080808080) == 0)
        return true;
    return is_zero(both(faults_first(join(front, back)), load_bytes(first_bytes + BLOCK - size)));
}
