#include "proto/token.h"

/* Classes of each byte, drawn as the ASCII chart. */
#define o 0
#define s SWALE__VALUE
#define g (SWALE__VALUE | SWALE__TARGET)
#define n (SWALE__VALUE | SWALE__TOKEN)
#define t (SWALE__VALUE | SWALE__TARGET | SWALE__TOKEN)
#define m (SWALE__VALUE | SWALE__TARGET | SWALE__REGNAME)
#define a (SWALE__VALUE | SWALE__TARGET | SWALE__REGNAME | SWALE__TOKEN)
#define x (a | SWALE__HEX)
#define d (a | SWALE__HEX | SWALE__DIGIT)

/* clang-format off */
const unsigned char swale__classes[256] = {
    /*                                                       tab */
    o, o, o, o, o, o, o, o, o, s, o, o, o, o, o, o,
    o, o, o, o, o, o, o, o, o, o, o, o, o, o, o, o,
    /*  !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
    s, a, g, n, a, t, a, a, m, m, a, a, m, a, a, g,
    /* 0 to 9 :  ;  <  =  >  ? */
    d, d, d, d, d, d, d, d, d, d, g, m, g, m, g, g,
    /* @  A to Z  [  \  ]  ^  _ */
    g, x, x, x, x, x, x, a, a, a, a, a, a, a, a, a,
    a, a, a, a, a, a, a, a, a, a, a, g, g, g, t, a,
    /* `  a to z  {  |  }  ~  DEL */
    t, x, x, x, x, x, x, a, a, a, a, a, a, a, a, a,
    a, a, a, a, a, a, a, a, a, a, a, g, t, g, a, o,
    /* obs-text */
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
    s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s,
};
/* clang-format on */

#undef o
#undef s
#undef g
#undef n
#undef t
#undef m
#undef a
#undef x
#undef d

/* How many bytes at the front may stand in a value, as far as can be told of 16 at a time: a tab is left to be looked
 * at by itself. */
static size_t value_run(const char *text, size_t size)
{
    typedef unsigned char block16 __attribute__((vector_size(16)));
    typedef uint64_t words __attribute__((vector_size(16)));
    size_t length = 0;
    for (; size - length >= sizeof(block16); length += sizeof(block16)) {
        block16 block;
        memcpy(&block, text + length, sizeof block);
        words wrong = (words)((block < 0x20) | (block == 0x7f));
        if (wrong[0] | wrong[1])
            break;
    }
    return length;
}

size_t swale__run(const char *text, size_t size, unsigned char class)
{
    size_t length = class == SWALE__VALUE ? value_run(text, size) : 0;
    while (length < size && swale__is(text[length], class))
        length++;
    return length;
}

bool swale__all(struct swale_span text, unsigned char class)
{
    return text.size > 0 && swale__run(text.data, text.size, class) == text.size;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

struct swale_span swale__trim(struct swale_span text)
{
    size_t begin = 0;
    size_t end = text.size;
    while (begin < end && blank(text.data[begin]))
        begin++;
    while (end > begin && blank(text.data[end - 1]))
        end--;
    return swale__slice(text, begin, end);
}
