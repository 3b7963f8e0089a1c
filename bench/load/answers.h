/* answers.h - what one connection hears is compared with what it must hear, byte by byte. */
#ifndef BENCH_ANSWERS_H
#define BENCH_ANSWERS_H

#include <stddef.h>

struct answers {
    size_t at;   /* uncompressed: the position in the answer under way */
    size_t next; /* compressed: which message of the script comes next */
    char *part;  /* the beginning of a frame that is not there whole */
    size_t part_size, part_room;
    struct z_stream_s *inflater; /* of a connection that keeps its window */
};

/* How many answers the bytes complete. */
size_t answers_take(struct answers *answers, const char *data, size_t size);

#endif
