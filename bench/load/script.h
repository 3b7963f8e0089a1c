/* script.h - the messages of a run, made before it: all requests, as they go on the wire, and the payloads that must
 * come back. */
#ifndef BENCH_SCRIPT_H
#define BENCH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

struct message {
    size_t at, size; /* its frame in `requests` */
    char *payload;   /* plan.size bytes */
    char *answer;    /* the frame that must come back, where there is only one that is right */
    size_t answer_size;
};

/* The messages come round after round: one, or where they are compressed so many that they don't fit into a window.
 */
extern struct script {
    struct message *messages;
    size_t count;
    char *requests;    /* the frames of more than a round, back to back, so that one send carries many */
    size_t round_size; /* bytes of a round */
    size_t room;
    char *answers; /* likewise, of one message only: for comparing many at once */
    size_t answers_room;
} script;

void script_make(void);

#endif
