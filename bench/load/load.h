/* load.h - what the parts of the load generator share: the plan, and how it gives up. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>

enum load_mode { LOAD_ECHO, LOAD_FAN_OUT, LOAD_IDLE, LOAD_STORM, LOAD_OPEN };
enum load_payload { LOAD_BINARY, LOAD_ASCII, LOAD_CJK, LOAD_JSON };
/* Shared: no context is kept between messages. Dedicated: each side keeps its window. */
enum load_deflate { LOAD_PLAIN, LOAD_SHARED, LOAD_DEDICATED };

struct plan {
    enum load_mode mode;
    int port;
    const char *path;      /* NULL: bare TCP, the same bytes without a handshake */
    const char *publisher; /* the path of the publisher of a fan-out */
    int connections;       /* subscribers, where there is a fan-out; at a time, where there is a storm */
    size_t size;
    int depth;
    double seconds;
    double rate; /* of an open loop: messages a second */
    enum load_payload payload;
    enum load_deflate deflate;
    bool tls, resume;
    bool uring; /* moves bytes by io_uring, where it can */
};

extern struct plan plan;

/* Both end the process: a measurement that went wrong is none. */
_Noreturn void fail(const char *what); /* with errno */
_Noreturn void refuse(const char *what);

double now(void); /* seconds */

/* Says "start", and waits for a line on standard input: false, there is none. */
bool wait_for_start(void);

/* Holds still until standard input ends. */
void wait_for_end(void);

/* Says "start", waits for a line on standard input, calls `run`, which returns how many units have been done at the
 * end it is given, and says what was done (see load.c). The caller reads the accounts of the server meanwhile. */
void measure(unsigned long long (*run)(double end));

/* Bytes of WebSocket frames, both ways, since the process began. */
extern unsigned long long bytes_sent, bytes_received;

#endif
